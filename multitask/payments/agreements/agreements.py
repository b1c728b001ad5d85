"""Open agreements: who pays whom for what, with all terms frozen."""

from datetime import datetime

from django.conf import settings

from multitask import database
from multitask.money import Money
from multitask.payments.models import Agreement, Milestone
from multitask.payments.models.agreement import TITLE_MAX
from multitask.payments.operations import amounts, routes
from multitask.payments.terms import Terms, basis_points


def current_terms(currency: str) -> Terms:
    """Return the terms of a new agreement in this currency."""
    return Terms(
        fee_basis_points=basis_points(settings.PLATFORM_FEE_PERCENTAGE),
        auto_release_days=settings.AUTO_RELEASE_DAYS,
        refund_answer_days=settings.REFUND_ANSWER_DAYS,
        share_step=amounts.share_step(currency),
    )


@database.transactional
def open_agreement(
    *, payer_id: int, payee_id: int, title: str, price: Money, reference: str, link: str = "", now: datetime
) -> Agreement:
    """Open an agreement with one milestone for the whole price.

    The caller has checked that both sides agreed. `reference` is the caller's unique name for the agreement.
    Raises CurrencyUnsupported or an error about the amount.
    """
    amounts.require_payable(price)
    terms = current_terms(price.currency)
    route = routes.of(price.currency)
    agreement = Agreement.objects.create(
        payer_id=payer_id,
        payee_id=payee_id,
        title=title[:TITLE_MAX],
        reference=reference,
        link=link,
        provider=route.provider,
        route=route.kind.value,
        currency=price.currency,
        fee_basis_points=terms.fee_basis_points,
        auto_release_days=terms.auto_release_days,
        refund_answer_days=terms.refund_answer_days,
        share_step=terms.share_step,
        created_at=now,
    )
    Milestone.objects.create(
        agreement=agreement, title=agreement.title, amount_minor=price.amount_minor, created_at=now
    )
    return agreement

"""Accounts at a provider, as the staff knows them, and how the books stand against them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, Subquery
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from multitask import providers
from multitask.money import Money
from multitask.payments.models import ProviderAccount, Reconciliation
from multitask.payments.provider import ReportsMoney, supports
from multitask.web.backoffice.base import links

# The overview names so many accounts that differ; the list has the others.
MOST: Final = 5


def name(account: ProviderAccount) -> str:
    """Return the name of an account: its owner, or the platform."""
    if account.account is None:
        return _("The platform at %(provider)s") % {"provider": account.provider}
    return account.account.user.username


def link(account: ProviderAccount) -> SafeString:
    """Return the name of an account, which links to the page of a payout account."""
    if account.account is None:
        return format_html("{}", name(account))
    return format_html('<a href="{}">{}</a>', links.of(account.account), name(account))


def not_compared() -> list[str]:
    """Return the names of providers that have no statement, so that nothing is compared with them."""
    return [provider.name for provider in providers.every() if not supports(provider, ReportsMoney)]


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose books differ from the provider's."""

    account: str
    amount: Money
    since: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How the books stand: `equal_at` and `oldest_at` are the last comparisons of the platform and of all accounts."""

    equal_at: datetime | None
    oldest_at: datetime | None
    differences: list[Difference]
    not_compared: list[str]


def standing() -> Standing:
    """Return how the books stand against what the providers hold. One statement.

    The provider no longer reports what accounts hold that were closed.
    """
    reported = Q(account__account=None) | Q(account__account__closed=False)
    oldest = Reconciliation.objects.filter(reported).order_by("compared_at").values("compared_at")[:1]
    rows = Reconciliation.objects.filter(Q(account__account=None) | Q(differs_since__isnull=False))
    rows = rows.annotate(oldest_at=Subquery(oldest))
    found = list(rows.select_related("account__account__user").order_by("differs_since", "pk")[: 10 * MOST])
    platform = [row.compared_at for row in found if row.account.account_id is None]
    return Standing(
        equal_at=min((at for at in platform if at is not None), default=None),
        oldest_at=found[0].oldest_at if found else None,
        differences=[
            Difference(
                name(row.account),
                Money(row.difference_minor, row.currency),
                row.differs_since,
                links.listing("payments.statementline", f"account={row.account_id}"),
            )
            for row in found
            if row.differs_since is not None
        ][:MOST],
        not_compared=not_compared(),
    )

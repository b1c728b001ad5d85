"""What a notice says, in the reader's language: a title, a sentence, and where to go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.models import Notice


@dataclass(frozen=True, slots=True)
class Said:
    """A notice in words; `address` is a path on our pages, `button` what its link is called."""

    title: str
    text: str
    address: str
    button: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentences are made of."""

    title: str
    client: str
    freelancer: str
    amount: str
    reason: str
    is_client: bool


def of(notice: Notice) -> Said:
    """Say a notice in the language that is active."""
    facts = _facts(notice)
    title, text = _SENTENCES[notice.kind](facts)
    if notice.withdrawal_id is not None:
        return Said(title, text, "/wallet/", _("Open the wallet"))
    if notice.escrow is None:
        return Said(title, text, "/onboarding/", _("Open your payout account"))
    return Said(title, text, f"/tasks/{notice.escrow.task_id}/payment/", _("See the payment"))


def _facts(notice: Notice) -> Facts:
    escrow = notice.escrow
    return Facts(
        title=escrow.task.title if escrow else "",
        client=escrow.client.username if escrow else "",
        freelancer=escrow.freelancer.username if escrow else "",
        amount=_amount(notice),
        reason=notice.withdrawal.failure_reason if notice.withdrawal else "",
        is_client=escrow is not None and escrow.client_id == notice.user_id,
    )


def _amount(notice: Notice) -> str:
    event = notice.event
    if event is not None and event.amount_minor is not None:
        amount = Money(event.amount_minor, event.currency)
    elif notice.escrow is not None:
        amount = notice.escrow.remaining
    else:
        return ""
    return amount.localized(get_language() or "en")


def _sentence(title: Callable[[], str], text: Callable[[], str]) -> Callable[[Facts], tuple[str, str]]:
    """Fill the same facts into a title and a text."""

    def say(facts: Facts) -> tuple[str, str]:
        values = {
            "task": facts.title,
            "client": facts.client,
            "freelancer": facts.freelancer,
            "amount": facts.amount,
            "reason": facts.reason,
        }
        return title() % values, text() % values

    return say


def _by_side(
    client: Callable[[Facts], tuple[str, str]], freelancer: Callable[[Facts], tuple[str, str]]
) -> Callable[[Facts], tuple[str, str]]:
    """Say it to each side in its own words."""
    return lambda facts: client(facts) if facts.is_client else freelancer(facts)


_SENTENCES: Final[dict[str, Callable[[Facts], tuple[str, str]]]] = {
    "funded": _by_side(
        _sentence(
            lambda: _("Your payment is in escrow"),
            lambda: _("%(amount)s for “%(task)s” wait in escrow. %(freelancer)s can start."),
        ),
        _sentence(
            lambda: _("“%(task)s” is funded"),
            lambda: _("%(client)s has paid %(amount)s into escrow. You can start with the work."),
        ),
    ),
    "delivered": _sentence(
        lambda: _("“%(task)s” was delivered"),
        lambda: _("%(freelancer)s has delivered. Look at the work, then confirm it and release the money."),
    ),
    "auto_release_nearing": _sentence(
        lambda: _("“%(task)s” is released soon"),
        lambda: _("If you say nothing, %(amount)s are released to %(freelancer)s in less than two days."),
    ),
    "released": _by_side(
        _sentence(
            lambda: _("You released “%(task)s”"),
            lambda: _("%(amount)s left escrow for %(freelancer)s, less the platform's fee."),
        ),
        _sentence(
            lambda: _("You earned money for “%(task)s”"),
            lambda: _("%(client)s's payment of %(amount)s was released. It reaches your wallet once it has settled."),
        ),
    ),
    "settled": _sentence(
        lambda: _("%(amount)s can be withdrawn"),
        lambda: _("Your share for “%(task)s” has settled and is available in your wallet."),
    ),
    "refund_requested": _sentence(
        lambda: _("%(client)s asks for a refund"),
        lambda: _("%(client)s asks for %(amount)s back for “%(task)s”. Please answer: silence accepts it."),
    ),
    "refund_accepted": _sentence(
        lambda: _("Your refund was agreed to"),
        lambda: _("%(freelancer)s agreed to refund %(amount)s for “%(task)s”. It is on its way."),
    ),
    "refund_refused": _sentence(
        lambda: _("Your refund was refused"),
        lambda: _("%(freelancer)s refused the refund for “%(task)s”. Our staff settles it; the money stays in escrow."),
    ),
    "refund_withdrawn": _sentence(
        lambda: _("The refund request was taken back"),
        lambda: _("%(client)s does not ask for a refund for “%(task)s” any more."),
    ),
    "refund_started": _sentence(
        lambda: _("A refund is on its way"),
        lambda: _("%(amount)s for “%(task)s” go back to %(client)s."),
    ),
    "refunded": _sentence(
        lambda: _("%(amount)s were refunded"),
        lambda: _("%(amount)s for “%(task)s” went back to %(client)s's card. Banks take 5 to 10 days to show it."),
    ),
    "refund_failed": _sentence(
        lambda: _("A refund failed"),
        lambda: _("%(amount)s for “%(task)s” could not be refunded to your card. Our staff looks after it."),
    ),
    "dispute_opened": _sentence(
        lambda: _("A dispute about “%(task)s” is open"),
        lambda: _("The money stays in escrow until our staff has heard both sides."),
    ),
    "dispute_settled": _sentence(
        lambda: _("The dispute about “%(task)s” is settled"),
        lambda: _("Our staff has decided how the %(amount)s are shared. The payment page shows it."),
    ),
    "task_cancelled": _sentence(
        lambda: _("“%(task)s” was called off"),
        lambda: _("Money that is in escrow can be refunded to %(client)s at once."),
    ),
    "chargeback_opened": _sentence(
        lambda: _("The bank contests the payment for “%(task)s”"),
        lambda: _("The money is held where it is until the cardholder's bank has decided."),
    ),
    "withdrawal_completed": _sentence(
        lambda: _("%(amount)s are on your bank account"),
        lambda: _("Your withdrawal of %(amount)s was paid."),
    ),
    "withdrawal_failed": _sentence(
        lambda: _("Your withdrawal failed"),
        lambda: _("%(amount)s could not be paid to your bank and are in your wallet again. %(reason)s"),
    ),
    "account_enabled": _sentence(
        lambda: _("Your payouts are set up"),
        lambda: _("You can receive earnings and withdraw them to your bank."),
    ),
    "account_needs_attention": _sentence(
        lambda: _("Your payout account needs attention"),
        lambda: _("The payment provider needs something from you before you can withdraw again."),
    ),
}
KINDS: Final = frozenset(_SENTENCES)

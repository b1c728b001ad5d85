"""The texts of notices in the reader's language: title, sentence and link."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from babel.dates import format_date
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.models import AuditEvent, Escrow, Notice
from multitask.users.mail import MessageText

# Isolates a value of another or unknown direction within a right-to-left line.
_ISOLATE: Final = "\u2068{}\u2069"


@dataclass(frozen=True, slots=True)
class Facts:
    """The values that the sentences use."""

    task: str
    client: str
    freelancer: str
    amount: str
    reason: str
    day: str


Sentence = Callable[[Notice, dict[str, str]], tuple[str, str]]


def of(notice: Notice) -> MessageText:
    """Return a notice's text in the active language."""
    facts = asdict(_facts(notice))
    if get_language_bidi():
        facts = {name: _ISOLATE.format(value) if value else "" for name, value in facts.items()}
    title, text = _SENTENCES[notice.kind](notice, facts)
    if notice.withdrawal is not None:
        address = f"/wallet/withdrawals/{notice.withdrawal.public_id}/"
        return MessageText(title, text.strip(), address, _("See the withdrawal"))
    if notice.escrow is None:
        return MessageText(title, text, "/onboarding/", _("Open your payout account"))
    return MessageText(title, text, notice.escrow.agreement.link, _("See the payment"))


def reminder_reference(escrow: Escrow) -> str:
    """Return the reference of a reminder, which contains the day of the release; the text reads it from there."""
    return f"auto_release:{escrow.pk}:{escrow.auto_release_at:%Y-%m-%d}"


def _facts(notice: Notice) -> Facts:
    escrow, withdrawal, event = notice.escrow, notice.withdrawal, notice.event
    locale = (get_language() or "en").replace("-", "_")
    reason = withdrawal.failure_reason if withdrawal is not None else ""
    return Facts(
        task=escrow.agreement.title if escrow else "",
        client=escrow.client.username if escrow else "",
        freelancer=escrow.freelancer.username if escrow else "",
        amount=_amount(event).localized(locale) if event is not None and event.currency else "",
        reason=_(reason) if reason else "",
        day=format_date(_day(notice), "long", locale=locale) if notice.kind == "auto_release_nearing" else "",
    )


def _amount(event: AuditEvent) -> Money:
    return Money(event.amount_minor or 0, event.currency)


def _day(notice: Notice) -> date:
    return date.fromisoformat(notice.reference.rpartition(":")[2])


def _sentence(title: Callable[[], str], text: Callable[[], str]) -> Sentence:
    """Return a sentence from a title and a text with placeholders for the facts."""
    return lambda notice, facts: (title() % facts, text() % facts)


def _by_side(client: Sentence, freelancer: Sentence) -> Sentence:
    """Return a sentence that differs for client and freelancer."""

    def sentence(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
        is_client = notice.escrow is not None and notice.escrow.client_id == notice.user_id
        return (client if is_client else freelancer)(notice, facts)

    return sentence


_NO_LONGER_CONTESTED: Final = _sentence(
    lambda: _("The payment for “%(task)s” is no longer contested"),
    lambda: _("The cardholder's bank has closed the case. The money is no longer held."),
)
_SENTENCES: Final[dict[str, Sentence]] = {
    "funded": _by_side(
        _sentence(
            lambda: _("Your payment is in escrow"),
            lambda: _("%(amount)s for “%(task)s” waits in escrow. %(freelancer)s can start."),
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
        lambda: _("If you say nothing, the money is released to %(freelancer)s on %(day)s."),
    ),
    "released": _by_side(
        _sentence(
            lambda: _("The money for “%(task)s” was released"),
            lambda: _("%(amount)s left escrow for %(freelancer)s, less the platform's fee."),
        ),
        _sentence(
            lambda: _("You earned money for “%(task)s”"),
            lambda: _("%(amount)s was released. Your share, less the platform's fee, is yours once it settles."),
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
        lambda: _("The refund of %(amount)s for “%(task)s” is on its way."),
    ),
    "refund_refused": _sentence(
        lambda: _("Your refund was refused"),
        lambda: _("%(freelancer)s refused the refund for “%(task)s”. Our staff settles it; the money stays in escrow."),
    ),
    "refund_granted": _sentence(
        lambda: _("Our staff agreed to the refund for “%(task)s”"),
        lambda: _("%(amount)s goes back to %(client)s. The payment page shows why."),
    ),
    "refund_denied": _sentence(
        lambda: _("Our staff refused the refund for “%(task)s”"),
        lambda: _("The money stays in escrow while the dispute is settled. The payment page shows why."),
    ),
    "refund_withdrawn": _sentence(
        lambda: _("The refund request was taken back"),
        lambda: _("%(client)s does not ask for a refund for “%(task)s” any more."),
    ),
    "refund_started": _sentence(
        lambda: _("A refund is on its way"),
        lambda: _("%(amount)s for “%(task)s” goes back to %(client)s."),
    ),
    "refunded": _sentence(
        lambda: _("%(amount)s was refunded"),
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
        lambda: _("Our staff has decided how %(amount)s is shared. The payment page shows it."),
    ),
    "task_cancelled": _sentence(
        lambda: _("“%(task)s” was called off"),
        lambda: _("Money that is in escrow can be refunded to %(client)s at once."),
    ),
    "chargeback_opened": _sentence(
        lambda: _("The bank contests the payment for “%(task)s”"),
        lambda: _("The money is held where it is until the cardholder's bank has decided."),
    ),
    "chargeback_won": _NO_LONGER_CONTESTED,
    "chargeback_warning_closed": _NO_LONGER_CONTESTED,
    "chargeback_lost": _sentence(
        lambda: _("The bank took the payment for “%(task)s” back"),
        lambda: _("It decided for the cardholder. Everything stays held until our staff has settled what follows."),
    ),
    "withdrawal_completed": _sentence(
        lambda: _("%(amount)s is on your bank account"),
        lambda: _("Your withdrawal of %(amount)s was paid."),
    ),
    "withdrawal_failed": _sentence(
        lambda: _("Your withdrawal failed"),
        lambda: _("%(amount)s could not be paid to your bank and is in your wallet again. %(reason)s"),
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

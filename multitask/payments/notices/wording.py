"""The texts of notices in the reader's language: title, sentence and link."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from multitask.payments.escrow import refund_ways
from multitask.payments.escrow.refund_ways import RefundWay
from multitask.payments.models import Escrow, Notice
from multitask.payments.notices import facts as notice_facts
from multitask.payments.payouts import account_status
from multitask.users.mail import MessageText

# Isolates a value of another or unknown direction within a right-to-left line.
_ISOLATE: Final = "\u2068{}\u2069"


Sentence = Callable[[Notice, dict[str, str]], tuple[str, str]]


def of(notice: Notice) -> MessageText:
    """Return a notice's text in the active language."""
    facts = asdict(notice_facts.of(notice))
    if get_language_bidi():
        facts = {name: _ISOLATE.format(value) if value else "" for name, value in facts.items()}
    title, text = _SENTENCES[notice.kind](notice, facts)
    if notice.withdrawal is not None:
        address = f"/wallet/withdrawals/{notice.withdrawal.public_id}/"
        return MessageText(title, text.strip(), address, _("See the withdrawal"))
    if notice.kind == "budget_short":
        return MessageText(title, text, "/backoffice/payments/payoutbudget/", _("See the budget"))
    if notice.kind in _ABOUT_PAYOUT_DETAILS:
        return MessageText(title, text, "/payout-details/", _("See your payout details"))
    if notice.escrow is None:
        return MessageText(title, text, "/onboarding/", _("Open your payout account"))
    return MessageText(title, text, notice.escrow.agreement.link, _("See the payment"))


def reminder_reference(escrow: Escrow) -> str:
    """Return the reference of a reminder, which contains the day of the release; the text reads it from there."""
    return f"auto_release:{escrow.pk}:{escrow.auto_release_at:%Y-%m-%d}"


def _sentence(title: Callable[[], str], text: Callable[[], str]) -> Sentence:
    """Return a sentence from a title and a text with placeholders for the facts."""
    return lambda notice, facts: (title() % facts, text() % facts)


def _by_side(client: Sentence, freelancer: Sentence) -> Sentence:
    """Return a sentence that differs for client and freelancer."""

    def sentence(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
        is_client = notice.escrow is not None and notice.escrow.client_id == notice.user_id
        return (client if is_client else freelancer)(notice, facts)

    return sentence


def _by_way(title: Callable[[], str], texts: Mapping[RefundWay, Callable[[], str]]) -> Sentence:
    """Return a sentence about a refund, which differs by the way that it goes back."""

    def sentence(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
        way = RefundWay.CARD if notice.escrow is None else refund_ways.of(notice.escrow)
        return title() % facts, texts[way]() % facts

    return sentence


def _account_ended(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
    """Return why the account has ended, and what its owner can do."""
    details = {} if notice.event is None else notice.event.details
    reason = str(details.get("reason", account_status.CLOSED))
    return _("Your payout account has ended"), " ".join(_(sentence) for sentence in account_status.ending(reason))


def _opened(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
    """Return what an open chargeback or inquiry means for the reader: the freelancer stops working."""
    parts = [
        _("The bank asks about the payment and has taken nothing.")
        if notice_facts.detail(notice.event, "is_inquiry")
        else _("The bank has taken the money."),
        _("The money of this task is held until the bank has decided."),
    ]
    if notice.escrow is not None and notice.escrow.client_id == notice.user_id:
        parts = [*parts, _("If you did not ask your bank for this, tell it that the payment is right.")]
    else:
        parts = [_("Do not work on it until the case is closed."), *parts]
    if facts["day"]:
        parts.append(_("We answer the bank by %(day)s; its decision can take some weeks."))
    return _("The bank contests the payment for “%(task)s”") % facts, " ".join(parts) % facts


def _loss_booked(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
    """Return what the loss took from the freelancer."""
    parts = [_("The cardholder's bank has taken back what was paid."), *_cost(facts)]
    return _("The payment for “%(task)s” is lost") % facts, " ".join(parts) % facts


def _refunded_outside(notice: Notice, facts: dict[str, str]) -> tuple[str, str]:
    """Return what a refund that was made at the provider took from the freelancer."""
    parts = [_("%(amount)s went back to %(client)s; the refund was not made here.")]
    if facts["escrowed"]:
        parts.append(_("%(escrowed)s of it came out of the escrow."))
    parts += _cost(facts)
    return _("A refund for “%(task)s” was made at the payment provider") % facts, " ".join(parts) % facts


def _cost(facts: dict[str, str]) -> list[str]:
    """Return the sentences about what was taken from the freelancer, and what they owe."""
    parts = [_("%(taken)s of what you earned for this task was taken back.")] if facts["taken"] else []
    if facts["owed"]:
        parts.append(_("You had withdrawn the rest: you owe %(owed)s, which is kept from your next earnings."))
    return parts or [_("Nothing was taken from your wallet.")]


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
        lambda: _(
            "%(client)s asks for %(amount)s back for “%(task)s”. Please answer: without an answer it is accepted."
        ),
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
    "refund_awaits_destination": _sentence(
        lambda: _("Choose where your refund goes"),
        lambda: _("%(amount)s for “%(task)s” cannot go back the way you paid. Add your payout details to receive it."),
    ),
    "refund_needs_other_destination": _sentence(
        lambda: _("Choose another way for your refund"),
        lambda: _(
            "%(amount)s for “%(task)s” cannot be paid out to your payout details: it is too small or too large for"
            " that way. Add another one, such as a bank account."
        ),
    ),
    "refunded": _by_way(
        lambda: _("%(amount)s was refunded"),
        {
            RefundWay.CARD: lambda: _(
                "%(amount)s for “%(task)s” went back to %(client)s's card. Banks take 5 to 10 days to show it."
            ),
            RefundWay.ORIGIN: lambda: _(
                "%(amount)s for “%(task)s” went back the way %(client)s paid. It may take up to 10 days to arrive."
            ),
            RefundWay.DESTINATION: lambda: _("%(amount)s for “%(task)s” was paid out to %(client)s."),
        },
    ),
    "refund_failed": _by_way(
        lambda: _("A refund failed"),
        {
            RefundWay.CARD: lambda: _(
                "%(amount)s for “%(task)s” could not be refunded to your card. Our staff looks after it."
            ),
            RefundWay.ORIGIN: lambda: _(
                "%(amount)s for “%(task)s” could not be refunded the way you paid. Our staff looks after it."
            ),
            RefundWay.DESTINATION: lambda: _(
                "%(amount)s for “%(task)s” could not be paid out to you. Check your payout details; our staff looks"
                " after it."
            ),
        },
    ),
    "refund_paid_by_bank": _by_way(
        lambda: _("A refund was paid by bank transfer"),
        {
            RefundWay.CARD: lambda: _(
                "Your card did not take the %(amount)s for “%(task)s”, so we sent them by bank transfer."
            ),
            RefundWay.ORIGIN: lambda: _(
                "The %(amount)s for “%(task)s” could not go back the way you paid, so we sent them by bank transfer."
            ),
            RefundWay.DESTINATION: lambda: _("We sent you the %(amount)s for “%(task)s” by bank transfer."),
        },
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
    "payment_due": _sentence(
        lambda: _("“%(task)s” is not paid yet"),
        lambda: _("Pay %(amount)s into escrow, so that %(freelancer)s can start. Unpaid, it is closed on %(day)s."),
    ),
    "payment_due_soon": _sentence(
        lambda: _("Pay for “%(task)s” soon"),
        lambda: _("Without a payment the escrow of %(amount)s is closed on %(day)s. You can pay again after that."),
    ),
    "payment_expired": _by_side(
        _sentence(
            lambda: _("“%(task)s” was not paid in time"),
            lambda: _("The unpaid escrow of %(amount)s was closed. The task stays: you can pay at any time."),
        ),
        _sentence(
            lambda: _("“%(task)s” was not paid in time"),
            lambda: _("%(client)s has not paid, so the escrow was closed. Wait with the work until you are told."),
        ),
    ),
    "hold_ending": _by_side(
        _sentence(
            lambda: _("The money for “%(task)s” cannot be held much longer"),
            lambda: _(
                "The payment provider may hold it until %(day)s."
                " Until then, release it, or settle with %(freelancer)s what is to be refunded."
            ),
        ),
        _sentence(
            lambda: _("The money for “%(task)s” cannot be held much longer"),
            lambda: _(
                "The payment provider may hold it until %(day)s."
                " Until then, deliver the work and ask %(client)s to release it, or refund it."
            ),
        ),
    ),
    "money_stranded": _sentence(
        lambda: _("Your money for “%(task)s” waits for you"),
        lambda: _("The task has ended and its money is still in escrow. You can take it back at once."),
    ),
    "chargeback_opened": _opened,
    "chargeback_escalated": _opened,
    "chargeback_won": _NO_LONGER_CONTESTED,
    "chargeback_warning_closed": _NO_LONGER_CONTESTED,
    "chargeback_prevented": _NO_LONGER_CONTESTED,
    "chargeback_lost": _sentence(
        lambda: _("The bank took the payment for “%(task)s” back"),
        lambda: _("It decided for the cardholder. Everything stays held until our staff has settled what follows."),
    ),
    "loss_booked": _by_side(
        _sentence(
            lambda: _("Your bank has taken the payment for “%(task)s” back for you"),
            lambda: _("%(amount)s went back to you, and the case is closed. The payment page shows what is left."),
        ),
        _loss_booked,
    ),
    "refunded_outside": _refunded_outside,
    "loss_reversed": _sentence(
        lambda: _("The bank has given the payment for “%(task)s” back"),
        lambda: _("What was taken from you for it is yours again. The payment page shows where it is."),
    ),
    "withdrawal_completed": _sentence(
        lambda: _("%(amount)s was paid out to you"),
        lambda: _("Your withdrawal of %(amount)s was paid."),
    ),
    "withdrawal_failed": _sentence(
        lambda: _("Your withdrawal failed"),
        lambda: _("%(amount)s could not be paid out and is in your wallet again. %(reason)s"),
    ),
    "withdrawal_cancelled": _sentence(
        lambda: _("Your withdrawal was cancelled"),
        lambda: _("%(amount)s did not leave and is available in your wallet again."),
    ),
    "withdrawal_cancel_refused": _sentence(
        lambda: _("Your withdrawal could not be cancelled"),
        lambda: _("%(amount)s had left already when you asked to cancel."),
    ),
    "withdrawal_waits": _sentence(
        lambda: _("Your withdrawal waits"),
        lambda: _("%(amount)s will leave as soon as we have topped up our payout budget. You need not do anything."),
    ),
    "budget_short": _sentence(
        lambda: _("The payout budget is short"),
        lambda: _("Withdrawals wait for it: top it up with at least %(amount)s and record it in the back office."),
    ),
    "account_enabled": _sentence(
        lambda: _("Your payouts are set up"),
        lambda: _("You can receive earnings and withdraw them to your bank."),
    ),
    "account_needs_attention": _sentence(
        lambda: _("Your payout account needs attention"),
        lambda: _("The payment provider needs something from you before you can withdraw again."),
    ),
    "account_details_due": _sentence(
        lambda: _("The payment provider asks for more details"),
        lambda: _("Your payouts still work. Provide the details soon, or the payment provider may stop them."),
    ),
    "account_paused": _sentence(
        lambda: _("Your payout account is paused"),
        lambda: _("The payment provider has paused it and is looking into it. There is nothing for you to do now."),
    ),
    "account_ended": _account_ended,
    "destination_added": _sentence(
        lambda: _("New payout details were added"),
        lambda: (
            _("Withdrawals go to %(masked)s from %(day)s on. ")
            + _("If this was not you, remove it before that day and choose a new password at once.")
        ),
    ),
    "destination_removed": _sentence(
        lambda: _("Payout details were removed"),
        lambda: (
            _("Withdrawals do not go to %(masked)s any more. ")
            + _("If this was not you, choose a new password at once.")
        ),
    ),
    "identity_submitted": _sentence(
        lambda: _("Your legal name and national ID number were entered"),
        lambda: (
            _("Our staff confirms them before your next withdrawal. ")
            + _("If this was not you, choose a new password at once.")
        ),
    ),
    "identity_confirmed": _sentence(
        lambda: _("Your identity is confirmed"),
        lambda: _("Our staff has compared your details with your document. Nothing else is needed for it."),
    ),
    "identity_rejected": _sentence(
        lambda: _("Your identity could not be confirmed"),
        lambda: _("Your payout details show the reason. Correct what you entered, and our staff looks at it again."),
    ),
}
_ABOUT_PAYOUT_DETAILS: Final = frozenset(
    {
        "refund_awaits_destination",
        "refund_needs_other_destination",
        "destination_added",
        "destination_removed",
        "identity_submitted",
        "identity_confirmed",
        "identity_rejected",
    }
)
KINDS: Final = frozenset(_SENTENCES)

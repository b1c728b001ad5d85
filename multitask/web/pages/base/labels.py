"""Labels of history rows, ledger postings, pending reasons and failures, in the reader's language."""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from multitask.money import Money
from multitask.payments.books.journal import Leg, Posted
from multitask.payments.models import HistoryRow, Withdrawal
from multitask.payments.payouts import withdrawal_outcomes
from multitask.payments.reads.pending_reasons import Reason

_PLUS, _MINUS = "+", "\u2212"


@dataclass(frozen=True, slots=True)
class HistoryRowView:
    """One row of the history for display: what happened, with whom, and how the reader's money moved."""

    row: HistoryRow
    text: str
    other_party: str
    sign: str
    amount: Money
    failure: str


@dataclass(frozen=True, slots=True)
class LegView:
    """One leg of a posting for display: the account, and the amount taken from it or given to it."""

    text: str
    taken: Money | None
    given: Money | None


@dataclass(frozen=True, slots=True)
class PostingView:
    """One transaction of the ledger for display."""

    text: str
    posted: Posted
    legs: list[LegView]


def history_row(found: HistoryRow) -> HistoryRowView:
    """Return the view of a row; its sign is empty where the reader's own money does not move."""
    moves = found.status in {"completed", "pending"}
    sign = {"in": _PLUS, "out": _MINUS}.get(found.direction, "") if moves else ""
    return HistoryRowView(
        found, _event(found), _other_party(found), sign, Money(found.amount_minor, found.currency), _failure(found)
    )


def _event(found: HistoryRow) -> str:
    title = found.escrow.agreement.title if found.escrow else ""
    if not title:
        withdrawal = _("Payout made at the payment provider") if is_outside(found) else _("Withdrawal")
        is_reversed = found.type == "adjustment" and ":reversed:" in found.reference
        adjustment = posting_kind("adjustment_reversed" if is_reversed else "adjustment")
        return {"withdrawal": withdrawal, "chargeback": _("Chargeback")}.get(found.type, adjustment)
    words = {
        "escrow_deposit": _("Payment into escrow: %(title)s"),
        "escrow_release": _("Earned: %(title)s") if found.direction == "in" else _("Released: %(title)s"),
        "platform_fee": _("Platform fee: %(title)s"),
        "refund": _("Refund made at the payment provider: %(title)s") if is_outside(found) else _("Refund: %(title)s"),
        "chargeback": _("Chargeback: %(title)s"),
    }
    return words.get(found.type, _("Adjustment: %(title)s")) % {"title": title}


def is_outside(found: HistoryRow) -> bool:
    """Return whether the row's refund or withdrawal was made at the provider without a command of ours."""
    made = found.refund or found.withdrawal
    return made is not None and made.is_outside


def used_for_debt(found: HistoryRow) -> Money:
    """Return the part of a release to the reader that paid what they owed; zero for every other row."""
    is_earned = found.type == "escrow_release" and found.direction == "in" and found.escrow is not None
    return Money(found.escrow.netted_minor if is_earned and found.escrow else 0, found.currency)


def _other_party(found: HistoryRow) -> str:
    """Return the name of the other person; empty for fees and withdrawals."""
    if found.type in {"platform_fee", "withdrawal"}:
        return ""
    other = found.recipient if found.sender_id == found.user_id else found.sender
    return other.username if other is not None and other.pk != found.user_id else ""


def _failure(found: HistoryRow) -> str:
    if found.withdrawal is not None and found.withdrawal.failure_code:
        return failed_withdrawal(found.withdrawal)
    return _(found.failure_reason) if found.failure_reason else ""


# The most frequent decline messages of Stripe; the adapter of Paymob marks its own. Others are shown untranslated.
_DECLINES: Final = (
    gettext_noop("Your card was declined."),
    gettext_noop("Your card has insufficient funds."),
    gettext_noop("Your card has expired."),
    gettext_noop("Your card's security code is incorrect."),
    gettext_noop("Your card number is incorrect."),
    gettext_noop("Your bank could not confirm that it was you. Try again, or use another card."),
)


def explanation(sentence: str) -> str:
    """Return why a provider refused a payment, a refund or a payout, translated if the sentence is known."""
    return _(sentence) if sentence else ""


def failed_withdrawal(withdrawal: Withdrawal) -> str:
    """Return why a withdrawal failed, in a sentence that its owner can act on."""
    return _(withdrawal.failure_reason) if withdrawal.failure_reason else _("The bank did not accept the payment.")


def needs_bank_details(withdrawal: Withdrawal) -> bool:
    """Return whether the owner has to change the payout account's bank details before trying again."""
    return withdrawal_outcomes.needs_new_details(withdrawal)


_PENDING_REASONS: Final = {
    Reason.NO_ACCOUNT: gettext_lazy("Waits for your payout account: set it up and the money moves on."),
    Reason.ENDED: gettext_lazy("Waits for a new payout account: yours has ended for good."),
    Reason.MOVING: gettext_lazy("Is being brought from your former payout account to the new one."),
    Reason.OUT_OF_REACH: gettext_lazy("Lies in a payout account of yours that is closed; our staff looks at it."),
    Reason.INCOMPLETE: gettext_lazy("Waits for your payout account: something is still missing."),
    Reason.CHECKED: gettext_lazy("Waits until the payment provider has checked your payout account."),
    Reason.NO_BANK: gettext_lazy("Waits for a bank account in this currency: add one to your payout account."),
    Reason.CONTESTED: gettext_lazy("Held: the cardholder's bank contests the payment."),
    Reason.EVIDENCE_DUE: gettext_lazy(
        "Held: the cardholder's bank contests the payment or asks about it; our staff answers the bank."
    ),
    Reason.LOSS_TO_BOOK: gettext_lazy(
        "Held: the cardholder's bank has kept the payment; our staff settles what follows."
    ),
    Reason.REFUSED: gettext_lazy("The transfer to your payout account was refused; our staff looks at it."),
    Reason.REVERSED: gettext_lazy("Held: the transfer was reversed at the payment provider; our staff decides."),
    Reason.TRANSFER_AGAIN: gettext_lazy("It is transferred to your payout account again."),
    Reason.SETTLING: gettext_lazy("Settling at the payment provider."),
    Reason.UNDATED: gettext_lazy("Settling; the payment provider has not named the day yet."),
    Reason.ARRIVING: gettext_lazy("Settled: it becomes available within minutes."),
}


def pending_reason(reason: Reason) -> str:
    """Return why pending money cannot be withdrawn yet."""
    return str(_PENDING_REASONS[reason])


_POSTINGS: Final = {
    "escrow_funded": gettext_lazy("The payment arrived and went into escrow"),
    "payment_unapplied": gettext_lazy("A payment arrived that fits no escrow"),
    "escrow_released": gettext_lazy("The escrow was released"),
    "settled": gettext_lazy("The money settled and became available"),
    "withdrawal_requested": gettext_lazy("Set aside for the withdrawal"),
    "withdrawal_paid": gettext_lazy("Paid to the bank"),
    "withdrawal_returned": gettext_lazy("Sent back by the bank"),
    "withdrawal_failed": gettext_lazy("Made available again after the withdrawal failed"),
    "withdrawal_cancelled": gettext_lazy("Made available again after the withdrawal was cancelled"),
    "refund_requested": gettext_lazy("Set aside for the refund"),
    "refund_paid": gettext_lazy("The refund was sent"),
    "refund_returned": gettext_lazy("The refund was sent back by the bank"),
    "refund_failed": gettext_lazy("The refund failed and its money went back"),
    "refund_retried": gettext_lazy("The refund is tried again"),
    "share_contested": gettext_lazy("A part of the share was held"),
    "share_freed": gettext_lazy("The held part of the share was freed"),
    "loss_booked": gettext_lazy("The loss was divided between those who bear it"),
    "loss_covered": gettext_lazy("Covered what the bank took back"),
    "loss_reversed": gettext_lazy("The loss was reversed"),
    "receivable_written_off": gettext_lazy("What was owed was written off"),
    "chargeback_withdrawn": gettext_lazy("The bank took the contested amount"),
    "chargeback_reinstated": gettext_lazy("The bank gave the contested amount back"),
    "adjustment": gettext_lazy("Adjustment by our finance team"),
    "transfer_reversed": gettext_lazy("The transfer was taken back"),
    "adjustment_transferred": gettext_lazy("The adjustment was transferred"),
    "adjustment_available": gettext_lazy("The adjustment became available"),
    "adjustment_reversed": gettext_lazy("The adjustment was taken back at the payment provider"),
}


def posting_kind(kind: str) -> str:
    """Return the label of a ledger transaction's kind."""
    known = _POSTINGS.get(kind)
    return str(known) if known is not None else kind.replace("_", " ").capitalize()


def posting(posted: Posted, about: HistoryRow) -> PostingView:
    """Return the view of a ledger transaction for the owner of the history row that it belongs to."""
    return PostingView(posting_kind(posted.kind), posted, [_leg(leg, about) for leg in posted.legs])


def _leg(leg: Leg, about: HistoryRow) -> LegView:
    is_taken = leg.amount.amount_minor < 0
    return LegView(_account(leg.account, about), -leg.amount if is_taken else None, None if is_taken else leg.amount)


def _account(code: str, about: HistoryRow) -> str:
    """Return the label of a ledger account for the row's owner."""
    kind, number, *place = [*code.split(":"), "", ""]
    if kind == "user":
        return _wallet_place(place[0], is_own=number == str(about.user_id), about=about)
    words = {
        "escrow": _("Escrow of this task"),
        "refund": _("Set aside for the refund"),
        "unapplied": _("Payments that are looked at"),
        "contested": _("Held part of the share"),
        "chargeback": _("Taken by the cardholder's bank"),
    }
    if kind == "platform":
        return _("Platform fee") if number == "fees" else _("The platform")
    if kind == "provider":
        return _("Your bank, through the payment provider") if place[0] == "account" else _("The payment provider")
    return words.get(kind, code)


def _wallet_place(place: str, *, is_own: bool, about: HistoryRow) -> str:
    if not is_own:
        name = _other_party(about)
        return _("Wallet of %(name)s") % {"name": name} if name else _("The freelancer's wallet")
    words = {
        "pending": _("Your pending balance"),
        "available": _("Your available balance"),
        "withdrawing": _("On its way to you"),
        "receivable": _("What you owe"),
        "paid_ahead": _("Paid out before it was available here"),
    }
    return words.get(place, place)


_LINES: Final = {
    "escrow_funded": gettext_lazy("Paid into escrow"),
    "escrow_released": gettext_lazy("Released from escrow"),
    "withdrawal_paid": gettext_lazy("Paid out to you"),
    "withdrawal_returned": gettext_lazy("Sent back to your wallet"),
    "refund_requested": gettext_lazy("Refund begun"),
    "refund_failed": gettext_lazy("Refund failed, back in escrow"),
    "loss_booked": gettext_lazy("Went back to the client"),
}


def statement_line(kind: str, *, is_wallet: bool) -> str:
    """Return the label of one line of a statement."""
    if is_wallet and kind == "escrow_released":
        return _("Earned")
    known = _LINES.get(kind)
    return str(known) if known is not None else posting_kind(kind)


_PLACES: Final = {
    "pending": gettext_lazy("Pending"),
    "available": gettext_lazy("Available"),
    "withdrawing": gettext_lazy("On its way to you"),
    "escrow": gettext_lazy("In escrow"),
}


def statement_place(name: str) -> str:
    """Return the label of one of the balances that a statement adds up."""
    return str(_PLACES[name])

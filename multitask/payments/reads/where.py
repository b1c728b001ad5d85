"""Where each cent of an escrow is, and why it is not further: one reason, with its date and its person."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.escrow import refund_payouts
from multitask.payments.models import ConnectedAccount, Escrow
from multitask.payments.payouts import onboarding
from multitask.payments.reads import allocation, contested_reasons, pending_reasons, waiting_payouts
from multitask.payments.reads.allocation import Facts, Place
from multitask.payments.reads.pending_reasons import PendingShare
from multitask.payments.states import EscrowState, MilestoneState
from multitask.users.actor import Actor, Role


class Reason(StrEnum):
    """Why money is not further than where it is. The values are part of the API."""

    DONE = "done"  # it has arrived for good
    CANCELLED = "cancelled"  # the escrow was closed before it was paid
    NOT_PAID = "not_paid"  # the client has to pay; otherwise the escrow is closed on `until`
    PAYMENT_PROCESSING = "payment_processing"  # the provider confirms the payment
    WORK_UNDER_WAY = "work_under_way"  # the freelancer has to deliver
    CONFIRMATION_DUE = "confirmation_due"  # the client has to confirm the work; silence does it on `until`
    RELEASE_DUE = "release_due"  # the client has to release; silence does it on `until`
    TASK_CANCELLED = "task_cancelled"  # the work was called off; the client can take the money back
    REFUND_REQUESTED = "refund_requested"  # the freelancer has to answer; silence accepts on `until`
    DISPUTED = "disputed"  # the staff has to settle the dispute
    SECOND_PERSON = "second_person"  # a decision of the staff waits for a second person
    CONTESTED = "contested"  # the cardholder's bank contests the payment and decides
    EVIDENCE_DUE = "evidence_due"  # the bank contests or asks about it; the staff has to answer by `until`
    LOSS_TO_BOOK = "loss_to_book"  # the bank has kept the money; the staff has to book who bears it
    REFUND_UNDER_WAY = "refund_under_way"  # the provider sends it to the client's card
    REFUND_AWAITS_DESTINATION = "refund_awaits_destination"  # to the client: add a payout destination to receive it
    # To the client: the payout destination does not take this amount; add another one.
    REFUND_NEEDS_OTHER_DESTINATION = "refund_needs_other_destination"
    REFUND_FAILED = "refund_failed"  # the refund did not arrive; the staff has to try again or give it up
    NO_ACCOUNT = "no_account"
    ENDED = "ended"
    MOVING = "moving"
    OUT_OF_REACH = "out_of_reach"
    INCOMPLETE = "incomplete"
    NO_BANK = "no_bank"
    CHECKED = "checked"
    REFUSED = "refused"
    SETTLING = "settling"
    UNDATED = "undated"
    ARRIVING = "arriving"
    AWAITS_PAYEE = "awaits_payee"  # to the client: something is missing at the freelancer's payout account
    NOT_WITHDRAWN = "not_withdrawn"  # the freelancer can withdraw it
    IDENTITY_MISSING = "identity_missing"  # the freelancer has to give the legal name and the national id number
    IDENTITY_UNCONFIRMED = "identity_unconfirmed"  # the staff has to confirm them
    IDENTITY_REJECTED = "identity_rejected"  # the freelancer has to correct them
    DESTINATION_MISSING = "destination_missing"  # the freelancer has to add a payout destination
    DESTINATION_COOLING_DOWN = "destination_cooling_down"  # the withdrawal leaves on `until`: its destination is new
    AWAITS_REVIEW = "awaits_review"  # the staff checks the withdrawal before it leaves
    AWAITS_BUDGET = "awaits_budget"  # the staff has to top up the budget of payouts
    WITHDRAWAL_UNDER_WAY = "withdrawal_under_way"  # it is on its way to the freelancer's bank
    REVERSED = "reversed"  # the transfer was reversed at the provider; the staff has to decide
    TRANSFER_AGAIN = "transfer_again"  # it is transferred to the payout account again
    OTHER = "other"  # several reasons: what is too much to be listed one by one


class Party(StrEnum):
    """Who has to act so that money moves on. The values are part of the API."""

    CLIENT = "client"
    FREELANCER = "freelancer"
    STAFF = "staff"
    PROVIDER = "provider"
    BANK = "bank"


_DEPENDS_ON: Final = {
    Reason.NOT_PAID: Party.CLIENT,
    Reason.PAYMENT_PROCESSING: Party.PROVIDER,
    Reason.WORK_UNDER_WAY: Party.FREELANCER,
    Reason.CONFIRMATION_DUE: Party.CLIENT,
    Reason.RELEASE_DUE: Party.CLIENT,
    Reason.TASK_CANCELLED: Party.CLIENT,
    Reason.REFUND_REQUESTED: Party.FREELANCER,
    Reason.DISPUTED: Party.STAFF,
    Reason.SECOND_PERSON: Party.STAFF,
    Reason.CONTESTED: Party.BANK,
    Reason.EVIDENCE_DUE: Party.STAFF,
    Reason.LOSS_TO_BOOK: Party.STAFF,
    Reason.REFUND_UNDER_WAY: Party.PROVIDER,
    Reason.REFUND_AWAITS_DESTINATION: Party.CLIENT,
    Reason.REFUND_NEEDS_OTHER_DESTINATION: Party.CLIENT,
    Reason.REFUND_FAILED: Party.STAFF,
    Reason.NO_ACCOUNT: Party.FREELANCER,
    Reason.ENDED: Party.FREELANCER,
    Reason.MOVING: Party.PROVIDER,
    Reason.OUT_OF_REACH: Party.STAFF,
    Reason.INCOMPLETE: Party.FREELANCER,
    Reason.NO_BANK: Party.FREELANCER,
    Reason.CHECKED: Party.PROVIDER,
    Reason.REFUSED: Party.STAFF,
    Reason.SETTLING: Party.PROVIDER,
    Reason.UNDATED: Party.PROVIDER,
    Reason.ARRIVING: Party.PROVIDER,
    Reason.AWAITS_PAYEE: Party.FREELANCER,
    Reason.NOT_WITHDRAWN: Party.FREELANCER,
    Reason.IDENTITY_MISSING: Party.FREELANCER,
    Reason.IDENTITY_UNCONFIRMED: Party.STAFF,
    Reason.IDENTITY_REJECTED: Party.FREELANCER,
    Reason.DESTINATION_MISSING: Party.FREELANCER,
    Reason.AWAITS_REVIEW: Party.STAFF,
    Reason.AWAITS_BUDGET: Party.STAFF,
    Reason.WITHDRAWAL_UNDER_WAY: Party.BANK,
    Reason.REVERSED: Party.STAFF,
    Reason.TRANSFER_AGAIN: Party.PROVIDER,
}
# What the client does not see in detail: the state of the freelancer's payout account.
_OF_PAYEE: Final = {
    Reason.NO_ACCOUNT,
    Reason.ENDED,
    Reason.MOVING,
    Reason.OUT_OF_REACH,
    Reason.INCOMPLETE,
    Reason.NO_BANK,
    Reason.CHECKED,
    Reason.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Where:
    """An amount, the place where it is, and why it is not further; `until` is when that ends by itself, if known."""

    place: Place
    amount: Money
    reason: Reason
    until: datetime | None = None

    @property
    def depends_on(self) -> Party | None:
        """Who has to act so that it moves on, or None."""
        return _DEPENDS_ON.get(self.reason)


@database.snapshot
def of_escrow(reader: Actor, escrow: Escrow, now: datetime) -> list[Where]:
    """Return where the money of an escrow is, as this reader may see it; the amounts add up to its total.

    One statement; while a share is pending or available a second one for the payee's account, or two for what is
    missing before the payee of a platform route can be paid, or one for a payout that the budget does not cover yet.
    """
    known = allocation.facts(escrow)
    return explained(
        reader, escrow, known, now, account=lambda: onboarding.account_of(escrow.freelancer_id, escrow.provider)
    )


def explained(
    reader: Actor, escrow: Escrow, known: Facts, now: datetime, *, account: Callable[[], ConnectedAccount | None]
) -> list[Where]:
    """Return where the money of an escrow is about which these facts are known.

    `account` returns the payee's account at the provider, which the places of the payee's share may depend on. On a
    connected route this makes no statement of its own.
    """
    is_payer = access.party(reader, escrow) is Role.CLIENT
    case = _Case(escrow, known, now, account, is_payer)
    return [_explained(case, part.place, part.amount) for part in allocation.places(escrow, known, is_payer=is_payer)]


@dataclass(frozen=True, slots=True)
class _Case:
    """An escrow that is explained, and for whom."""

    escrow: Escrow
    known: Facts
    now: datetime
    account: Callable[[], ConnectedAccount | None]
    is_payer: bool


def _explained(case: _Case, place: Place, amount: Money) -> Where:
    escrow, known, now = case.escrow, case.known, case.now
    if place is Place.UNPAID:
        is_open = escrow.state == EscrowState.PENDING_PAYMENT.value
        if not is_open:
            return Where(place, amount, Reason.CANCELLED)
        return Where(place, amount, Reason.NOT_PAID, escrow.payment_due_at)
    if place is Place.ESCROW:
        return Where(place, amount, *reason_in_escrow(_terms(escrow, known), now))
    if place is Place.PENDING:
        return Where(place, amount, *_pending(case))
    if place is Place.AVAILABLE:
        return Where(place, amount, _available(case))
    if place is Place.WITHDRAWING:
        return Where(place, amount, *_leaving(known, now))
    if place is Place.CONTESTED:
        return Where(place, amount, *_contested(case))
    reason = _reason(escrow, known, place)
    if reason is Reason.REFUND_UNDER_WAY and case.is_payer:
        obstacle = refund_payouts.obstacle(escrow, now)
        reason = reason if obstacle is None else Reason(obstacle.value)
    return Where(place, amount, reason)


def _reason(escrow: Escrow, known: Facts, place: Place) -> Reason:
    """Return the reason of the places that have no date."""
    if place is Place.PROVIDER:
        return Reason.PAYMENT_PROCESSING
    if place is Place.REFUNDING:
        return Reason.REFUND_FAILED if known.is_refund_failed else Reason.REFUND_UNDER_WAY
    if place is Place.RETURNED and (known.is_return_failed or known.is_returning):
        return Reason.REFUND_FAILED if known.is_return_failed else Reason.REFUND_UNDER_WAY
    return Reason.DONE


def _contested(case: _Case) -> tuple[Reason, datetime | None]:
    escrow, known, now = case.escrow, case.known, case.now
    is_frozen = escrow.frozen_at is not None
    held = pending_reasons.reason_of_held(known.contests, now, is_frozen=is_frozen, is_reversed=known.is_reversed)
    return Reason(held.value), pending_reasons.until(held, settles_at=None, contests=known.contests, now=now)


def reason_on_platform(user_id: int, currency: str, now: datetime) -> Reason:
    """Return why available money of a platform route was not withdrawn. Two statements."""
    missing = waiting_payouts.first_missing(user_id, currency, now)
    return Reason.NOT_WITHDRAWN if missing is None else Reason(missing.value)


def _leaving(known: Facts, now: datetime) -> tuple[Reason, datetime | None]:
    """Return why money that leaves has not arrived: as it is with the oldest of the payee's withdrawals."""
    if known.leaving_from is None or known.leaving_allotted_at is not None:
        return Reason.WITHDRAWAL_UNDER_WAY, known.arrives_at
    if known.leaving_from > now:
        return Reason.DESTINATION_COOLING_DOWN, known.leaving_from
    is_withheld = known.leaving_id is not None and not waiting_payouts.may_leave(known.leaving_id)
    return Reason.AWAITS_REVIEW if is_withheld else Reason.AWAITS_BUDGET, None


def _pending(case: _Case) -> tuple[Reason, datetime | None]:
    account = None if case.escrow.is_on_platform else case.account()
    share = _share(case.escrow, case.known)
    reason = Reason(pending_reasons.reason_of(share, account, case.now).value)
    if case.is_payer and reason in _OF_PAYEE:
        return Reason.AWAITS_PAYEE, None
    known = case.known
    ends_at = pending_reasons.until(reason, settles_at=known.settles_at, contests=known.contests, now=case.now)
    return reason, ends_at


def _available(case: _Case) -> Reason:
    """Return why available money was not withdrawn."""
    escrow = case.escrow
    if escrow.is_on_platform:
        return reason_on_platform(escrow.freelancer_id, escrow.currency, case.now)
    account = case.account()
    found = Reason(pending_reasons.reason_of(_share(escrow, case.known), account, case.now).value)
    return found if found in _OF_PAYEE else reason_of_available(account, escrow.currency)


def _share(escrow: Escrow, known: Facts) -> PendingShare:
    return PendingShare(
        currency=escrow.currency,
        settles_at=known.settles_at,
        is_frozen=escrow.frozen_at is not None,
        contests=known.contests,
        is_refused=known.is_refused,
        account_id=known.account_id,
        is_out_of_reach=known.is_out_of_reach,
        is_on_platform=escrow.is_on_platform,
    )


def _terms(escrow: Escrow, known: Facts) -> dict[str, Any]:
    """Return what decides why money is still in escrow, with the names of the wallet's query."""
    return {
        "is_frozen": escrow.frozen_at is not None,
        "contests": known.contests,
        "is_undecided": known.is_undecided,
        "state": escrow.state,
        "is_asked": known.is_refund_requested,
        "answer_by_at": known.answer_by_at,
        "milestone_state": escrow.milestone.state,
        "auto_release_at": escrow.auto_release_at,
    }


def reason_in_escrow(row: dict[str, Any], now: datetime) -> tuple[Reason, datetime | None]:
    """Return why money is still in escrow, and until when."""
    if row["is_frozen"]:
        found = contested_reasons.of(row["contests"], now)
        return Reason(found.reason.value), found.until
    if row["is_undecided"]:
        return Reason.SECOND_PERSON, None
    if row["state"] == EscrowState.DISPUTED.value:
        return Reason.DISPUTED, None
    if row["is_asked"]:
        return Reason.REFUND_REQUESTED, row["answer_by_at"]
    if row["milestone_state"] == MilestoneState.CANCELLED.value:
        return Reason.TASK_CANCELLED, None
    if row["milestone_state"] == MilestoneState.DELIVERED.value:
        return Reason.CONFIRMATION_DUE, row["auto_release_at"]
    if row["milestone_state"] == MilestoneState.COMPLETED.value:
        return Reason.RELEASE_DUE, row["auto_release_at"]
    return Reason.WORK_UNDER_WAY, None


def reason_of_available(account: ConnectedAccount | None, currency: str) -> Reason:
    """Return why available money is not withdrawn: something may be missing at the account, or it has ended."""
    if account is None:
        return Reason.NOT_WITHDRAWN
    if account.is_final:
        return Reason.OUT_OF_REACH if account.closed else Reason.ENDED
    if not account.onboarding_completed:
        return Reason(pending_reasons.reason_of_incomplete(account).value)
    return Reason.NOT_WITHDRAWN if account.has_bank_for(currency) else Reason.NO_BANK

"""Outcomes of withdrawals: the provider's state of a payout is applied to the withdrawal and the ledger."""

from datetime import datetime
from typing import Final

import structlog
from django.db.models import F, Q, QuerySet

from multitask import database
from multitask.payments.authorization import locks
from multitask.payments.books import audit, history, postings, shares
from multitask.payments.errors import Forbidden, NotFound, UnknownObject, WrongState
from multitask.payments.models import Withdrawal
from multitask.payments.operations import engine, references
from multitask.payments.provider import Disburses, Failure, PayoutStatus, PaysOut
from multitask.payments.provider import PayoutState as ProviderPayout
from multitask.payments.states import OPEN_WITHDRAWALS, HistoryStatus, WithdrawalState, may, require
from multitask.users import powers
from multitask.users.actor import Actor, Power

log = structlog.get_logger(__name__)

CREATE_PAYOUT: Final = "create_payout"
# In `provider_status` of a withdrawal that is over.
PAID_AFTER_RETURN: Final = "paid_after_return"
PAID_EXPLAINED: Final = "paid_explained"
_SYSTEM: Final = Actor.system("provider")


@database.transactional
def confirm(provider: str, state: ProviderPayout, now: datetime) -> None:
    """Apply the provider's state of a payout. Raises UnknownObject."""
    withdrawal = _known(provider, state)
    if withdrawal is None:
        raise UnknownObject(detail=state.id)
    apply(withdrawal, state, now)


def apply(withdrawal: Withdrawal, state: ProviderPayout, now: datetime) -> None:
    """Apply the provider's state to a withdrawal; the caller holds the locks of `lock_first`."""
    withdrawal.provider_payout_id = withdrawal.provider_payout_id or state.id
    withdrawal.arrival_at = state.arrival_at or withdrawal.arrival_at
    if is_open(withdrawal):
        withdrawal.provider_status = state.status.value
    if state.status is PayoutStatus.PAID:
        paid(withdrawal, now)
        _note_paid_twice(withdrawal, state, now)
    elif state.status is PayoutStatus.CANCELLED and is_open(withdrawal):
        cancelled(withdrawal, actor=_SYSTEM, now=now)
    elif state.status in {PayoutStatus.FAILED, PayoutStatus.CANCELLED}:
        fail(withdrawal, state.failure_code, state.failure_message, now)
    elif withdrawal.state == WithdrawalState.PENDING.value:
        withdrawal.state = WithdrawalState.PROCESSING.value
    withdrawal.save()


def _known(provider: str, state: ProviderPayout) -> Withdrawal | None:
    wanted = references.object_filter("provider_payout_id", state.id, state.reference, CREATE_PAYOUT)
    # A payout of another account is not this withdrawal, even if its reference matches.
    found = _with_account().filter(wanted, provider=provider, account__provider_account_id=state.account_id)
    return found.order_by("provider_payout_id").first()


def lock_first(wanted: Q) -> Withdrawal | None:
    """Lock and return the withdrawal that a condition selects, or None; the payee's balance is locked before it."""
    found = _with_account().filter(wanted).first()
    if found is not None:
        return found
    payee = Withdrawal.objects.filter(wanted, account=None).values_list("pk", "user_id", "provider").first()
    if payee is None:
        return None
    locks.lock_payee(payee[1], payee[2], is_on_platform=True)
    return Withdrawal.objects.select_for_update(no_key=True).filter(wanted, pk=payee[0]).first()


def lock(withdrawal_id: int) -> Withdrawal:
    """Lock and return a withdrawal."""
    found = lock_first(Q(pk=withdrawal_id))
    assert found is not None  # noqa: S101
    return found


def _with_account() -> QuerySet[Withdrawal]:
    """Select withdrawals from accounts, locked after the account: what fails becomes available, less what was ahead."""
    rows = Withdrawal.objects.select_for_update(no_key=True, of=("account", "self")).select_related("account")
    # The condition makes it an inner join, which PostgreSQL requires for this lock.
    return rows.filter(account__provider=F("provider"))


def paid(withdrawal: Withdrawal, now: datetime) -> None:
    """Complete a withdrawal that is not over; the caller holds the locks of `lock_first` and saves it."""
    if not may(WithdrawalState(withdrawal.state), WithdrawalState.COMPLETED):
        return
    withdrawal.state = WithdrawalState.COMPLETED.value
    withdrawal.processed_at = now
    history.withdrawal_became(withdrawal, HistoryStatus.COMPLETED, now)
    _record("withdrawal_completed", withdrawal, now)
    withdrawal.paid_posting_id = postings.pay_withdrawal(withdrawal, now).id


def _note_paid_twice(withdrawal: Withdrawal, state: ProviderPayout, now: datetime) -> None:
    """Record once that a payout from the budget was paid after its money was given back: finance has to explain it."""
    is_closed = withdrawal.state in {WithdrawalState.FAILED.value, WithdrawalState.CANCELLED.value}
    is_noted = withdrawal.provider_status in {PAID_AFTER_RETURN, PAID_EXPLAINED}
    if withdrawal.account_id is not None or not is_closed or is_noted:
        return
    withdrawal.provider_status = PAID_AFTER_RETURN
    log.critical("paid_after_return", withdrawal=withdrawal.pk, provider_payout=state.id)
    _record("withdrawal_paid_after_return", withdrawal, now, note=state.id)


def paid_after_return() -> QuerySet[Withdrawal]:
    """Select the withdrawals that were paid after their money was given back, and that nobody has explained."""
    returned = [WithdrawalState.FAILED.value, WithdrawalState.CANCELLED.value]
    return Withdrawal.objects.filter(account=None, state__in=returned, provider_status=PAID_AFTER_RETURN)


def needs_explanation(withdrawal: Withdrawal) -> bool:
    """Return whether a withdrawal is one of `paid_after_return`."""
    return withdrawal.provider_status == PAID_AFTER_RETURN


@database.transactional
def explain(*, actor: Actor, withdrawal_id: int, note: str, now: datetime) -> Withdrawal:
    """Record why a withdrawal was paid after its money was given back, as finance; its owner can withdraw again then.

    One that is explained already is returned. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff explains payouts."))
    withdrawal = lock_first(Q(pk=withdrawal_id, account=None))
    if withdrawal is None:
        raise NotFound("There is no such withdrawal.")
    if actor.is_user(withdrawal.user_id):
        raise Forbidden("You cannot explain a payout to yourself.")
    if withdrawal.provider_status == PAID_EXPLAINED:
        return withdrawal
    if not note.strip():
        raise WrongState("An explanation needs a reason.")
    if withdrawal.provider_status != PAID_AFTER_RETURN:
        raise WrongState("There is nothing to explain about this withdrawal.")
    withdrawal.provider_status = PAID_EXPLAINED
    withdrawal.save(update_fields=["provider_status"])
    _record("withdrawal_paid_explained", withdrawal, now, actor=actor, note=note)
    return withdrawal


def fail(withdrawal: Withdrawal, code: str, reason: str, now: datetime) -> None:
    """Make the money available again and record the reason; the caller holds the locks and saves the withdrawal."""
    if not may(WithdrawalState(withdrawal.state), WithdrawalState.FAILED):
        return
    posting_id = withdrawal.paid_posting_id
    withdrawal.state = WithdrawalState.FAILED.value
    withdrawal.failed_at = now
    withdrawal.failure_code = code
    withdrawal.failure_reason = _explained(withdrawal, code, reason).sentence
    history.withdrawal_became(withdrawal, HistoryStatus.FAILED, now, reason=withdrawal.failure_reason)
    _record("withdrawal_failed", withdrawal, now, note=withdrawal.failure_reason)
    if posting_id is not None:
        postings.unpay_withdrawal(withdrawal, posting_id, now)
    postings.release_withdrawal(withdrawal, shares.paid_ahead(withdrawal.user_id, withdrawal.amount), now)


def is_open(withdrawal: Withdrawal) -> bool:
    """Return whether its money is still set aside: neither paid nor available again."""
    return WithdrawalState(withdrawal.state) in OPEN_WITHDRAWALS


def cancelled(withdrawal: Withdrawal, *, actor: Actor, now: datetime) -> None:
    """Make the money of an open withdrawal available again; the caller holds the locks of `lock_first` and saves it.

    The caller knows that the payout was never sent, or that the provider has cancelled it. Raises WrongStep.
    """
    require(WithdrawalState(withdrawal.state), WithdrawalState.CANCELLED)
    withdrawal.state = WithdrawalState.CANCELLED.value
    withdrawal.cancelled_at = now
    history.withdrawal_became(withdrawal, HistoryStatus.CANCELLED, now)
    _record("withdrawal_cancelled", withdrawal, now, actor=actor)
    postings.cancel_withdrawal(withdrawal, shares.paid_ahead(withdrawal.user_id, withdrawal.amount), now)


def _record(event: str, withdrawal: Withdrawal, now: datetime, *, actor: Actor = _SYSTEM, note: str = "") -> None:
    audit.record(
        event,
        actor=actor,
        now=now,
        withdrawal=withdrawal,
        user_id=withdrawal.user_id,
        amount=withdrawal.amount,
        note=note,
    )


def _explained(withdrawal: Withdrawal, code: str, reason: str) -> Failure:
    if withdrawal.account_id is None:
        return engine.provider_for(withdrawal.provider, Disburses).payout_failure(code, reason)
    return engine.provider_for(withdrawal.provider, PaysOut).payout_failure(code, reason)


def needs_new_details(withdrawal: Withdrawal) -> bool:
    """Return whether the owner has to change the bank details before a retry."""
    return _explained(withdrawal, withdrawal.failure_code, withdrawal.failure_reason).needs_new_details

"""Cancellation of a withdrawal, as long as the money has not left: by its owner, by finance, or by itself.

A payout that was certainly never sent is undone at once. One that is, or may be, at the provider is cancelled there by
an operation, and the provider's answer decides.
"""

from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from multitask import database
from multitask.payments.authorization import access
from multitask.payments.authorization.access import Identifier
from multitask.payments.books import audit
from multitask.payments.errors import (
    Forbidden,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
    WithdrawalLeft,
    WrongState,
)
from multitask.payments.models import Disbursement, Operation, Withdrawal
from multitask.payments.operations import engine, send_deadline
from multitask.payments.payouts import budget, disbursements, withdrawal_outcomes
from multitask.payments.payouts.withdrawal_outcomes import CREATE_PAYOUT
from multitask.payments.provider import (
    ABSENT,
    Found,
    PayoutState,
    PayoutStatus,
    PaysOut,
    Provider,
    ProviderError,
    Rejected,
    Search,
    Unavailable,
    supporting,
)
from multitask.payments.states import OperationState, WithdrawalState
from multitask.users import powers
from multitask.users.actor import Actor, Power

CANCEL_PAYOUT: Final = "cancel_payout"
CALLED_OFF: Final = "called_off"
NOTHING_TO_CANCEL: Final = "nothing_to_cancel"
_FINAL: Final = frozenset({PayoutStatus.PAID, PayoutStatus.FAILED, PayoutStatus.CANCELLED})


def may_be_asked(withdrawal: Withdrawal) -> bool:
    """Return whether a cancellation is offered: the money is not known to have left, and none was asked for yet.

    A payout from the budget can only be called off while it waits.
    """
    is_possible = _may_not_have_left(withdrawal) and withdrawal.cancellation_asked_at is None
    return is_possible and (withdrawal.account_id is not None or disbursements.is_waiting(withdrawal))


def _may_not_have_left(withdrawal: Withdrawal) -> bool:
    is_pending = withdrawal.provider_status in {"", PayoutStatus.PENDING.value}
    return withdrawal_outcomes.is_open(withdrawal) and is_pending and withdrawal.cancellation_refused_at is None


def cancel(*, actor: Actor, withdrawal_id: Identifier, now: datetime) -> Withdrawal:
    """Cancel a withdrawal, as its owner; a repeated request has the same result.

    The returned withdrawal is cancelled, or still open while the provider's answer is outstanding; the operation goes
    on in that case. Raises NotFound, WrongState, or WithdrawalLeft if the money has left.
    """
    # Taken before the claim is committed, since the process may be paused during the commit.
    began = send_deadline.moment()
    withdrawal, call = _prepare(actor, withdrawal_id, now)
    if call is None:
        return withdrawal
    try:
        engine.answered(call, now=now, began=began)
    except ProviderUnavailable:
        withdrawal.refresh_from_db()
        return withdrawal
    except ProviderRefused:
        pass  # What the refusal means is on the withdrawal: it was never sent, or it has left.
    withdrawal.refresh_from_db()
    if withdrawal.state != WithdrawalState.CANCELLED.value:
        _require_not_left(withdrawal)
    return withdrawal


@database.transactional
def _prepare(actor: Actor, withdrawal_id: Identifier, now: datetime) -> tuple[Withdrawal, engine.Call | None]:
    """Cancel a payout that was never sent; return the call that is to be made for any other."""
    withdrawal = _locked(actor, withdrawal_id)
    if withdrawal.state == WithdrawalState.CANCELLED.value:
        return withdrawal, None
    _require_not_left(withdrawal)
    if _was_undone(withdrawal, actor, now):
        return withdrawal, None
    if withdrawal.account is None:
        # A payout from the budget cannot be called back once it may have been sent.
        raise WithdrawalLeft
    asked = engine.latest(CANCEL_PAYOUT, withdrawal.pk)
    if asked is not None:
        return withdrawal, engine.Call(asked)
    withdrawal.cancellation_asked_at = now
    withdrawal.save(update_fields=["cancellation_asked_at"])
    _record("withdrawal_cancel_asked", withdrawal, actor, now)
    call = engine.begin_claimed(
        CANCEL_PAYOUT,
        subject_id=withdrawal.pk,
        provider=withdrawal.provider,
        user_id=withdrawal.user_id,
        now=now,
        arguments={"account_id": withdrawal.account.provider_account_id},
    )
    return withdrawal, call


def to_removed_destinations() -> list[int]:
    """Return the ids of waiting withdrawals whose destination its owner removed, or replaced during its cool-down."""
    waiting = budget.to_removed(Disbursement.objects.filter(withdrawal__isnull=False))
    return [found for found in waiting.order_by("pk").values_list("withdrawal_id", flat=True) if found is not None]


def call_off_misled(*, withdrawal_id: int, now: datetime) -> Withdrawal:
    """Call off one of `to_removed_destinations`, and record whether its destination was removed or replaced.

    Raises as `call_off`.
    """
    payout = Disbursement.objects.select_related("destination").get(withdrawal=withdrawal_id)
    is_replaced = budget.was_replaced(payout.destination)
    return call_off(
        actor=Actor.system("destination_replaced" if is_replaced else "destination_removed"),
        withdrawal_id=withdrawal_id,
        note="The destination was replaced." if is_replaced else "The destination was removed.",
        now=now,
    )


@database.transactional
def call_off(*, withdrawal_id: int, actor: Actor, now: datetime, note: str = "") -> Withdrawal:
    """Call off a withdrawal that waits, as finance staff or by itself; its money is available to its owner again.

    One that is cancelled already is returned. Raises Forbidden, ProofNeeded, NotFound, WrongState or WithdrawalLeft.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff calls withdrawals off."))
    withdrawal = withdrawal_outcomes.lock_first(Q(pk=withdrawal_id, account=None))
    if withdrawal is None:
        raise NotFound("There is no such withdrawal.")
    if withdrawal.state == WithdrawalState.CANCELLED.value:
        return withdrawal
    if actor.is_user(withdrawal.user_id):
        raise Forbidden("You cannot call your own withdrawal off as staff.")
    _require_not_left(withdrawal)
    if not _was_undone(withdrawal, actor, now):
        raise WithdrawalLeft
    _record("withdrawal_called_off", withdrawal, actor, now, note=note)
    return withdrawal


def _locked(actor: Actor, withdrawal_id: Identifier) -> Withdrawal:
    mine = access.visible_withdrawals(actor).filter(access.by_id(withdrawal_id)).values("pk")
    found = withdrawal_outcomes.lock_first(Q(pk__in=mine))
    if found is None:
        raise NotFound("There is no such withdrawal.")
    return found


def _require_not_left(withdrawal: Withdrawal) -> None:
    """Raise WrongState if the withdrawal has failed, WithdrawalLeft if its money is on its way or was paid."""
    if withdrawal.state == WithdrawalState.FAILED.value:
        raise WrongState("This withdrawal has failed; its money is available again.")
    if not _may_not_have_left(withdrawal):
        raise WithdrawalLeft


def _was_undone(withdrawal: Withdrawal, actor: Actor, now: datetime) -> bool:
    """Cancel a payout that was certainly never sent; return False if it may have been sent."""
    if withdrawal.provider_payout_id is not None:
        return False
    if withdrawal.account is None:
        if not disbursements.call_off(withdrawal, now):
            return False
    else:
        creation = engine.latest(CREATE_PAYOUT, withdrawal.pk)
        if creation is None or not engine.withdraw(creation, code=CALLED_OFF, now=now):
            return False
    withdrawal_outcomes.cancelled(withdrawal, actor=actor, now=now)
    withdrawal.save(update_fields=["state", "cancelled_at"])
    return True


def _record(event: str, withdrawal: Withdrawal, actor: Actor, now: datetime, *, note: str = "") -> None:
    audit.record(
        event,
        actor=actor,
        now=now,
        withdrawal=withdrawal,
        user_id=withdrawal.user_id,
        amount=withdrawal.amount,
        note=note,
    )


class CancelPayout:
    """Performs `cancel_payout`."""

    def call(self, provider: Provider, operation: Operation) -> PayoutState:
        """Cancel the payout. Its id is unknown while the outcome of its creation is."""
        withdrawal = Withdrawal.objects.get(pk=operation.subject_id)
        if withdrawal.provider_payout_id is None:
            raise _not_there(withdrawal, operation)
        return supporting(provider, PaysOut).cancel_payout(
            account_id=operation.arguments["account_id"], payout_id=withdrawal.provider_payout_id, key=operation.key
        )

    def find(self, provider: Provider, operation: Operation) -> Search[PayoutState]:
        """Return the payout's state if it is final."""
        withdrawal = Withdrawal.objects.get(pk=operation.subject_id)
        if withdrawal.provider_payout_id is None:
            return ABSENT
        state = supporting(provider, PaysOut).read_payout(
            account_id=operation.arguments["account_id"], payout_id=withdrawal.provider_payout_id
        )
        return Found(state) if state.status in _FINAL else ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it."""
        withdrawal_outcomes.confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Return the money if the payout was never sent; otherwise record that the money had left."""
        withdrawal = withdrawal_outcomes.lock(operation.subject_id)
        if not withdrawal_outcomes.is_open(withdrawal):
            return
        if error.code == NOTHING_TO_CANCEL:
            withdrawal_outcomes.cancelled(withdrawal, actor=Actor.system("provider"), now=now)
        else:
            withdrawal.cancellation_refused_at = now
            note = f"{error.code}: {error.message}"
            _record("withdrawal_cancel_refused", withdrawal, Actor.system("provider"), now, note=note)
        withdrawal.save()

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""


def _not_there(withdrawal: Withdrawal, operation: Operation) -> ProviderError:
    """Return why there is no payout to cancel. One that was never sent is not sent any more."""
    creation = engine.latest(CREATE_PAYOUT, withdrawal.pk)
    now = operation.sent_at or operation.created_at
    if creation is None or creation.state == OperationState.FAILED.value:
        return Rejected(NOTHING_TO_CANCEL, "The payout was never created.")
    if engine.withdraw(creation, code=CALLED_OFF, now=now):
        return Rejected(NOTHING_TO_CANCEL, "The payout was never created.")
    return Unavailable("awaits_creation", "The payout's creation is not answered yet.")

"""Commands of the staff outside the flow of a payment: retry calls, change staff roles, close accounts, remove a
second factor.

Each writes an audit event with the given reason.
"""

from datetime import datetime

from multitask import database
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import Operation
from multitask.payments.operations import engine, queue, sweeper
from multitask.payments.states import OPEN_OPERATIONS, OperationState
from multitask.users import accounts, powers, second_factor
from multitask.users.actor import Actor, Power
from multitask.users.models import User


@database.transactional
def retry_operation(*, actor: Actor, operation_id: int, note: str, now: datetime) -> Operation:
    """Queue an open operation for an immediate attempt, as finance staff.

    The attempt uses the same idempotency key, so a needless retry has no effect at the provider. An operation with
    a waiting reason is sent only if that reason no longer holds. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff can retry a call at the provider."))
    operation = Operation.objects.select_for_update(no_key=True, of=("self",)).filter(pk=operation_id).first()
    if operation is None:
        raise NotFound("There is no such operation.")
    if OperationState(operation.state) not in OPEN_OPERATIONS:
        raise WrongState(f"This operation is {operation.state}; it cannot be retried.")
    operation.next_attempt_at = now + engine.CLAIM
    if operation.hold == engine.OUTCOME_UNKNOWN:
        # One more search; it is held again if that is inconclusive too.
        operation.hold = ""
    operation.save(update_fields=["next_attempt_at", "hold"])
    details = {"operation": operation.reference, "state": operation.state, "attempts": operation.attempts}
    audit.record(
        "operation_retried",
        actor=actor,
        now=now,
        escrow=operation.escrow,
        user_id=operation.user_id,
        note=note,
        details=details,
    )
    queue.defer(queue.PERFORM, operation_id=operation.pk)
    return operation


@database.transactional
def sweep_operations(*, actor: Actor, note: str, now: datetime) -> int:
    """Queue every overdue operation now, as finance staff; return how many. Raises Forbidden or ProofNeeded."""
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff can retry the overdue calls at the provider."))
    swept = sweeper.sweep(now=now)
    audit.record("operations_swept", actor=actor, now=now, note=note, details={"operations": swept})
    return swept


@database.transactional
def set_staff_role(*, actor: Actor, user_id: int, staff_role: str, note: str, now: datetime) -> User:
    """Grant, change or remove a staff role, as an administrator. Raises what `accounts.set_staff_role` raises."""
    before = User.objects.filter(pk=user_id).values_list("staff_role", flat=True).first() or ""
    user = accounts.set_staff_role(actor=actor, now=now, user_id=user_id, staff_role=staff_role)
    details = {"from": before or "none", "to": staff_role or "none"}
    audit.record("staff_role_set", actor=actor, now=now, user_id=user_id, note=note, details=details)
    return user


@database.transactional
def set_active(*, actor: Actor, user_id: int, is_active: bool, note: str, now: datetime) -> User:
    """Close or reopen an account, as an administrator. Raises NotAllowed or UnknownUser."""
    change = accounts.reactivate if is_active else accounts.deactivate
    user = change(actor=actor, now=now, user_id=user_id)
    event = "account_reopened" if is_active else "account_closed"
    audit.record(event, actor=actor, now=now, user_id=user_id, note=note)
    return user


@database.transactional
def remove_second_factor(*, actor: Actor, user_id: int, note: str, now: datetime) -> None:
    """Remove the second factor of a user who lost it, as an administrator. Raises NotAllowed or UnknownUser."""
    second_factor.remove(actor=actor, now=now, user_id=user_id)
    audit.record("second_factor_removed", actor=actor, now=now, user_id=user_id, note=note)

"""Operations that are held: performed once what they wait for is there, or settled by staff."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from multitask import database
from multitask.payments.models import Operation
from multitask.payments.operations import engine, queue
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.provider import ProviderError
from multitask.payments.states import OPEN_OPERATIONS, OperationState


def retry(operation_ids: Iterable[int], *, now: datetime) -> None:
    """Perform held operations now, in this order, in the caller's transaction, which has removed what they wait for."""
    wanted = list(operation_ids)
    Operation.objects.filter(pk__in=wanted).exclude(hold=OUTCOME_UNKNOWN).update(hold="", next_attempt_at=now)
    for operation_id in wanted:
        queue.defer(queue.PERFORM, operation_id=operation_id)


@database.transactional
def retry_waiting(user_id: int, *, now: datetime) -> int:
    """Retry operations that wait for this user's account or chargeback; return how many."""
    held = list(
        Operation.objects.select_for_update(no_key=True)
        .filter(user_id=user_id, state__in=[s.value for s in OPEN_OPERATIONS])
        .exclude(hold__in=["", OUTCOME_UNKNOWN])
        .order_by("pk")
    )
    for operation in held:
        queue.defer(queue.PERFORM, operation_id=operation.pk)
    Operation.objects.filter(pk__in=[operation.pk for operation in held]).update(hold="", next_attempt_at=now)
    return len(held)


def hold_for_staff(kind: str, subject_id: int, *, code: str, message: str) -> None:
    """Hold the latest call on a subject until staff decides, also one that was accepted, in the caller's transaction.

    The provider reports something about its object that cannot be. One that was accepted keeps `finished_at`.
    """
    call = engine.latest(kind, subject_id)
    if call is not None:
        Operation.objects.filter(pk=call.pk).exclude(state=OperationState.FAILED.value).update(
            state=OperationState.UNKNOWN.value,
            hold=OUTCOME_UNKNOWN,
            next_attempt_at=None,
            last_error_code=code,
            last_error=message,
        )


def end(kind: str, subject_id: int, *, is_success: bool, reference: str, code: str, now: datetime) -> bool:
    """End the latest call on a subject as staff found out, in the caller's transaction, if it is still open.

    `reference` is the provider's id after a success, `code` the reason otherwise. Return False if the call is being
    made at this moment; the caller has to roll back then.
    """
    call = engine.latest(kind, subject_id)
    if call is None or OperationState(call.state) not in OPEN_OPERATIONS:
        return True
    waiting = Operation.objects.filter(
        pk=call.pk, state__in=[OperationState.PENDING.value, OperationState.UNKNOWN.value]
    )
    state = OperationState.SUCCEEDED if is_success else OperationState.FAILED
    given = {"provider_reference": reference, "last_error_code": ""} if is_success else {"last_error_code": code}
    return waiting.update(**given, state=state.value, finished_at=now, next_attempt_at=None, hold="") == 1


def settle(operation: Operation, outcome: Any, *, now: datetime) -> bool:
    """Apply what staff found out about an operation of unknown outcome, in the caller's transaction.

    `outcome` is the provider's object, or the ProviderError for a call that certainly had no effect. Return False if
    the operation does not wait for staff any more; the caller has to roll back then. The handler comes first to keep
    the lock order.
    """
    handler = engine.handler_of(operation.kind)
    if isinstance(outcome, ProviderError):
        handler.failed(operation, outcome, now)
        ended = {"state": OperationState.FAILED.value, "last_error_code": outcome.code, "last_error": outcome.message}
    else:
        reference = handler.succeeded(operation, outcome, now)
        ended = {"state": OperationState.SUCCEEDED.value, "provider_reference": reference}
        ended |= {"last_error_code": "", "last_error": ""}
    undecided = Operation.objects.filter(
        pk=operation.pk, hold=OUTCOME_UNKNOWN, state__in=[state.value for state in OPEN_OPERATIONS]
    )
    return undecided.update(**ended, finished_at=now, next_attempt_at=None, hold="") == 1

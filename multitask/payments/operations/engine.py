"""Intent, call, outcome: every call at a provider takes effect exactly once.

`begin` writes the intent in the command's transaction and defers its job. `perform` claims the operation in a
transaction of its own, calls the provider outside any transaction, and commits the outcome. It may run several times,
also concurrently: outcomes are applied idempotently, and two independent measures keep a call from taking effect twice:

- the provider's idempotency key, for as long as the provider remembers it;
- before each attempt that follows one of unknown outcome, its object is searched for at the provider.

A provider without idempotency keys leaves only the second: after an attempt of unknown outcome nothing is sent again
unless the provider is certain that the object does not exist. While it cannot tell, the search is repeated; after
`attempt.MOST_SEARCHES`, or at once where the provider has no search, the operation waits for staff.

Neither measure depends on a clock, since clocks can be wrong. A new key is used only once the provider has shown
that the old one has no further effect. An attempt that was paused sends nothing after its claim has expired.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import structlog
from django.conf import settings

from multitask import database
from multitask.payments.errors import ProviderRefused, ProviderUnavailable
from multitask.payments.models import Escrow, Operation
from multitask.payments.operations import attempt, direct_calls, queue, retries, send_deadline
from multitask.payments.operations.attempt import TakenOver, Undecided, claimed_by
from multitask.payments.operations.handler import Handler
from multitask.payments.operations.send_deadline import Moment
from multitask.payments.provider import Provider, ProviderError, Rejected, Unavailable, Unknown, supporting
from multitask.payments.states import OPEN_OPERATIONS, OperationState, require

log = structlog.get_logger(__name__)

Wanted = TypeVar("Wanted")

CLAIM: Final = attempt.CLAIM
PAUSE_SECONDS: Final = 0.05
_OPEN: Final = [state.value for state in OPEN_OPERATIONS]
# Why an operation waits for staff: the provider cannot tell whether an earlier attempt had its effect.
OUTCOME_UNKNOWN: Final = "outcome_unknown"


_HANDLERS: dict[str, Handler] = {}
_provider: Callable[[str], Provider] | None = None
_configured: Callable[[], Sequence[Provider]] = tuple


def install(handlers: Mapping[str, Handler]) -> None:
    """Set the handlers of kinds of operations; see `payments.operation_handlers`."""
    _HANDLERS.update(handlers)


def handler_of(kind: str) -> Handler:
    """Return the handler of a kind of operations."""
    return _HANDLERS[kind]


def connect(provider: Callable[[str], Provider], configured: Callable[[], Sequence[Provider]] | None = None) -> None:
    """Register the functions that return a provider by name and all that are configured, the usual one first.

    `multitask.providers` does so when Django starts.
    """
    global _provider, _configured
    _provider, _configured = provider, configured or _configured


def provider_named(name: str) -> Provider:
    """Return the provider with that name."""
    if _provider is None:
        raise RuntimeError("no provider is connected; is multitask.providers installed?")
    return _provider(name)


def configured_providers() -> Sequence[Provider]:
    """Return all providers that are configured, the one that is used by default first."""
    return _configured()


def provider_for(name: str, wanted: type[Wanted]) -> Wanted:
    """Return the provider with that name as one that has a protocol. Raises NotSupported."""
    return supporting(provider_named(name), wanted)


def begin(
    kind: str,
    *,
    subject_id: int,
    provider: str,
    now: datetime,
    escrow: Escrow | None = None,
    user_id: int | None = None,
    sequence: int = 1,
    arguments: dict[str, Any] | None = None,
    hold: str = "",
) -> Operation:
    """Write the intent and the job that performs it inside the caller's transaction.

    The caller holds the subject's lock and has seen that there is no such operation yet. With `hold`, the reason why it
    has to wait, there is no job: `retry_held` performs it later.
    """
    operation = _new(kind, subject_id, provider, now, escrow, user_id, sequence, arguments)
    if not hold:
        return queue.insert_with_job(operation)
    operation.hold = hold
    operation.save(force_insert=True)
    return operation


def begin_claimed(
    kind: str,
    *,
    subject_id: int,
    provider: str,
    now: datetime,
    escrow: Escrow | None = None,
    user_id: int | None = None,
    sequence: int = 1,
    arguments: dict[str, Any] | None = None,
) -> "Call":
    """Write the intent of a call that the caller makes itself right after its commit, since a user is waiting.

    The operation is claimed from the start; the sweeper performs what a crash leaves behind. The caller has taken
    `send_deadline.moment()` before its transaction, and hands it to `answered`.
    """
    operation = _new(kind, subject_id, provider, now, escrow, user_id, sequence, arguments)
    _mark_sent(operation, now)
    operation.save(force_insert=True)
    return Call(operation, is_claimed=True)


def _new(
    kind: str,
    subject_id: int,
    provider: str,
    now: datetime,
    escrow: Escrow | None,
    user_id: int | None,
    sequence: int,
    arguments: dict[str, Any] | None,
) -> Operation:
    return Operation(
        kind=kind,
        subject_id=subject_id,
        sequence=sequence,
        provider=provider,
        escrow=escrow,
        user_id=user_id,
        arguments=arguments or {},
        created_at=now,
        next_attempt_at=now,
    )


def latest(kind: str, subject_id: int) -> Operation | None:
    """Return the newest operation of a kind on a subject, or None."""
    return Operation.objects.filter(kind=kind, subject_id=subject_id).order_by("-sequence").first()


def perform(operation_id: int, *, now: datetime) -> Operation:
    """Make the call unless it is done, held or claimed elsewhere; return the updated operation."""
    # Before the claim is committed: a process may be paused at that very moment.
    began = send_deadline.moment()
    operation, claimed = _claim(operation_id, now)
    return _attempt(operation, now, began) if claimed else operation


def _attempt(operation: Operation, now: datetime, began: Moment) -> Operation:
    handler = _HANDLERS[operation.kind]
    provider = provider_named(operation.provider)
    try:
        state = attempt.make(handler, provider, operation, now, began)
    except TakenOver:
        return _left_to_another(operation)
    except Undecided as error:
        return _hand_to_staff(operation, error)
    except Rejected as error:
        return _fail(handler, operation, error, now)
    except ProviderError as error:
        return _postpone(operation, error, now)
    return _succeed(handler, operation, state, now)


@dataclass(frozen=True, slots=True)
class Call:
    """An operation whose outcome a request waits for; `is_claimed` when this request has to make the call."""

    operation: Operation
    is_claimed: bool = False


def answered(call: Call, *, now: datetime, began: Moment) -> Operation:
    """Return the operation once it has succeeded, made by this request or by another.

    Raises ProviderRefused or ProviderUnavailable.
    """
    operation = call.operation
    if call.is_claimed:
        operation = _attempt(operation, now, began)
    elif OperationState(operation.state) in OPEN_OPERATIONS:
        require_answering(operation.provider)
        operation = _outcome_elsewhere(perform(operation.pk, now=now + began.age))
    if operation.state == OperationState.SUCCEEDED.value:
        return operation
    if operation.state == OperationState.FAILED.value:
        raise ProviderRefused(operation.last_error or None, detail=operation.last_error_code)
    if operation.state == OperationState.SENT.value or operation.next_attempt_at is None:
        raise ProviderUnavailable(detail=operation.last_error_code or "in_flight")
    raise ProviderUnavailable(detail=operation.last_error_code, wait=operation.next_attempt_at - now)


def require_answering(provider: str) -> None:
    """Raise ProviderUnavailable at once while the provider does not answer."""
    with direct_calls.answered():
        provider_named(provider).require_answering()


def withdraw(operation: Operation, *, code: str, now: datetime) -> bool:
    """Fail an operation under which nothing was ever sent; return False if something may have been sent."""
    unsent = Operation.objects.filter(pk=operation.pk, state=OperationState.PENDING.value, is_uncertain=False)
    withdrawn = unsent.update(
        state=OperationState.FAILED.value, finished_at=now, next_attempt_at=None, last_error_code=code
    )
    return withdrawn == 1


def release_claim(call: Call, *, now: datetime) -> None:
    """Release a claim under which nothing was sent, so that the next request need not wait until it expires."""
    claimed_by(call.operation).update(state=OperationState.PENDING.value, sent_at=None, next_attempt_at=now + CLAIM)


def _outcome_elsewhere(operation: Operation) -> Operation:
    """Wait for the outcome of the same call by another request, as after a double click.

    The wait is as long as that request waits for the provider.
    """
    deadline = time.monotonic() + settings.PROVIDER_REQUEST_TIMEOUT
    while operation.state == OperationState.SENT.value and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        operation.refresh_from_db()
    return operation


@database.transactional
def _claim(operation_id: int, now: datetime) -> tuple[Operation, bool]:
    """Claim the operation for this attempt; return False if there is nothing to do or another attempt has it."""
    seen = Operation.objects.get(pk=operation_id)
    # `retry_waiting` locks the account before the operation, so this does too: so no retry is missed.
    hold = _HANDLERS[seen.kind].hold(seen)
    operation = Operation.objects.select_for_update(no_key=True).get(pk=operation_id)
    if OperationState(operation.state) not in OPEN_OPERATIONS or _is_claimed(operation, now):
        return operation, False
    if operation.hold == OUTCOME_UNKNOWN:
        return operation, False
    operation.hold = hold
    if not operation.hold:
        require(OperationState(operation.state), OperationState.SENT)
        # An attempt that ended without an outcome, or has not ended, may have had its effect.
        operation.is_uncertain |= operation.state in {OperationState.SENT.value, OperationState.UNKNOWN.value}
        if not operation.is_uncertain:
            # Where it goes is decided anew until something may have been sent.
            operation.account_id = seen.account_id
        _mark_sent(operation, now)
    operation.save()
    return operation, not operation.hold


def _mark_sent(operation: Operation, now: datetime) -> None:
    operation.state = OperationState.SENT.value
    operation.sent_at = now
    operation.attempts += 1
    operation.next_attempt_at = now + CLAIM


def _is_claimed(operation: Operation, now: datetime) -> bool:
    """Return whether another attempt has the operation. A claim from the future was made by a clock that was ahead."""
    if operation.state != OperationState.SENT.value or operation.sent_at is None:
        return False
    return now - CLAIM < operation.sent_at < now + CLAIM


@database.transactional
def _succeed(handler: Handler, operation: Operation, state: Any, now: datetime) -> Operation:
    reference = handler.succeeded(operation, state, now)
    outcome = _success(reference, now) | {"account_id": operation.account_id}
    if Operation.objects.filter(pk=operation.pk, state__in=_OPEN).update(**outcome):
        for name, value in outcome.items():
            setattr(operation, name, value)
    else:
        operation.refresh_from_db()
    return operation


def _success(reference: str, now: datetime) -> dict[str, Any]:
    return {
        "state": OperationState.SUCCEEDED.value,
        "provider_reference": reference,
        "finished_at": now,
        "next_attempt_at": None,
        "hold": "",
        "last_error_code": "",
        "last_error": "",
    }


def _left_to_another(operation: Operation) -> Operation:
    log.warning("operation_taken_over", operation=operation.reference)
    operation.refresh_from_db()
    return operation


def _fail(handler: Handler, operation: Operation, error: ProviderError, now: datetime) -> Operation:
    try:
        _write_failed(handler, operation, error, now)
    except TakenOver:
        return _left_to_another(operation)
    log.warning("operation_failed", operation=operation.reference, code=error.code)
    operation.refresh_from_db()
    return operation


@database.transactional
def _write_failed(handler: Handler, operation: Operation, error: ProviderError, now: datetime) -> None:
    """Compensate and record the failure in one transaction. Raises TakenOver.

    The compensation comes first to keep the lock order: operations are locked after escrows and accounts.
    """
    handler.failed(operation, error, now)
    written = claimed_by(operation).update(
        state=OperationState.FAILED.value,
        finished_at=now,
        next_attempt_at=None,
        last_error_code=error.code,
        last_error=error.message,
    )
    if not written:
        raise TakenOver


@database.transactional
def _hand_to_staff(operation: Operation, error: Undecided) -> Operation:
    """Hold the operation until staff retries it."""
    claimed_by(operation).update(
        state=OperationState.UNKNOWN.value,
        hold=OUTCOME_UNKNOWN,
        next_attempt_at=None,
        last_error_code=error.answer.code,
        last_error=error.answer.message,
    )
    log.error("operation_outcome_unknown", operation=operation.reference, code=error.answer.code)
    operation.refresh_from_db()
    return operation


def _postpone(operation: Operation, error: ProviderError, now: datetime) -> Operation:
    """Try again later under the same key, since nothing is decided."""
    if isinstance(error, Unavailable) and error.key_spent:
        attempt.renew_key(operation)
    return _write_postponed(operation, error, now + retries.delay(operation, error))


@database.transactional
def _write_postponed(operation: Operation, error: ProviderError, at: datetime) -> Operation:
    state = OperationState.UNKNOWN if isinstance(error, Unknown) else OperationState.PENDING
    updated = claimed_by(operation).update(
        state=state.value,
        next_attempt_at=at,
        last_error_code=error.code,
        last_error=error.message,
    )
    if updated and not queue.is_performed(operation, by=at):
        queue.defer(queue.PERFORM, at=at, operation_id=operation.pk)
    log.info("operation_postponed", operation=operation.reference, code=error.code, until=str(at))
    operation.refresh_from_db()
    return operation


def resolve(
    kind: str, subject_id: int, *, now: datetime, reference: str, sequence: int = 1, account_id: int | None = None
) -> None:
    """Mark an operation succeeded whose object was reported in another way, such as a webhook.

    Called in the transaction that applies the object's state, so that a webhook which overtakes our
    own call leaves nothing to be swept.
    """
    ours = Operation.objects.filter(kind=kind, subject_id=subject_id, sequence=sequence, state__in=_OPEN)
    ours.update(**_success(reference, now), account_id=account_id)

"""One attempt at an operation: search if an earlier attempt may have had an effect, then call."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from multitask.payments.models import Operation
from multitask.payments.operations import send_deadline
from multitask.payments.operations.handler import Handler
from multitask.payments.operations.send_deadline import Moment
from multitask.payments.provider import CannotTell, Found, Provider, Rejected, Search, Unknown
from multitask.payments.states import OperationState

CLAIM: Final = timedelta(seconds=30)  # longer than one call to the provider may take
# With the delays between attempts these take about an hour and a half.
MOST_SEARCHES: Final = 15


class TakenOver(Exception):
    """Another attempt has claimed the operation, or its outcome is known: this attempt decides nothing."""


class Undecided(Exception):
    """The provider cannot tell what became of an earlier attempt, and sending again could repeat its effect."""

    def __init__(self, answer: CannotTell) -> None:
        super().__init__(answer.code)
        self.answer = answer


def make(handler: Handler, provider: Provider, operation: Operation, now: datetime, claimed_at: Moment) -> Any:
    """Make the call; if an earlier attempt may have had an effect, search for it first. Raises TakenOver."""
    if operation.is_uncertain:
        began = claimed_at
        with send_deadline.reporting(lambda: _renew_claim(operation, now, began)):
            found = _look(handler, provider, operation)
        if found is not None:
            return found.object
        claimed_at = send_deadline.moment()
        _renew_claim(operation, now, began)
    try:
        with send_deadline.within(_sending_time(provider), since=claimed_at):
            return handler.call(provider, operation)
    except Rejected:
        # After an attempt of unknown outcome, a refusal may be the echo of that attempt's own success.
        found = _look(handler, provider, operation) if operation.is_uncertain else None
        if found is None:
            raise
        return found.object
    except Unknown as error:
        if not error.replayed:
            raise
        found = _look(handler, provider, operation)
        if found is None:
            renew_key(operation)
            raise
        return found.object


def _sending_time(provider: Provider) -> timedelta:
    """Return for how long after its claim a call may still be sent.

    Without idempotency keys the call has to be over when the claim ends, since the next attempt searches then.
    """
    if provider.capabilities.honours_keys:
        return CLAIM
    return CLAIM - timedelta(seconds=settings.PROVIDER_JOB_TIMEOUT)


def _renew_claim(operation: Operation, now: datetime, began: Moment) -> None:
    """Renew the claim of `now`, since a search takes time. Raises TakenOver."""
    moment = now + began.age
    if not claimed_by(operation).update(sent_at=moment, next_attempt_at=moment + CLAIM):
        raise TakenOver


def _look(handler: Handler, provider: Provider, operation: Operation) -> Found[Any] | None:
    """Return the object that an earlier attempt created, or None if it certainly created none.

    Raises Unknown when the provider cannot tell now, and Undecided when only staff can find out. Without idempotency
    keys a search that ends in Unknown counts as one that cannot tell: nothing else would bring the call to the staff.
    """
    capabilities = provider.capabilities
    answer: Search[Any]
    try:
        answer = handler.find(provider, operation)
    except Rejected as error:
        answer = CannotTell(error.code, error.message)
    except Unknown as error:
        if capabilities.honours_keys:
            raise
        answer = CannotTell(error.code, error.message)
    if isinstance(answer, Found):
        return answer
    if not isinstance(answer, CannotTell):
        return None
    has_searched_enough = not capabilities.honours_keys and operation.attempts > MOST_SEARCHES
    if not capabilities.finds_by_reference or has_searched_enough:
        raise Undecided(answer)
    raise Unknown(answer.code, answer.message)


def renew_key(operation: Operation) -> None:
    """Move to a new idempotency key: the old one only replays a failure, and nothing was created under it."""
    generation = operation.generation
    Operation.objects.filter(pk=operation.pk, generation=generation).update(generation=generation + 1)
    operation.generation = generation + 1


def claimed_by(operation: Operation) -> QuerySet[Operation]:
    """Return the operation as long as this attempt has the claim: each claim increments `attempts`."""
    return Operation.objects.filter(pk=operation.pk, state=OperationState.SENT.value, attempts=operation.attempts)

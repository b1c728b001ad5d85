"""A circuit breaker and limits for calls to providers: how many at once, for how long, and none during an outage.

A request of a person holds a thread of the web server while it waits for a provider, so requests get shorter
timeouts than jobs, and only so many may wait at once. A provider that has stopped answering is left alone for a
while: calls are refused at once (the breaker is open), then one call at a time tries whether it is back.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from multitask.payments.operations import boot_clock
from multitask.payments.provider import ProviderError, Unavailable, Unknown

# So many calls in a row without an answer open the breaker; any answer, a refusal too, closes it.
FAILURES_TO_OPEN: Final = 5
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 60.0
# How long a request waits for its turn to call; a job waits for as long as it takes.
TURN_SECONDS: Final = 1.0
# The code of a call that was not made since no connection was: nothing was sent, and the provider does not answer.
NOT_CONNECTED: Final = "not_connected"

CALLS = Counter("multitask_provider_calls_total", "Calls to payment providers by outcome.", ["provider", "outcome"])
SECONDS = Histogram("multitask_provider_call_seconds", "Duration of calls to payment providers.", ["provider"])
RUNNING = Gauge("multitask_provider_calls_running", "Calls to payment providers now.", ["provider", "caller"])
OPEN = Gauge("multitask_provider_breaker_open", "1 while calls to the provider are refused.", ["provider"])

log = structlog.get_logger(__name__)

_in_request: ContextVar[bool] = ContextVar("in_request", default=False)


@contextmanager
def from_request() -> Iterator[None]:
    """Treat calls inside the block as part of a request that a user waits for."""
    token = _in_request.set(True)
    try:
        yield
    finally:
        _in_request.reset(token)


def is_from_request() -> bool:
    """Return whether the current call belongs to a request rather than to a job."""
    return _in_request.get()


class Breaker:
    """Refuses calls to a provider that does not answer. One per provider and process."""

    def __init__(self, provider: str) -> None:
        """Start closed."""
        self.provider = provider
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Close, and forget all failures."""
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until: float | None = None
        self._is_trying = False
        OPEN.labels(self.provider).set(0)

    def require_closed(self) -> None:
        """Raise Unavailable while the breaker is open. Commands check this before they write an intent."""
        with self._lock:
            left = self._left()
            if left is None or (left <= 0 and not self._is_trying):
                return
        raise self._refusal(left)

    def admit(self) -> bool:
        """Admit a call; return whether it is the trial call of an open breaker. Raises Unavailable if it must wait."""
        with self._lock:
            left = self._left()
            if left is None:
                return False
            if left <= 0 and not self._is_trying:
                self._is_trying = True
                return True
        raise self._refusal(left)

    def _left(self) -> float | None:
        """Return the seconds until the next call may be tried, or None when the breaker is closed."""
        return None if self._open_until is None else self._open_until - boot_clock.seconds()

    def _refusal(self, left: float) -> Unavailable:
        CALLS.labels(self.provider, "refused_by_breaker").inc()
        wait = timedelta(seconds=max(1.0, left))
        message = "The payment provider does not answer."
        return Unavailable("provider_not_answering", message, retry_after=wait, refuses_all=True)

    def answered(self) -> None:
        """Record that the provider answered a call, with any result."""
        with self._lock:
            if self._open_until is not None:
                log.warning("provider_breaker_closed", provider=self.provider)
            self.reset()

    def unanswered(self, *, was_trial: bool) -> None:
        """Record that a call was not answered."""
        with self._lock:
            self._failures += 1
            if was_trial:
                self._is_trying = False
                self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            elif self._open_until is not None or self._failures < FAILURES_TO_OPEN:
                # A call from before the breaker opened says nothing about whether the provider is back.
                return
            self._open_until = boot_clock.seconds() + self._pause
            OPEN.labels(self.provider).set(1)
            log.error("provider_breaker_opened", provider=self.provider, seconds=self._pause)

    def abandoned(self, *, was_trial: bool) -> None:
        """Record that a call ended without reaching the provider."""
        if was_trial:
            with self._lock:
                self._is_trying = False


class Guard:
    """Limits and circuit breaker of one provider; every call passes through it."""

    def __init__(self, provider: str, *, requests_at_once: int) -> None:
        """Limit the concurrent calls of requests; jobs are limited by their threads."""
        self.provider = provider
        self.breaker = Breaker(provider)
        self._turns = threading.BoundedSemaphore(requests_at_once)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make one call inside the block, which raises what a provider raises. Raises Unavailable without a call."""
        with self._turn():
            is_trial = self.breaker.admit()
            with SECONDS.labels(self.provider).time():
                yield from self._observed(is_trial)

    def _observed(self, is_trial: bool) -> Iterator[None]:
        outcome = "abandoned"
        try:
            yield
            outcome = "answered"
        except ProviderError as error:
            outcome = _outcome(error)
            raise
        finally:
            CALLS.labels(self.provider, outcome).inc()
            if outcome == "unanswered":
                self.breaker.unanswered(was_trial=is_trial)
            elif outcome == "abandoned":
                self.breaker.abandoned(was_trial=is_trial)
            else:
                self.breaker.answered()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        caller = "request" if is_from_request() else "job"
        if is_from_request() and not self._turns.acquire(timeout=TURN_SECONDS):
            CALLS.labels(self.provider, "refused_as_too_many").inc()
            message = "Too many requests wait for the payment provider."
            raise Unavailable("provider_busy", message, retry_after=timedelta(seconds=1))
        try:
            with RUNNING.labels(self.provider, caller).track_inprogress():
                yield
        finally:
            if caller == "request":
                self._turns.release()


def _outcome(error: ProviderError) -> str:
    """Return the outcome of a call for the breaker: replayed failures, refusals and rate limits count as answers."""
    if isinstance(error, Unknown):
        return "answered_from_memory" if error.replayed else "unanswered"
    if isinstance(error, Unavailable) and error.code == "sent_too_late":
        return "abandoned"
    if isinstance(error, Unavailable) and error.code == NOT_CONNECTED:
        return "unanswered"
    return "unavailable" if isinstance(error, Unavailable) else "refused"

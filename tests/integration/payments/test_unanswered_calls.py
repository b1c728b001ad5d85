"""What becomes of a call without an answer, at a provider that honours idempotency keys and at one that does not.

`Postbox` is a provider of its own, written against the protocols: it makes an object for each request that reaches
it, whatever its key, and answers, times out or cannot find things as a test asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from multitask import providers
from multitask.payments import staff_commands
from multitask.payments.models import Operation
from multitask.payments.operations import attempt, boot_clock, engine, held_calls, send_deadline
from multitask.payments.provider import (
    ABSENT,
    AmountRules,
    CannotTell,
    Capabilities,
    Found,
    IdKind,
    Provider,
    ProviderError,
    Redirect,
    Rejected,
    RouteKind,
    Search,
    Unknown,
)
from multitask.web.backoffice import work_queue
from tests.payments_world import World

KIND: Final = "send_letter"
NO_KEYS: Final = Capabilities(
    supports=frozenset(),
    kinds=frozenset({RouteKind.PLATFORM}),
    currencies=frozenset({"EGP"}),
    countries=frozenset({"EG"}),
    continuation=Redirect,
    key_lifetime=None,
    finds_by_reference=True,
)


@dataclass
class Postbox:
    """A provider that sends letters."""

    capabilities: Capabilities = NO_KEYS
    name: str = "postbox"
    letters: list[str] = field(default_factory=list)
    # What happens to the next calls, and what the next searches answer instead of the truth.
    calls: list[str] = field(default_factory=list)
    searches: list[CannotTell | ProviderError] = field(default_factory=list)
    searched: int = 0

    def amount_rules(self, currency: str) -> AmountRules:
        return AmountRules()

    def kinds_of_id(self, object_id: str) -> frozenset[IdKind]:
        return frozenset()

    def require_answering(self) -> None:
        """It always answers."""

    def send(self, reference: str) -> str:
        fate = self.calls.pop(0) if self.calls else "answered"
        if fate == "refused":
            raise Rejected("duplicate", "There is such a letter.")
        if fate != "request lost":
            self.letters.append(reference)
        if fate != "answered":
            raise Unknown("connection_failed", "No answer.")
        return reference

    def find(self, reference: str) -> Search[str]:
        self.searched += 1
        if self.searches:
            answer = self.searches.pop(0)
            if isinstance(answer, ProviderError):
                raise answer
            return answer
        return Found(reference) if reference in self.letters else ABSENT


class SendLetter:
    """Performs `send_letter`."""

    def call(self, provider: Provider, operation: Operation) -> str:
        assert isinstance(provider, Postbox)
        return provider.send(operation.reference)

    def find(self, provider: Provider, operation: Operation) -> Search[str]:
        assert isinstance(provider, Postbox)
        return provider.find(operation.reference)

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        return str(state)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Nothing has to be undone."""

    def hold(self, operation: Operation) -> str:
        return ""


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    box = Postbox()
    engine.install({KIND: SendLetter()})
    engine.connect(lambda name: box if name == box.name else providers.get(name))
    yield box
    engine.connect(providers.get)
    del engine._HANDLERS[KIND]


def begun(world: World) -> Operation:
    return engine.begin(KIND, subject_id=1, provider="postbox", now=world.now)


def perform(world: World, operation: Operation) -> Operation:
    """Perform it once its next attempt is due."""
    world.wait(minutes=20)
    return engine.perform(operation.pk, now=world.now)


def nowhere() -> CannotTell:
    return CannotTell("search_down", "The search does not answer.")


@pytest.mark.parametrize(("fate", "letters"), [("request lost", 0), ("answer lost", 1)])
def test_an_unanswered_call_is_looked_for_and_sent_again_only_when_it_is_absent(
    world: World, postbox: Postbox, fate: str, letters: int
) -> None:
    postbox.calls = [fate]
    operation = perform(world, begun(world))
    assert (operation.state, len(postbox.letters)) == ("unknown", letters)

    operation = perform(world, operation)

    assert (operation.state, operation.generation, postbox.letters) == ("succeeded", 1, [operation.reference])
    assert postbox.searched == 1


@pytest.mark.parametrize(
    "answer", [nowhere(), Rejected("denied", "No search today."), Unknown("connection_failed", "No answer.")]
)
def test_nothing_is_sent_again_while_the_provider_cannot_tell(
    world: World, postbox: Postbox, answer: CannotTell | ProviderError
) -> None:
    postbox.calls, postbox.searches = ["answer lost"], [answer] * 3
    operation = perform(world, begun(world))
    for _ in range(3):
        operation = perform(world, operation)
        assert (operation.state, operation.hold, len(postbox.letters)) == ("unknown", "", 1)

    operation = perform(world, operation)

    assert (operation.state, len(postbox.letters)) == ("succeeded", 1)


def test_a_provider_without_keys_that_can_never_tell_leaves_it_to_staff(world: World, postbox: Postbox) -> None:
    postbox.calls, postbox.searches = ["request lost"], [nowhere()] * (attempt.MOST_SEARCHES + 2)
    operation = perform(world, begun(world))
    while not operation.hold:
        assert operation.attempts <= attempt.MOST_SEARCHES
        operation = perform(world, operation)

    assert (operation.state, operation.hold, operation.next_attempt_at) == ("unknown", "outcome_unknown", None)
    assert postbox.letters == []
    assert operation in work_queue.stuck(world.now)
    # No job, sweep or news of an account touches it.
    assert engine.perform(operation.pk, now=world.now + timedelta(days=1)).hold == "outcome_unknown"
    assert held_calls.retry_waiting(operation.user_id or 0, now=world.now) == 0

    staff_commands.retry_operation(actor=world.staff(), operation_id=operation.pk, note="Again", now=world.now)
    operation = perform(world, operation)
    assert operation.hold == "outcome_unknown"

    postbox.searches = []
    staff_commands.retry_operation(actor=world.staff(), operation_id=operation.pk, note="Again", now=world.now)
    operation = perform(world, operation)
    assert (operation.state, operation.hold, len(postbox.letters)) == ("succeeded", "", 1)


def test_a_provider_without_any_search_leaves_it_to_staff_at_once(world: World, postbox: Postbox) -> None:
    postbox.capabilities = replace(NO_KEYS, finds_by_reference=False)
    postbox.calls, postbox.searches = ["answer lost"], [nowhere()]
    operation = perform(world, begun(world))
    operation = perform(world, operation)
    assert (operation.hold, len(postbox.letters)) == ("outcome_unknown", 1)


def test_a_provider_with_keys_is_searched_for_as_long_as_it_takes(world: World, postbox: Postbox) -> None:
    postbox.capabilities = replace(NO_KEYS, key_lifetime=timedelta(hours=23))
    postbox.calls, postbox.searches = ["answer lost"], [nowhere()] * (2 * attempt.MOST_SEARCHES)
    operation = perform(world, begun(world))
    while postbox.searches:
        operation = perform(world, operation)
        assert (operation.state, operation.hold) == ("unknown", "")
    assert perform(world, operation).state == "succeeded"
    assert len(postbox.letters) == 1


def test_a_refusal_after_an_unanswered_call_may_be_the_echo_of_its_success(world: World, postbox: Postbox) -> None:
    postbox.calls = ["request lost"]
    operation = perform(world, begun(world))
    postbox.calls, postbox.searches = ["refused"], []
    assert perform(world, operation).state == "failed"
    assert postbox.searched == 2


def test_a_refusal_decides_nothing_while_the_provider_cannot_tell(world: World, postbox: Postbox) -> None:
    postbox.calls = ["request lost", "refused"]
    operation = perform(world, begun(world))

    def find(reference: str) -> Search[str]:
        postbox.searched += 1
        return ABSENT if postbox.searched == 1 else nowhere()

    postbox.find = find  # type: ignore[method-assign]
    operation = perform(world, operation)
    assert (operation.state, operation.last_error_code) == ("unknown", "search_down")


def test_a_call_that_takes_until_after_its_claim_is_not_sent(world: World, postbox: Postbox) -> None:
    """The next attempt searches when the claim ends: a call may not be under way then."""
    began, seconds, operation = world.now, [0.0], engine.begin(KIND, subject_id=1, provider="postbox", now=world.now)

    def send(reference: str) -> str:
        if not seconds[0]:
            seconds[0] = 28.0
            # As the HTTP client does just before the bytes leave.
            send_deadline.check()
        postbox.letters.append(reference)
        return reference

    postbox.send = send  # type: ignore[method-assign]
    with boot_clock.using(lambda: seconds[0]), pytest.raises(send_deadline.TooLate):
        engine.perform(operation.pk, now=began)
    assert postbox.letters == []


def test_a_request_that_has_waited_claims_from_the_present_moment(world: World, postbox: Postbox) -> None:
    began, seconds, operation = world.now, [0.0], engine.begin(KIND, subject_id=1, provider="postbox", now=world.now)
    with boot_clock.using(lambda: seconds[0]):
        moment = send_deadline.moment()
        seconds[0] = 20.0
        engine.answered(engine.Call(operation), now=began, began=moment)
    operation.refresh_from_db()
    assert operation.sent_at == began + timedelta(seconds=20)

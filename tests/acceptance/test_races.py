"""Fifty concurrent requests over HTTP: one takes effect, the others are refused."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import staff
from tests.acceptance import books
from tests.acceptance.story import PASSWORD, Person, Story
from tests.acceptance.system import Answer, System

pytestmark = pytest.mark.django_db

MANY = 50
Call = Callable[[], Answer]


def together(calls: Sequence[Call]) -> list[Answer]:
    """Make all calls at the same moment."""
    start = threading.Barrier(len(calls))

    def run(call: Call) -> Answer:
        start.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def ask(story: Story, command: str, person: Person | None = None, *, key: str = "", **more: str) -> Call:
    """A command of the story, asked once."""
    path, body = story.request(command)
    asking = person or (story.freelancer if command == "withdraw" else story.client)
    return lambda: asking.ask("POST", path, {**body, **more}, key=key)


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def made(system: System, operation: str, story: Story) -> int:
    """How many operations of a kind the story has had."""
    counted = system.query(
        "SELECT count(*) FROM payments_operation WHERE kind = %s AND (user_id = %s OR escrow_id IN"
        " (SELECT id FROM payments_escrow WHERE client_id = %s))",
        operation,
        story.freelancer.id,
        story.client.id,
    )
    return int(counted[0][0])


def finance(system: System) -> Person:
    """Somebody of the staff who may release and refund."""
    person = Person(system, "client")
    staff.hire(system, person.name, "finance")
    staff.prove_token(system, person)
    return person


@pytest.mark.parametrize("with_keys", [False, True])
def test_one_of_many_releases_releases(system: System, with_keys: bool) -> None:
    story = Story(system).to_work_done()

    answers = together([ask(story, "release", key=uuid.uuid4().hex if with_keys else "") for _ in range(MANY)])

    assert statuses(answers) == {200: 1, 409: MANY - 1}
    assert {answer.code for answer in answers if answer.status == 409} == {"wrong_state"}
    assert made(system, "create_transfer", story) == 1
    story.until_available()
    books.assert_equal(system)


def test_one_of_many_refunds_refunds(system: System) -> None:
    story = Story(system)
    story.hire()
    story.fund()

    answers = together([ask(story, "refund") for _ in range(MANY)])

    assert statuses(answers) == {200: 1, 409: MANY - 1}
    assert {answer.code for answer in answers if answer.status == 409} <= {"refund_in_progress", "wrong_state"}
    assert made(system, "create_refund", story) == 1
    story.until("refunded")
    books.assert_equal(system)


def test_one_of_many_withdrawals_of_everything_is_paid(system: System) -> None:
    story = Story(system).to_work_done()
    story.release()
    story.until_available()

    answers = together([ask(story, "withdraw") for _ in range(MANY)])

    assert statuses(answers) == {201: 1, 409: MANY - 1}
    assert {answer.code for answer in answers if answer.status == 409} == {"insufficient_funds"}
    assert made(system, "create_payout", story) == 1
    story.until_paid_out()
    books.assert_equal(system)


def test_many_intents_are_one_payment(system: System) -> None:
    story = Story(system)
    story.hire()

    answers = together([ask(story, "intend") for _ in range(MANY)])

    assert statuses(answers).keys() <= {200, 201}, [answer for answer in answers if answer.status > 201][:1]
    assert len({answer.body["payment_intent_id"] for answer in answers}) == 1
    assert made(system, "create_payment", story) == 1
    story.fund()
    books.assert_equal(system)


def test_release_refund_and_cancellation_have_one_winner(system: System) -> None:
    story, staff = Story(system), finance(system)
    story.hire()
    story.onboard()
    story.fund()
    cancel = f"/api/tasks/{story.task}/cancel/"

    calls = [ask(story, "release", staff), ask(story, "refund"), lambda: story.client.ask("POST", cancel)]
    answers = together([call for _ in range(MANY // 3) for call in calls])
    releases, refunds, cancellations = (statuses(answers[place::3]) for place in range(3))

    assert releases[200] + refunds[200] == 1, (releases, refunds)
    assert cancellations[200] <= 1
    for counted in (releases, refunds, cancellations):
        assert counted.keys() <= {200, 409}, answers
    books.assert_equal(system)
    assert story.escrow()["status"] == ("released" if releases[200] else "refunded")


def test_one_key_is_one_answer(system: System) -> None:
    story = Story(system)
    story.hire()
    story.fund()
    key = uuid.uuid4().hex

    answers = together([ask(story, "refund", key=key) for _ in range(MANY)])
    later = story.client.post(*story.request("refund"), key=key)
    other = ask(story, "refund", key=key, reason="Another reason")()

    assert statuses(answers).keys() <= {200, 409}
    assert {answer.code for answer in answers if answer.status == 409} <= {"idempotency_in_flight"}
    assert {str(answer.body) for answer in answers if answer.status == 200} == {str(later.body)}
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    story.until("refunded")
    books.assert_equal(system)


def refreshing(system: System, tokens: dict[str, str], has_ended: threading.Event) -> Call:
    """Refresh a session again and again, until it ends or others have been answered that it has."""

    def refresh() -> Answer:
        newest = dict(tokens)
        while True:
            ended = has_ended.is_set()
            answer = system.call("POST", "/api/auth/token/refresh/", {"refresh": newest["refresh"]})
            if answer.status != 200 or ended:
                return answer
            newest = answer.body

    return refresh


def test_no_session_goes_on_after_its_log_out_is_answered(system: System) -> None:
    for _ in range(10):
        person = Person(system, "client")
        body = {"username": person.name, "password": PASSWORD}
        logins = [system.call("POST", "/api/auth/login/", body, address=person.address).body for _ in range(4)]
        ended = [threading.Event() for _ in logins]

        def log_out(number: int, logins: list[dict[str, str]] = logins, ended: list[threading.Event] = ended) -> Call:
            def leave() -> Answer:
                answer = system.call("POST", "/api/auth/logout/", token=logins[number]["access"])
                ended[number].set()
                return answer

            return leave

        refreshed = [refreshing(system, tokens, event) for tokens, event in zip(logins, ended, strict=True)]
        answers = together([*refreshed, *map(log_out, range(len(logins)))])

        assert statuses(answers) == {401: len(logins), 200: len(logins)}, answers
        assert {answer.code for answer in answers[: len(logins)]} == {"session_ended"}
        for tokens in logins:
            assert system.call("GET", "/api/auth/profile/", token=tokens["access"]).status == 401

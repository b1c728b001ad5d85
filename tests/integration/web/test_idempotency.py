"""A request with an Idempotency-Key is executed once, and retries get the same response."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from multitask.database import OutcomeUnknown
from multitask.errors import DomainError
from multitask.marketplace.errors import TaskNotFound
from multitask.marketplace.work import TaskStateConflict
from multitask.money import AmountTooSmall
from multitask.users.models import User
from multitask.web.api import idempotency
from multitask.web.api.idempotency import InFlight, InvalidKey, KeyReused, idempotent
from multitask.web.api.models import IdempotencyPurge, IdempotencyRecord, IdempotencyState
from multitask.web.api.schemas import Body, Message
from tests.integration import races

pytestmark = pytest.mark.django_db


class Order(Body):
    """A body of two fields."""

    amount: str = "1.00"
    note: str = ""


class Counter:
    """Executes by counting, and remembers the request keys that it was given."""

    def __init__(self, *outcomes: Exception | int) -> None:
        self.outcomes = list(outcomes)
        self.request_keys: list[str] = []

    def __call__(self, request_key: str) -> tuple[int, Message]:
        self.request_keys.append(request_key)
        outcome = self.outcomes.pop(0) if self.outcomes else 200
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, Message(message=f"execution {len(self.request_keys)}")

    @property
    def executions(self) -> int:
        return len(self.request_keys)


def _user(name: str = "ada") -> User:
    return User.objects.create_user(name, f"{name}@example.com", is_client=True)


def seen_long_ago() -> None:
    """Make all records so old that the number of runs allows deleting them."""
    highest = IdempotencyRecord.objects.latest("pk").pk
    IdempotencyPurge.objects.bulk_create(IdempotencyPurge(highest_id=highest) for _ in range(idempotency.RUNS_KEPT))


def _request(user: User, key: str | None) -> HttpRequest:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = RequestFactory().post("/payments/withdrawals/create/", headers=headers)
    request.auth = user  # type: ignore[attr-defined]
    return request


def _send(
    user: User,
    key: str | None,
    execute: Callable[[str], Any],
    *,
    body: Body | None = None,
    endpoint: str = "withdrawals/create",
) -> HttpResponse:
    return idempotent(_request(user, key), endpoint=endpoint, body=body or Order(), execute=execute)


def test_a_repetition_is_answered_to_the_letter_without_executing() -> None:
    user, execute = _user(), Counter(201)
    first, again = _send(user, "k1", execute), _send(user, "k1", execute)
    assert execute.executions == 1
    assert (
        (first.status_code, first.content)
        == (again.status_code, again.content)
        == (
            201,
            b'{"message":"execution 1"}',
        )
    )
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"]


def test_without_a_key_each_request_is_executed_under_a_request_key_of_its_own() -> None:
    user, execute = _user(), Counter()
    _send(user, None, execute)
    _send(user, None, execute)
    assert len(set(execute.request_keys)) == 2
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "k" * 256, "ключ", "two words", "tab\t", "\x7f", "é", "a1,a2", ","])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    execute = Counter()
    with pytest.raises(InvalidKey):
        _send(_user(), key, execute)
    assert execute.executions == 0


def test_a_key_of_255_characters_will_do() -> None:
    assert _send(_user(), "k" * 255, Counter()).status_code == 200


def test_another_body_or_endpoint_under_the_same_key_is_refused() -> None:
    user, execute = _user(), Counter()
    _send(user, "k1", execute)
    with pytest.raises(KeyReused):
        _send(user, "k1", execute, body=Order(amount="2.00"))
    with pytest.raises(KeyReused):
        _send(user, "k1", execute, endpoint="escrow/1/release")
    assert execute.executions == 1


def test_the_order_of_fields_makes_no_other_body() -> None:
    user, execute = _user(), Counter()
    _send(user, "k1", execute, body=Order.model_validate({"amount": "1", "note": "n"}))
    _send(user, "k1", execute, body=Order.model_validate({"note": "n", "amount": "1"}))
    assert execute.executions == 1


def test_anothers_key_is_independent() -> None:
    execute = Counter()
    _send(_user("ada"), "k1", execute)
    _send(_user("bob"), "k1", execute, body=Order(amount="2.00"))
    assert execute.executions == 2


@pytest.mark.parametrize("refusal", [AmountTooSmall(), TaskNotFound()])
def test_a_refusal_after_which_nothing_happened_frees_the_key(refusal: DomainError) -> None:
    user, execute = _user(), Counter(refusal)
    with pytest.raises(type(refusal)):
        _send(user, "k1", execute)
    assert _send(user, "k1", execute, body=Order(amount="2.00")).status_code == 200
    assert execute.executions == 2


def test_a_conflict_is_answered_again() -> None:
    user, execute = _user(), Counter(TaskStateConflict())
    with pytest.raises(TaskStateConflict):
        _send(user, "k1", execute)
    again = _send(user, "k1", execute)
    assert (again.status_code, json.loads(again.content)["code"]) == (409, "task_state_conflict")
    assert execute.executions == 1


@pytest.mark.parametrize("fault", [OutcomeUnknown("?"), OperationalError("gone"), RuntimeError("bug")])
def test_after_a_fault_the_next_try_comes_at_once_with_the_same_request_key(fault: Exception) -> None:
    user, execute = _user(), Counter(fault)
    with pytest.raises(type(fault)):
        _send(user, "k1", execute)
    assert _send(user, "k1", execute).status_code == 200
    assert len(execute.request_keys) == 2
    assert len(set(execute.request_keys)) == 1


def test_after_a_fault_a_refusal_does_not_free_the_key() -> None:
    user, execute = _user(), Counter(RuntimeError("bug"), AmountTooSmall())
    for _ in range(2):
        with pytest.raises((RuntimeError, AmountTooSmall)):
            _send(user, "k1", execute)
    with pytest.raises(KeyReused):
        _send(user, "k1", execute, body=Order(amount="2.00"))
    assert _send(user, "k1", execute).status_code == 200
    assert len(set(execute.request_keys)) == 1


def _crashed(user: User, execute: Counter) -> IdempotencyRecord:
    """Leave behind what a process that was killed while executing leaves."""
    with pytest.raises(RuntimeError):
        _send(user, "k1", Counter(RuntimeError("killed")))
    record = IdempotencyRecord.objects.get()
    record.locked_until = timezone.now() + idempotency.LOCK
    record.save()
    return record


def test_a_crash_leaves_the_key_in_flight_until_its_lock_runs_out() -> None:
    user, execute = _user(), Counter()
    record = _crashed(user, execute)
    with pytest.raises(InFlight) as refusal:
        _send(user, "k1", execute)
    assert refusal.value.retry_after == 1
    IdempotencyRecord.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert _send(user, "k1", execute).status_code == 200
    assert execute.request_keys == [str(record.request_key)]


def test_a_lock_that_a_clock_wrote_that_was_ahead_does_not_hold_the_key() -> None:
    user, execute = _user(), Counter()
    record = _crashed(user, execute)
    IdempotencyRecord.objects.update(locked_until=timezone.now() + timedelta(hours=3))
    assert _send(user, "k1", execute).status_code == 200
    assert execute.request_keys == [str(record.request_key)]
    assert _send(user, "k1", execute)["Idempotent-Replayed"] == "true"


def test_who_lost_the_lock_writes_no_answer() -> None:
    user = _user()

    def loses_the_lock(request_key: str) -> tuple[int, Message]:
        IdempotencyRecord.objects.update(locked_until=timezone.now() + timedelta(hours=1))
        return 200, Message(message="late")

    assert _send(user, "k1", loses_the_lock).status_code == 200
    assert IdempotencyRecord.objects.get().state == IdempotencyState.IN_FLIGHT


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_at_work_the_others_are_told_to_wait() -> None:
    user = _user()
    begun, go_on = threading.Event(), threading.Event()

    def slowly(request_key: str) -> tuple[int, Message]:
        begun.set()
        assert go_on.wait(30)
        return 200, Message(message="done")

    def asks_meanwhile() -> bool:
        assert begun.wait(30)
        try:
            _send(user, "k1", slowly)
        except InFlight as refusal:
            return bool(refusal.retry_after)
        finally:
            go_on.set()
        return False

    first, waited = races.together([partial(_send, user, "k1", slowly), asks_meanwhile])
    assert (first.status_code, waited) == (200, True)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_executes() -> None:
    user, execute = _user(), Counter()
    answers = races.together([partial(_send, user, "k1", execute)] * 50)
    assert execute.executions == 1
    assert all(isinstance(answer, HttpResponse | InFlight) for answer in answers)
    contents = {answer.content for answer in answers if isinstance(answer, HttpResponse)}
    assert contents == {b'{"message":"execution 1"}'}


@pytest.mark.django_db(transaction=True)
def test_of_many_that_take_over_after_a_crash_one_executes() -> None:
    user, execute = _user(), Counter()
    _crashed(user, execute)
    IdempotencyRecord.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    races.together([partial(_send, user, "k1", execute)] * 20)
    assert execute.executions == 1


def test_old_answers_are_deleted_and_what_is_being_worked_on_is_kept() -> None:
    user = _user()
    _send(user, "old", Counter())
    _send(user, "new", Counter())
    now = timezone.now()
    seen_long_ago()
    IdempotencyRecord.objects.filter(key="old").update(created_at=now - idempotency.KEY_LIFETIME * 2)
    assert idempotency.purge(now=now) == 0, "its lock has not run out for long enough"
    IdempotencyRecord.objects.filter(key="old").update(locked_until=now - idempotency.KEY_LIFETIME * 2)
    assert idempotency.purge(now=now) == 1
    assert IdempotencyRecord.objects.get().key == "new"


@pytest.mark.django_db(transaction=True)
def test_deleting_while_a_retry_takes_over_loses_no_request_key() -> None:
    """Either the retry finds the old record and its request key, or it begins with a new record."""
    user = _user()
    for number in range(10):
        key, long_ago, execute = f"k{number}", timezone.now() - idempotency.KEY_LIFETIME * 2, Counter()
        record = IdempotencyRecord.objects.create(
            user=user,
            key=key,
            endpoint="withdrawals/create",
            request_hash=idempotency._hash("withdrawals/create", Order()),
            request_key=uuid.uuid4(),
            created_at=long_ago,
            locked_until=long_ago,
        )
        seen_long_ago()
        answers = races.together([partial(_send, user, key, execute), partial(idempotency.purge, now=timezone.now())])
        left = IdempotencyRecord.objects.filter(pk=record.pk).first()
        if execute.request_keys == [str(record.request_key)]:
            assert left is not None
            assert left.state == IdempotencyState.DONE
        else:
            assert answers[1] == 1
            assert left is None


@pytest.mark.django_db(transaction=True)
def test_a_command_waits_for_the_disk_though_its_record_does_not() -> None:
    shown: list[str] = []

    def execute(_request_key: str) -> tuple[int, Message]:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            shown.append(cursor.fetchone()[0])
        return 200, Message(message="done")

    user = _user()
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    for key in ("first", "second"):
        _send(user, key, execute)

    assert shown == ["on", "on"]

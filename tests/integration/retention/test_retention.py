"""What has a time is there before and gone after it, and what is still needed stays."""

import io
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from multitask.database import purging
from multitask.payments.authorization import rate_limits
from multitask.payments.models import EmailState, Notice, ProviderCall
from multitask.users import throttle
from multitask.users.models import LoginAttempt, RefreshToken, User
from multitask.web.api import idempotency, retention
from multitask.web.api.models import IdempotencyPurge, IdempotencyRecord
from multitask.webhooks import retention as events
from multitask.webhooks.models import EventState, IncomingEvent, PollPosition
from tests.integration import races
from tests.integration.queue import backlog

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 3, 1, tzinfo=timezone.get_current_timezone())
A_MOMENT = timedelta(seconds=1)
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", "ada@example.com", is_client=True)


def days(name: str) -> timedelta:
    return timedelta(days=getattr(settings, name))


def event(state: EventState, at: datetime = NOW, payload: str = '{"object": "event"}') -> IncomingEvent:
    return IncomingEvent.objects.create(
        provider="stripe",
        event_id=f"evt_{uuid.uuid4()}",
        kind="payment_intent.succeeded",
        subject="payment",
        object_id="pi_1",
        payload=payload,
        received_at=at,
        waiting_since=at,
        next_attempt_at=at,
        state=state,
    )


def notice(user: User, email_state: str, at: datetime = NOW) -> Notice:
    return Notice.objects.create(
        user=user, kind="account_enabled", reference=str(uuid.uuid4()), created_at=at, email_state=email_state
    )


def job(status: str, at: datetime = NOW) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, deferred_at)"
            " VALUES ('operations', 'perform_operation', %s::procrastinate_job_status, %s) RETURNING id",
            [status, at],
        )
        return int(cursor.fetchone()[0])


def statuses() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status::text FROM procrastinate_jobs ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def idempotency_record(user: User) -> IdempotencyRecord:
    """A record that as many runs have seen as it takes to delete it."""
    record = IdempotencyRecord.objects.create(
        user=user, key="k", endpoint="e", request_hash="h", created_at=NOW, locked_until=NOW
    )
    IdempotencyPurge.objects.bulk_create(IdempotencyPurge(highest_id=record.pk) for _ in range(idempotency.RUNS_KEPT))
    return record


# Of each table: a row, for how long it stays, and how many there are.
Case = tuple[Callable[[User], object], Callable[[], timedelta], Callable[[], int]]
CASES: dict[str, Case] = {
    "idempotency records": (
        idempotency_record,
        lambda: idempotency.KEY_LIFETIME,
        IdempotencyRecord.objects.count,
    ),
    "refresh tokens": (
        lambda user: RefreshToken.objects.create(
            user=user, family=uuid.uuid4(), issued_at=NOW - A_MOMENT, expires_at=NOW
        ),
        lambda: timedelta(0),
        RefreshToken.objects.count,
    ),
    "page sessions": (
        lambda _user: Session.objects.create(session_key="k", session_data="", expire_date=NOW),
        lambda: timedelta(0),
        Session.objects.count,
    ),
    "login attempts": (
        lambda _user: LoginAttempt.objects.create(identifier="ada", attempted_at=NOW),
        lambda: throttle.KEEP,
        LoginAttempt.objects.count,
    ),
    "calls at the provider": (
        lambda user: ProviderCall.objects.create(user=user, purpose="payment", made_at=NOW),
        lambda: rate_limits.KEEP,
        ProviderCall.objects.count,
    ),
    "failed jobs": (lambda _user: job("failed"), lambda: days("RETENTION_FAILED_JOB_DAYS"), lambda: len(statuses())),
    "payloads of webhooks": (
        lambda _user: event(EventState.PROCESSED),
        lambda: days("RETENTION_WEBHOOK_PAYLOAD_DAYS"),
        lambda: IncomingEvent.objects.exclude(payload="").count(),
    ),
    "webhooks": (
        lambda _user: event(EventState.IGNORED),
        lambda: days("RETENTION_WEBHOOK_DAYS"),
        IncomingEvent.objects.count,
    ),
    "notices": (
        lambda user: notice(user, EmailState.SENT.value),
        lambda: days("RETENTION_NOTICE_DAYS"),
        Notice.objects.count,
    ),
}


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == set(retention.RULES)


@pytest.mark.parametrize("name", CASES)
def test_a_row_is_there_until_its_time_is_over(name: str, user: User) -> None:
    make, kept, count = CASES[name]
    make(user)

    assert retention.apply(now=NOW + kept() - A_MOMENT)[name] == 0
    assert count() == 1
    assert retention.apply(now=NOW + kept() + A_MOMENT)[name] == 1
    assert count() == 0
    assert retention.apply(now=NOW + kept() + A_MOMENT)[name] == 0


@pytest.mark.parametrize("state", [EventState.RECEIVED, EventState.FAILED, EventState.QUARANTINED])
def test_an_event_that_somebody_has_to_deal_with_keeps_its_body_and_its_row(state: EventState) -> None:
    stays, goes = event(state), event(EventState.PROCESSED)

    retention.apply(now=NOW + timedelta(days=3_000))

    assert IncomingEvent.objects.get().pk == stays.pk
    assert IncomingEvent.objects.get().payload == stays.payload
    assert goes.pk > stays.pk


@pytest.mark.parametrize("state", events.ENDED)
def test_an_event_that_has_ended_loses_its_body_and_then_its_row(state: EventState) -> None:
    ended = event(state)

    retention.apply(now=NOW + days("RETENTION_WEBHOOK_PAYLOAD_DAYS") + A_MOMENT)
    ended.refresh_from_db()
    assert ended.payload == ""
    retention.apply(now=NOW + days("RETENTION_WEBHOOK_DAYS") + A_MOMENT)

    assert not IncomingEvent.objects.exists()


def test_every_state_of_an_event_either_ends_or_waits_for_somebody() -> None:
    waits = {EventState.RECEIVED, EventState.FAILED, EventState.QUARANTINED}

    assert set(EventState) - waits == set(events.ENDED)


def test_an_event_that_was_dismissed_late_goes_with_its_row() -> None:
    late = event(EventState.QUARANTINED)
    retention.apply(now=NOW + days("RETENTION_WEBHOOK_DAYS") + A_MOMENT)
    IncomingEvent.objects.filter(pk=late.pk).update(state=EventState.DISMISSED)

    retention.apply(now=NOW + days("RETENTION_WEBHOOK_DAYS") + A_MOMENT)

    assert not IncomingEvent.objects.exists()


def test_a_row_without_its_body_still_tells_a_repetition() -> None:
    from multitask.payments.provider import InboundEvent, Subject
    from multitask.webhooks import storage

    first = event(EventState.PROCESSED)
    events.clear_payloads(now=NOW + timedelta(days=60))
    again = InboundEvent(
        id=first.event_id, kind=first.kind, subject=Subject.PAYMENT, object_id="pi_1", created_at=NOW, live=False
    )

    stored = storage.store(provider="stripe", event=again, payload="{}", state=EventState.RECEIVED, now=NOW)

    assert stored is None
    assert IncomingEvent.objects.get().payload == ""


def test_jobs_that_wait_or_run_stay() -> None:
    for status in ("todo", "doing", "failed", "cancelled"):
        job(status)

    retention.apply(now=NOW + timedelta(days=3_000))

    assert statuses() == ["todo", "doing"]


def test_a_notice_whose_email_has_to_be_sent_stays(user: User) -> None:
    notice(user, EmailState.PENDING.value)
    notice(user, EmailState.FAILED.value)

    retention.apply(now=NOW + timedelta(days=3_000))

    assert Notice.objects.get().email_state == EmailState.PENDING.value


def test_a_body_is_looked_at_once_and_younger_ones_not_yet() -> None:
    old = [event(EventState.PROCESSED, NOW - timedelta(days=40)) for _ in range(3)]
    event(EventState.PROCESSED, NOW)

    assert events.clear_payloads(now=NOW, most=purging.BATCH) == 3
    assert PollPosition.objects.get(name=events.POSITION).after_id == old[-1].pk
    IncomingEvent.objects.filter(pk=old[0].pk).update(payload="{}")
    assert events.clear_payloads(now=NOW) == 0


@pytest.mark.parametrize("number", [purging.BATCH - 1, purging.BATCH, purging.BATCH + 1, 2 * purging.BATCH])
def test_batches_end_where_the_rows_do(number: int) -> None:
    backlog.fill(number, analyzed=False)
    IncomingEvent.objects.update(state=EventState.PROCESSED, received_at=NOW)
    IncomingEvent.objects.filter(pk=IncomingEvent.objects.latest("pk").pk).update(received_at=NOW + timedelta(days=50))

    assert events.clear_payloads(now=NOW + timedelta(days=60)) == number - 1
    assert events.purge(now=NOW + timedelta(days=420)) == number - 1
    assert IncomingEvent.objects.count() == 1


def test_a_run_ends_after_its_share_and_the_next_goes_on(user: User) -> None:
    LoginAttempt.objects.bulk_create(LoginAttempt(identifier="a", attempted_at=NOW) for _ in range(2_500))
    rows = LoginAttempt.objects.filter(attempted_at__lte=NOW)

    assert purging.delete(rows, most=1_500) == 2_000
    assert purging.delete(rows, most=1_500) == 500


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_purge_at_once_delete_each_row_once() -> None:
    backlog.fill(3_000, analyzed=False)
    IncomingEvent.objects.update(state=EventState.PROCESSED, received_at=NOW)
    late = NOW + timedelta(days=500)

    answers = races.together([lambda: events.purge(now=late), lambda: events.purge(now=late)])

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert sum(answers) == 3_000
    assert not IncomingEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_error_in_one_rule_leaves_the_others_to_work(user: User) -> None:
    CASES["notices"][0](user)
    CASES["idempotency records"][0](user)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE api_idempotencyrecord RENAME TO elsewhere")
    try:
        with pytest.raises(Exception, match="api_idempotencyrecord"):
            retention.apply(now=NOW + timedelta(days=3_000))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO api_idempotencyrecord")

    assert not Notice.objects.exists()


def test_the_command_tells_what_it_has_deleted(user: User) -> None:
    CASES["page sessions"][0](user)
    told = io.StringIO()
    Session.objects.update(expire_date=timezone.now() - A_MOMENT)

    call_command("purge_expired", stdout=told)

    assert "page sessions: 1\n" in told.getvalue()


def test_every_table_is_listed_with_its_retention() -> None:
    listed = OPERATIONS.read_text()

    tables = set(connection.introspection.table_names())
    assert tables > {model._meta.db_table for model in apps.get_models()}

    assert not sorted(table for table in tables if f"`{table}`" not in listed)

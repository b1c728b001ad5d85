"""Notices from the audit trail: the right users, once, under races, late commits and repetitions."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.utils import translation

from multitask.payments.books import audit
from multitask.payments.losses import chargebacks
from multitask.payments.models import AuditEvent, Escrow, Notice, NoticeCursor, Withdrawal
from multitask.payments.notices import facts, notices, wording
from multitask.payments.notices.notices import BEHIND, RULES
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import mailbag
from tests.integration import races
from tests.payments_world import World, dollars, user_id

SYSTEM = Actor.system("provider")
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def told(actor: Actor) -> list[str]:
    """The kinds of somebody's notices, oldest first."""
    return list(Notice.objects.filter(user_id=actor.user_id).order_by("pk").values_list("kind", flat=True))


def collected(world: World) -> int:
    made = notices.collect(now=world.now)
    mailbag.empty(world.now)
    return made


# -- the story


def test_each_side_is_told_of_what_concerns_its_money(world: World) -> None:
    job = world.released()
    world.settle(job)
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    collected(world)
    assert told(job.client) == ["funded", "delivered", "released"]
    freelancer = ["account_enabled", "funded", "released", "settled", "withdrawal_completed"]
    assert sorted(told(job.freelancer)) == sorted(freelancer)


def test_nobody_is_told_of_what_they_asked_for_themselves(world: World) -> None:
    job = world.delivered()
    collected(world)
    Notice.objects.all().delete()
    NoticeCursor.objects.update(audit_event_id=AuditEvent.objects.latest("pk").pk)
    world.refund(job, note="It is not a logo")
    collected(world)
    assert told(job.client) == []
    assert told(job.freelancer) == ["refund_requested"]


@pytest.mark.parametrize(("outcome", "end"), [("won", "chargeback_won"), ("lost", "chargeback_lost")])
def test_both_sides_learn_that_a_chargeback_is_open_and_how_it_ends(world: World, outcome: str, end: str) -> None:
    job = world.completed()
    opened = world.sandbox.control("POST", "disputes", {"charge": job.charge_id})["id"]
    chargebacks.confirm("stripe", world.provider.read_dispute(opened), world.now)
    world.sandbox.control("POST", f"disputes/{opened}", {"outcome": outcome})
    chargebacks.confirm("stripe", world.provider.read_dispute(opened), world.now)
    collected(world)
    for side in (job.client, job.freelancer):
        assert told(side)[-2:] == ["chargeback_opened", end]


def test_looking_twice_tells_nobody_twice(world: World) -> None:
    world.released()
    first = collected(world)
    assert first > 0
    assert collected(world) == 0
    world.wait(BEHIND * 2)
    assert collected(world) == 0
    NoticeCursor.objects.update(audit_event_id=0)
    assert collected(world) == 0
    assert Notice.objects.count() == first


def test_each_notice_defers_one_email(world: World) -> None:
    world.funded()
    made = notices.collect(now=world.now)
    assert sorted(job["notice_id"] for job in mailbag.waiting()) == sorted(Notice.objects.values_list("pk", flat=True))
    notices.collect(now=world.now)
    assert len(mailbag.waiting()) == made
    assert len(mailbag.empty(world.now)) == made


# -- the cursor


@pytest.fixture
def somebody(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com", is_freelancer=True)


def happen(user: User, number: int, at: datetime = NOW, event: str = "account_enabled") -> list[AuditEvent]:
    return [audit.record(event, actor=SYSTEM, now=at, user_id=user.pk) for _ in range(number)]


def test_many_events_are_read_some_at_a_time(somebody: User) -> None:
    happen(somebody, 25)
    assert notices.collect(now=NOW, limit=10) == 25


def test_events_that_concern_nobody_do_not_stand_in_the_way(somebody: User) -> None:
    for _ in range(12):
        audit.record("account_enabled", actor=SYSTEM, now=NOW)
    happen(somebody, 1)
    assert notices.collect(now=NOW, limit=10) == 1
    assert notices.collect(now=NOW, limit=10) == 0


def test_the_cursor_moves_on_behind_what_may_still_commit(somebody: User) -> None:
    old = happen(somebody, 3, at=NOW - BEHIND - timedelta(seconds=1))
    happen(somebody, 3, at=NOW - BEHIND + timedelta(minutes=1))
    notices.collect(now=NOW)
    assert NoticeCursor.objects.get().audit_event_id == old[-1].pk
    assert notices.collect(now=NOW) == 0


def test_an_event_that_commits_late_is_told_of_all_the_same(database_url: str) -> None:
    somebody = User.objects.create_user("ada", "ada@example.com", is_freelancer=True)
    with psycopg.connect(database_url) as late:
        number = _begin_to_happen(late, somebody)
        assert all(event.pk > number for event in happen(somebody, 2))
        assert notices.collect(now=NOW) == 2
        late.commit()
    assert notices.collect(now=NOW + BEHIND / 2) == 1
    assert notices.collect(now=NOW + BEHIND * 2) == 0
    assert Notice.objects.count() == 3


def _begin_to_happen(late: Any, user: User) -> int:
    made = late.execute(
        "INSERT INTO payments_auditevent (event, at, actor_role, actor_label, request_id, user_id, currency, note,"
        " details) VALUES ('account_enabled', %s, 'system', 'provider', '', %s, '', '', '{}')"
        " RETURNING id",
        [NOW, user.pk],
    )
    return int(made.fetchone()[0])


def test_many_who_look_at_once_tell_once(transactional_db: None) -> None:
    somebody = User.objects.create_user("ada", "ada@example.com", is_freelancer=True)
    happen(somebody, 30)
    answers = races.together([lambda: notices.collect(now=NOW, limit=7)] * 6)
    assert sum(answers) == 30
    assert Notice.objects.count() == 30
    assert len(mailbag.waiting()) == 30


def test_events_that_happen_while_others_look_are_told_of_once_each(transactional_db: None) -> None:
    somebody = User.objects.create_user("ada", "ada@example.com", is_freelancer=True)

    def look() -> int:
        return sum(notices.collect(now=NOW, limit=3) for _ in range(5))

    answers = races.together([look, lambda: happen(somebody, 20), look, lambda: happen(somebody, 20), look])
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    notices.collect(now=NOW)
    assert sorted(Notice.objects.values_list("event_id", flat=True)) == sorted(
        AuditEvent.objects.values_list("pk", flat=True)
    )


# -- reminders


def test_a_client_is_reminded_two_days_before_silence_releases_and_once(world: World) -> None:
    job = world.delivered()
    due = job.escrow.auto_release_at
    assert due is not None
    assert notices.remind(now=due - timedelta(days=3)) == 0
    assert notices.remind(now=due - timedelta(days=1, hours=23)) == 1
    assert notices.remind(now=due - timedelta(hours=1)) == 0
    assert notices.remind(now=due + timedelta(hours=1)) == 0
    notice = Notice.objects.get()
    assert notice.user_id == job.client.user_id
    assert f"on {due:%B} {due.day}, {due.year}." in wording.of(notice).text


def test_nobody_is_reminded_of_what_is_held_or_gone(world: World) -> None:
    frozen, released = world.delivered(), world.released()
    due = frozen.escrow.auto_release_at
    assert due is not None
    Escrow.objects.filter(pk=frozen.escrow.pk).update(frozen_at=world.now)
    assert released.escrow.state == "released"
    assert notices.remind(now=due - timedelta(days=1)) == 0


def test_many_who_remind_at_once_remind_once(transactional_db: None, world: World) -> None:
    due = world.delivered().escrow.auto_release_at
    assert due is not None
    answers = races.together([lambda: notices.remind(now=due - timedelta(hours=3))] * 5)
    assert sorted(answers) == [0, 0, 0, 0, 1]


# -- the words


def one_of_each(world: World) -> Iterable[Notice]:
    """A notice of every kind for both sides, from real rows."""
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    Withdrawal.objects.update(failure_reason="The bank account has been closed.", failure_code="account_closed")
    world.arrive(withdrawal)
    for kind in sorted(wording.KINDS):
        about_withdrawal = kind.startswith("withdrawal")
        about_account = kind.startswith(("account", "destination", "identity"))
        event = audit.record(
            kind,
            actor=SYSTEM,
            now=world.now,
            escrow=None if about_withdrawal or about_account else job.escrow,
            withdrawal=Withdrawal.objects.get() if about_withdrawal else None,
            amount=None if about_account else dollars("100.00"),
            user_id=user_id(job.freelancer),
            details={"masked": "•••• 0002", "usable_from": world.now.isoformat()} if kind.startswith("dest") else {},
        )
        for side in (job.client, job.freelancer):
            yield Notice.objects.create(
                user_id=user_id(side),
                kind=kind,
                reference=f"{kind}:{job.escrow.pk}:2030-01-15" if kind in facts.BY_TIME else f"x:{kind}",
                event=event,
                escrow=event.escrow,
                withdrawal=event.withdrawal,
                created_at=world.now,
            )


def test_every_rule_has_words_and_every_word_a_rule() -> None:
    assert set(RULES) | facts.BY_TIME == wording.KINDS


@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_kind_is_said_to_both_sides_in_both_languages(world: World, language: str) -> None:
    for notice in one_of_each(world):
        with translation.override(language):
            said = wording.of(notice)
        written = f"{said.title} {said.text} {said.button}"
        assert said.title
        assert said.text
        assert said.button
        assert "%(" not in written
        assert "None" not in written
        assert "  " not in written
        assert said.address.startswith("/")
        names_something = any(fact in written for fact in ("Draw a logo", "100", "person", "0002"))
        assert ("\u2068" in written) == (language == "ar" and names_something)


def test_sides_are_spoken_to_in_their_own_words(world: World) -> None:
    job = world.funded()
    notices.collect(now=world.now)
    client, freelancer = (
        wording.of(Notice.objects.get(user_id=side.user_id, kind="funded")) for side in (job.client, job.freelancer)
    )
    assert client.text == f"$100.00 for “Draw a logo” waits in escrow. {job.freelancer.label} can start."
    assert freelancer.text == f"{job.client.label} has paid $100.00 into escrow. You can start with the work."


def test_what_is_said_does_not_change_with_what_happens_later(world: World) -> None:
    job = world.delivered()
    notices.collect(now=world.now)
    notices.remind(now=job.escrow.auto_release_at - timedelta(days=1))  # type: ignore[operator]

    def said() -> list[Any]:
        return [wording.of(notice) for notice in notices.inbox(user_id(job.client))]

    before = said()
    mailbag.empty(world.now)
    world.refund(job, actor=job.freelancer)
    world.work()
    assert said() == before


# -- reading


def test_an_inbox_is_ones_own_and_is_read_up_to_what_was_shown(somebody: User) -> None:
    other = User.objects.create_user("eve", "eve@example.com", is_freelancer=True)
    happen(somebody, 5)
    happen(other, 2)
    notices.collect(now=NOW)
    assert (notices.unread(somebody.pk), notices.unread(somebody.pk, at_most=3), notices.unread(other.pk)) == (5, 3, 2)
    newest = notices.inbox(somebody.pk, limit=2)
    older = notices.inbox(somebody.pk, before=newest[-1].pk, limit=10)
    assert len(older) == 3
    assert {notice.user_id for notice in newest + older} == {somebody.pk}
    assert notices.mark_read(actor=Actor.of(somebody), now=NOW, up_to=newest[-1].pk) == 4
    assert notices.mark_read(actor=Actor.of(somebody), now=NOW, up_to=newest[-1].pk) == 0
    assert notices.mark_read(actor=Actor.system("nobody"), now=NOW, up_to=newest[0].pk) == 0
    assert (notices.unread(somebody.pk), notices.unread(other.pk)) == (1, 2)

"""Staff over the API: no power without a second factor behind the session; only reading without a fresh code."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.payments.escrow import disputes
from multitask.payments.models import Approval, Operation, Refund
from multitask.users import second_factor, sessions
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.api import tokens
from tests import staff
from tests.acceptance.clients import Caller
from tests.integration.backoffice import scenes
from tests.integration.payments.conftest import sandbox, world
from tests.payments_world import Job, World, dollars

__all__ = ["sandbox", "world"]
PASSWORD = "a long enough passphrase"
LIFETIME = timedelta(days=1)
STALE = second_factor.FRESH + timedelta(seconds=5)
Call = tuple[str, dict[str, Any]]


@pytest.fixture
def boss(db: None) -> User:
    """An administrator without a second factor yet."""
    return User.objects.create_superuser("boss", "boss@example.com", PASSWORD)


def with_token(user: User, *, proved_by: int | None = None, proved_ago: timedelta | None = None) -> Caller:
    now = timezone.now()
    session = sessions.begin(user_id=user.pk, now=now, lifetime=LIFETIME, proved_by=proved_by)
    proved_at = None if proved_ago is None else now - proved_ago
    return Caller(Client(), token=tokens.access_for(session, now=now, proved_at=proved_at), user=user)


def release(world: World) -> Call:
    return f"/payments/escrow/{world.completed().escrow.pk}/release/", {}


def refund(world: World) -> Call:
    return f"/payments/escrow/{world.completed().escrow.pk}/refund/", {"reason": "agreed", "amount": "10.00"}


def asked(world: World) -> Refund:
    job = world.started()
    world.refund(job)
    return job.refund


def accept(world: World) -> Call:
    return f"/payments/refunds/{asked(world).pk}/accept/", {}


def refuse(world: World) -> Call:
    return f"/payments/refunds/{asked(world).pk}/refuse/", {}


def settle(world: World) -> Call:
    _job, dispute = scenes.disputed(world)
    body = {"client_amount": "40.00", "freelancer_amount": "60.00", "note": "Half a logo"}
    return f"/payments/disputes/{dispute.pk}/settle/", body


def decide(world: World) -> Call:
    _job, dispute = scenes.disputed(world, scenes.LARGE)
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=scenes.LARGE, freelancer_amount=dollars("0"),
        note="Nothing was delivered", now=world.now,
    )  # fmt: skip
    return f"/payments/approvals/{Approval.objects.get().pk}/decide/", {"approve": True}


def cancel(world: World) -> Call:
    job = world.hired()
    world.ask_to_pay(job)
    return f"/api/tasks/{job.task_id}/cancel/", {}


CALLS: list[Callable[[World], Call]] = [release, refund, accept, refuse, settle, decide, cancel]


def written() -> tuple[int, ...]:
    return Operation.objects.count(), Refund.objects.count(), Approval.objects.filter(decided_at=None).count()


@pytest.mark.parametrize("prepare", CALLS)
def test_without_a_second_factor_behind_it_a_token_has_no_power(
    world: World, boss: User, prepare: Callable[[World], Call]
) -> None:
    path, body = prepare(world)
    before = written()
    unproved = [with_token(boss)]
    device = staff.enrol(boss)
    # A code that a former factor gave, and a claim of a proof that the session never had, prove nothing.
    unproved += [
        with_token(boss, proved_by=device + 1, proved_ago=timedelta()),
        with_token(boss, proved_ago=timedelta()),
    ]
    for caller in unproved:
        answer = caller.post(path, body)
        assert (answer.status, answer.code) == (403, "second_factor_required")
    assert written() == before


@pytest.mark.parametrize("prepare", CALLS)
def test_what_staff_does_takes_a_code_of_the_last_five_minutes(
    world: World, boss: User, prepare: Callable[[World], Call]
) -> None:
    path, body = prepare(world)
    before = written()
    caller = with_token(boss, proved_by=staff.enrol(boss), proved_ago=STALE)
    stale = caller.post(path, body, Idempotency_Key="the-same")
    assert (stale.status, stale.code) == (403, "reauth_required")
    assert written() == before
    proved = caller.post("/api/auth/second-factor/", {"otp": staff.code(boss.pk)})
    caller.token = proved.json["access"]
    assert caller.post(path, body, Idempotency_Key="the-same").status in {200, 202}


def test_without_it_staff_reads_what_everybody_reads(world: World, boss: User) -> None:
    job = world.completed()
    caller = with_token(boss)
    assert caller.get("/api/auth/profile/").status == 200
    assert caller.get("/payments/escrow/").json["results"] == []
    for path in (f"/payments/escrow/{job.escrow.pk}/", "/payments/approvals/"):
        answer = caller.get(path)
        assert (answer.status, answer.code) == (403, "second_factor_required")
    seen = with_token(boss, proved_by=staff.enrol(boss), proved_ago=STALE)
    assert seen.get(f"/payments/escrow/{job.escrow.pk}/").status == 200
    assert seen.get("/payments/approvals/").status == 200


def test_a_large_release_is_answered_as_waiting(world: World, boss: User) -> None:
    job = world.completed(scenes.LARGE)
    caller = with_token(boss, proved_by=staff.enrol(boss), proved_ago=timedelta())
    path = f"/payments/escrow/{job.escrow.pk}/release/"
    asked = caller.post(path, Idempotency_Key="release-1")
    assert (asked.status, asked.json["escrow"]["status"]) == (202, "funded")
    assert asked.json["message"] == "A second person has to approve a release of this size."
    assert caller.post(path, Idempotency_Key="release-1").status == 202
    assert caller.post(path).code == "wrong_state"
    [waiting] = caller.get("/payments/approvals/").json["results"]
    assert (waiting["kind"], waiting["arguments"]["amount_minor"]) == ("release", 250_000)
    own = caller.post(f"/payments/approvals/{waiting['id']}/decide/", {"approve": True})
    assert (own.status, own.code) == (403, "four_eyes")


def test_a_session_stays_proved_when_its_token_is_refreshed_and_asks_for_a_fresh_code(world: World, boss: User) -> None:
    job = world.completed()
    staff.enrol(boss)
    caller = Caller(Client())
    login = caller.post("/api/auth/login/", {"username": "boss", "password": PASSWORD, "otp": staff.code(boss.pk)})
    refreshed = caller.post("/api/auth/token/refresh/", {"refresh": login.json["refresh"]})
    caller.token = refreshed.json["access"]
    assert caller.get(f"/payments/escrow/{job.escrow.pk}/").status == 200
    assert caller.post(f"/payments/escrow/{job.escrow.pk}/release/").code == "reauth_required"


def test_a_session_from_before_the_second_factor_is_proved_by_a_code(world: World, boss: User) -> None:
    job = world.completed()
    caller = with_token(boss)
    staff.enrol(boss)
    assert caller.get(f"/payments/escrow/{job.escrow.pk}/").code == "second_factor_required"
    wrong = caller.post("/api/auth/second-factor/", {"otp": "000000"})
    assert (wrong.status, wrong.code) == (403, "otp_invalid")
    caller.token = caller.post("/api/auth/second-factor/", {"otp": staff.code(boss.pk)}).json["access"]
    assert caller.post(f"/payments/escrow/{job.escrow.pk}/release/").status == 200


def test_a_factor_that_was_taken_away_takes_the_powers_with_it(world: World, boss: User) -> None:
    job = world.completed()
    caller = with_token(boss, proved_by=staff.enrol(boss), proved_ago=timedelta())
    TOTPDevice.objects.filter(user=boss).delete()
    assert caller.get(f"/payments/escrow/{job.escrow.pk}/").code == "second_factor_required"


def test_a_page_session_of_the_staff_is_held_to_the_same(world: World, boss: User) -> None:
    def post(job: Job) -> Any:
        return Caller(browser).post(f"/payments/escrow/{job.escrow.pk}/release/")

    job, browser = world.completed(), Client()
    browser.force_login(boss, backend="multitask.users.backends.UsernameOrEmailBackend")
    assert post(job).code == "second_factor_required"
    staff.prove(browser, boss, timezone.now() - STALE)
    assert post(job).code == "reauth_required"
    staff.prove(browser, boss)
    assert post(job).status == 200


def test_a_client_of_the_staff_releases_as_a_client_with_or_without_it(world: World, boss: User) -> None:
    boss.is_client = True
    boss.save()
    for caller in (with_token(boss), with_token(boss, proved_by=staff.enrol(boss), proved_ago=STALE)):
        job = world.completed(client=Actor.of(boss))
        assert caller.post(f"/payments/escrow/{job.escrow.pk}/release/").status == 200

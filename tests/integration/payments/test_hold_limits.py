"""How long the provider may hold money: frozen when the payment arrives, warned of in time, and nothing by itself."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from multitask.payments.escrow import auto_release, disputes, hold_limits
from multitask.payments.models import Escrow, Notice
from multitask.payments.notices import reminders, wording
from multitask.payments.operations import routes
from multitask.providers.stripe import supported_currencies
from multitask.users.actor import Actor
from multitask.web.backoffice import work_items
from tests.integration.races import together
from tests.payments_world import Job, World


def told(actor: Actor) -> int:
    return Notice.objects.filter(user_id=actor.user_id, kind="hold_ending").count()


def limited(settings: Settings, days: int) -> None:
    settings.ROUTES = {"USD": {"provider": "stripe", "kind": "connected", "hold_days": days}}


def warned(world: World, days: int) -> list[int]:
    """After how many days of the hold warnings are written."""
    start = world.now
    return [
        day for day in range(days + 3) if reminders.remind(now=start + timedelta(days=day, minutes=1))
    ]  # fmt: skip


@pytest.mark.parametrize(("country", "days"), [("US", 730), ("TH", 10), ("DE", 90), ("GB", 90)])
def test_stripe_holds_money_as_long_as_the_platforms_country_allows(country: str, days: int) -> None:
    assert supported_currencies.longest_hold(country) == timedelta(days=days)


@pytest.mark.parametrize(("country", "days"), [("US", 730), ("DE", 90)])
def test_the_end_is_fixed_when_the_money_arrives(world: World, settings: Settings, country: str, days: int) -> None:
    settings.STRIPE_PLATFORM_COUNTRY = country
    job = world.funded()
    assert job.escrow.hold_until_at == world.now + timedelta(days=days)


def test_a_route_may_set_another_limit(world: World, settings: Settings) -> None:
    before = world.funded()
    limited(settings, 20)
    assert world.funded().escrow.hold_until_at == world.now + timedelta(days=20)
    assert before.escrow.hold_until_at == world.now + timedelta(days=730)
    assert routes.longest_hold("EUR", "stripe") == timedelta(days=730)


def test_both_sides_are_warned_a_month_a_week_and_two_days_before(world: World, settings: Settings) -> None:
    limited(settings, 90)
    job = world.started()
    assert warned(world, 90) == [60, 83, 88]
    assert told(job.client) == told(job.freelancer) == 3
    client, freelancer = (
        wording.of(Notice.objects.filter(user_id=side.user_id, kind="hold_ending").latest("pk"))
        for side in (job.client, job.freelancer)
    )
    until = job.escrow.hold_until_at
    assert until is not None
    assert f"{until:%B} {until.day}, {until.year}" in client.text
    assert "release it" in client.text
    assert "deliver the work" in freelancer.text


def test_a_short_hold_has_no_warning_right_after_the_payment(world: World, settings: Settings) -> None:
    limited(settings, 10)
    world.started()
    assert warned(world, 10) == [3, 8]


def test_the_staff_sees_what_may_not_be_held_much_longer(world: World, settings: Settings) -> None:
    limited(settings, 30)
    job = world.started()
    assert not work_items.counts(world.now + timedelta(days=22)).get("hold")
    for day in (23, 31):
        assert work_items.counts(world.now + timedelta(days=day))["hold"] == 1
    assert hold_limits.nearing(world.now + timedelta(days=29)).get() == job.escrow


@pytest.mark.parametrize("is_disputed", [False, True])
def test_nothing_moves_when_the_time_has_passed(world: World, settings: Settings, is_disputed: bool) -> None:
    limited(settings, 10)
    job = world.started()
    if is_disputed:
        disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    state, before = job.escrow.state, job.history()
    warned(world, 20)
    assert auto_release.due(now=world.now + timedelta(days=20)) == []
    assert (job.escrow.state, job.history()) == (state, before)


def test_money_that_has_left_escrow_is_not_warned_of(world: World, settings: Settings) -> None:
    limited(settings, 10)
    released, refunded = world.released(), world.funded()
    world.refund(refunded)
    world.work()
    assert warned(world, 10) == []
    assert not work_items.counts(world.now + timedelta(days=9)).get("hold")
    assert [job.escrow.state for job in (released, refunded)] == ["released", "refunded"]


def test_an_escrow_without_a_limit_is_not_warned_of(world: World) -> None:
    job: Job = world.started()
    Escrow.objects.filter(pk=job.escrow.pk).update(hold_until_at=None)
    assert hold_limits.warning(job.escrow, world.now) is None
    assert reminders.remind(now=world.now + timedelta(days=4_000)) == 0


@pytest.mark.django_db(transaction=True)
def test_many_who_warn_at_once_warn_once(world: World, settings: Settings) -> None:
    limited(settings, 10)
    job = world.started()
    answers = together([lambda: reminders.remind(now=world.now + timedelta(days=4))] * 5)
    assert sorted(answers) == [0, 0, 0, 0, 2]
    assert told(job.client) == told(job.freelancer) == 1

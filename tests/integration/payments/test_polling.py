"""What is open is asked about, often while it is young, so that no lost webhook keeps money waiting."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import override_settings
from pytest_django import Settings

from multitask.money import Money
from multitask.payments.errors import EscrowFrozen
from multitask.payments.models import Chargeback, ConnectedAccount, Payment, Withdrawal
from multitask.webhooks import poll_groups, polling
from tests.payments_world import REFUNDED_LATER, Job, World, dollars, routed, user_id

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Ahead of the provider's clock also when the day ends while the tests run.
MIDNIGHT = datetime.combine(datetime.now(UTC) + 2 * DAY, datetime.min.time(), UTC)


@pytest.fixture(autouse=True)
def begun_at_midnight(world: World) -> None:
    """What the polls are due at is counted from the full hours of a day."""
    world.now = MIDNIGHT


def asked_about(world: World, after: timedelta) -> list[str]:
    """The ids that are due so long after midnight."""
    return [event.object_id for event in polling.due(now=MIDNIGHT + after)]


@pytest.mark.parametrize(
    ("after", "is_due"),
    [
        (timedelta(seconds=29), False),
        (timedelta(seconds=31), True),
        (14 * MINUTE, True),
        (16 * MINUTE, False),
        (30 * MINUTE, True),
        (23 * HOUR + 45 * MINUTE, True),
        (DAY + 45 * MINUTE, False),
        (DAY + HOUR, True),
        (29 * DAY + HOUR, True),
        (31 * DAY + HOUR, False),
        (31 * DAY, True),
        (400 * DAY, True),
    ],
)
def test_the_older_the_rarer(world: World, after: timedelta, is_due: bool) -> None:
    job = world.hired()
    world.ask_to_pay(job)

    assert (job.payment.provider_payment_id in asked_about(world, after)) is is_due


def test_a_payment_is_found_paid(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1

    assert job.escrow.state == "funded"
    assert asked_about(world, 2 * MINUTE) == []


def test_a_payment_is_asked_about_until_its_money_has_a_date(world: World) -> None:
    job = world.funded()
    Payment.objects.update(available_at=None)

    polling.refresh_open(now=MIDNIGHT + MINUTE)

    assert job.payment.available_at is not None


def test_a_refund_under_way_is_asked_about(world: World) -> None:
    world.funded(dollars("500.00"))
    job = world.funded(card=REFUNDED_LATER)
    world.refund(job)
    world.work()
    assert job.refund.state == "pending"

    assert asked_about(world, MINUTE) == [job.refund.provider_refund_id]


def test_an_account_is_found_enabled(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    world.create_account(freelancer)
    world.fill_in(freelancer)

    polling.refresh_open(now=MIDNIGHT + MINUTE)

    assert ConnectedAccount.objects.get(user_id=user_id(freelancer)).onboarding_completed
    assert asked_about(world, 2 * MINUTE) == []


def test_a_payout_is_found_paid_and_once_a_day_found_sent_back(world: World) -> None:
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    asked_at = world.now
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    polling.refresh_open(now=asked_at + MINUTE)
    assert Withdrawal.objects.get().state == "completed"

    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail")
    polling.refresh_open(now=asked_at + 2 * MINUTE)
    assert Withdrawal.objects.get().state == "completed"
    polling.refresh_open(now=datetime.combine(asked_at + DAY, datetime.min.time(), UTC))

    assert Withdrawal.objects.get().state == "failed"
    assert world.wallet(freelancer).available == dollars("85.00")


@pytest.mark.parametrize(("since", "is_due"), [(-MINUTE, True), (timedelta(0), True), (MINUTE, False)])
def test_a_poll_that_had_to_wait_does_what_fell_due_meanwhile(world: World, since: timedelta, is_due: bool) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    assert job.refund.state == "succeeded"

    due = [event.object_id for event in polling.due(now=MIDNIGHT + 3 * MINUTE, since=MIDNIGHT + since)]

    assert (job.refund.provider_refund_id in due) is is_due


def test_one_that_cannot_be_read_keeps_no_other_waiting(world: World) -> None:
    first, second = world.hired(), world.hired()
    for job in (first, second):
        world.ask_to_pay(job)
        world.pay(job)
    # The newest is read first.
    path = f"/v1/payment_intents/{second.payment.provider_payment_id}"
    world.sandbox.add_fault("error_before", method="GET", path=path)

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1

    assert (first.escrow.state, second.escrow.state) == ("funded", "pending_payment")


def contest(world: World, job: Job) -> str:
    """Open a chargeback at the provider, of which no webhook tells; return its id."""
    return str(world.sandbox.control("POST", "disputes", {"charge": job.charge_id})["id"])


def decide(world: World, dispute_id: str, outcome: str) -> None:
    world.sandbox.control("POST", f"disputes/{dispute_id}", {"outcome": outcome})


def test_a_chargeback_is_found_opened_and_decided(world: World) -> None:
    job = world.completed()
    untouched = world.funded()
    dispute_id = contest(world, job)

    assert polling.refresh_open(now=MIDNIGHT + 14 * MINUTE) == 0
    # The chargeback, and the account of the freelancer who is being paid.
    assert polling.refresh_open(now=MIDNIGHT + 15 * MINUTE) == 2
    assert job.history()[-3:] == ["chargeback_opened", "chargeback_withdrawn", "frozen"]
    assert untouched.escrow.frozen_at is None
    with pytest.raises(EscrowFrozen):
        world.release(job)

    decide(world, dispute_id, "won")
    polling.refresh_open(now=MIDNIGHT + 16 * MINUTE)

    assert job.history()[-2:] == ["chargeback_won", "unfrozen"]
    assert world.release(job).state == "released"


@pytest.mark.parametrize(("outcome", "is_frozen"), [("won", False), ("lost", True)])
def test_a_chargeback_whose_beginning_and_end_were_lost_ends_as_by_webhook(
    world: World, outcome: str, is_frozen: bool
) -> None:
    job = world.funded()
    decide(world, contest(world, job), outcome)

    polling.refresh_open(now=MIDNIGHT + HOUR)

    assert Chargeback.objects.get().status == outcome
    assert (job.escrow.frozen_at is not None) is is_frozen


def test_what_is_known_of_chargebacks_is_read_no_second_time(world: World) -> None:
    job = world.funded()
    decide(world, contest(world, job), "won")
    polling.refresh_open(now=MIDNIGHT + HOUR)

    assert polling.refresh_open(now=MIDNIGHT + 2 * HOUR) == 0
    assert job.history().count("chargeback_opened") == job.history().count("chargeback_won") == 1


def test_a_chargeback_of_somebody_elses_payment_is_passed_over(world: World) -> None:
    contest(world, world.funded())
    Payment.objects.update(provider_payment_id="pi_another", provider_collection_id="ch_another")

    assert list(polling.changed_chargebacks(now=MIDNIGHT + HOUR)) == []


def test_a_chargeback_in_money_that_we_have_no_units_for_hides_no_other(world: World, settings: Settings) -> None:
    settings.ROUTES = routed("USD", "ISK")
    job, other = world.funded(), world.funded(Money(1_500, "ISK"))
    contest(world, job)
    # Stripe counts this currency in hundredths, which do not exist.
    world.sandbox.control("POST", "disputes", {"charge": other.charge_id, "amount": 150})

    polling.refresh_open(now=MIDNIGHT + HOUR)

    assert (job.escrow.frozen_at, other.escrow.frozen_at) == (MIDNIGHT + HOUR, None)


def test_an_undecided_chargeback_is_asked_about_for_as_long_as_the_bank_takes(world: World) -> None:
    job = world.funded()
    dispute_id = contest(world, job)
    polling.refresh_open(now=MIDNIGHT)

    assert asked_about(world, MINUTE) == [dispute_id]
    assert asked_about(world, 16 * MINUTE) == []
    assert asked_about(world, 29 * DAY + HOUR) == [dispute_id]
    assert asked_about(world, 90 * DAY + HOUR) == []
    assert asked_about(world, 90 * DAY) == [dispute_id]
    decide(world, dispute_id, "lost")
    polling.refresh_open(now=MIDNIGHT + 90 * DAY)
    assert Chargeback.objects.get().closed_at == MIDNIGHT + 90 * DAY
    assert asked_about(world, 91 * DAY) == []


def test_an_outage_of_weeks_hides_no_chargeback(world: World) -> None:
    dispute_id = contest(world, world.funded())

    found = [event.object_id for event in polling.changed_chargebacks(now=MIDNIGHT + 20 * DAY)]

    assert found == [dispute_id]
    assert list(polling.changed_chargebacks(now=MIDNIGHT + 20 * DAY + HOUR)) == []


def test_a_list_of_chargebacks_that_is_not_answered_keeps_nothing_waiting(world: World) -> None:
    job, contested = world.hired(), world.funded()
    world.ask_to_pay(job)
    world.pay(job)
    contest(world, contested)
    world.sandbox.add_fault("error_before", method="GET", path="/v1/disputes", count=1)

    assert polling.refresh_open(now=MIDNIGHT + 15 * MINUTE) == 1
    assert (job.escrow.state, contested.escrow.frozen_at) == ("funded", None)
    polling.refresh_open(now=MIDNIGHT + 30 * MINUTE)

    assert contested.escrow.frozen_at == MIDNIGHT + 30 * MINUTE


_COPIES = """
INSERT INTO {table} ({columns})
SELECT {columns} FROM (
    SELECT (jsonb_populate_record(
               NULL::{table}, to_jsonb(one) || jsonb_build_object('id', one.id + number) || {changed})).*
      FROM {table} AS one, generate_series(1, %s) AS number WHERE one.id = %s) AS made
"""
_WRITABLE = "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"


def copy_payment(job: Job, number: int) -> None:
    """Have so many newer payments beside a job's, which the provider knows nothing of."""
    payment, escrow = job.payment, job.escrow
    copied = {
        "payments_agreement": (
            escrow.agreement_id,
            "jsonb_build_object('public_id', gen_random_uuid(), 'reference', 'copy:' || number)",
        ),
        "payments_milestone": (
            escrow.milestone_id,
            "jsonb_build_object('public_id', gen_random_uuid(), 'agreement_id', one.agreement_id + number)",
        ),
        "payments_escrow": (
            escrow.pk,
            "jsonb_build_object('public_id', gen_random_uuid(), 'agreement_id', one.agreement_id + number,"
            " 'milestone_id', one.milestone_id + number, 'provider_payment_id', 'pi_copy' || number)",
        ),
        "payments_payment": (
            payment.pk,
            "jsonb_build_object('escrow_id', one.escrow_id + number, 'provider_payment_id', 'pi_copy' || number)",
        ),
    }
    with connection.cursor() as cursor:
        for table, (row_id, changed) in copied.items():
            cursor.execute(_WRITABLE, [table])
            columns = ", ".join(column for (column,) in cursor.fetchall())
            cursor.execute(_COPIES.format(table=table, columns=columns, changed=changed), [number, row_id])


@pytest.mark.breaks_the_books  # The copies have no history.
def test_the_oldest_of_many_is_read_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "LONGEST_SECONDS", 900)
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    copy_payment(job, poll_groups.NEWEST + 2 * poll_groups.BEHIND + 200)

    # A poll at a minute when these are due, and two at minutes when they are not.
    found = [polling.refresh_open(now=MIDNIGHT + 30 * MINUTE + number * MINUTE) for number in range(3)]

    assert found == [0, 0, 1]
    assert job.escrow.state == "funded"
    assert polling.refresh_open(now=MIDNIGHT + 33 * MINUTE) == 0


def test_a_poll_after_a_pause_does_what_fell_due_in_it(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    polling.refresh_open(now=MIDNIGHT - MINUTE)

    # Once a day, at midnight, when no poll was made.
    assert polling.refresh_open(now=MIDNIGHT + 21 * HOUR) == 1
    assert polling.refresh_open(now=MIDNIGHT + 21 * HOUR + MINUTE) == 0


def test_a_refund_that_was_sent_back_while_no_poll_was_made_is_found(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    world.learn_of_refund(job.refund)
    polling.refresh_open(now=MIDNIGHT + 10 * DAY)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})
    # By now it is older than what is polled once a day; it was younger when the polls stopped.
    polling.refresh_open(now=MIDNIGHT + 30 * DAY)
    assert job.refund.state == "failed"


def test_a_poll_after_the_clock_was_set_back_goes_on(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    polling.refresh_open(now=MIDNIGHT + 3 * DAY)
    world.pay(job)

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1


def test_a_poll_that_the_provider_refuses_goes_on_a_minute_later(world: World) -> None:
    jobs = [world.hired() for _ in range(3)]
    for job in jobs:
        world.ask_to_pay(job)
        world.pay(job)
    world.sandbox.add_fault("rate_limit", method="GET", path="/v1/payment_intents/*", count=1)

    # Due at this minute and not at the next: the limit is not the newest's fault, so that one is read too.
    assert polling.refresh_open(now=MIDNIGHT + 30 * MINUTE) == 0
    assert polling.refresh_open(now=MIDNIGHT + 31 * MINUTE) == 3
    assert polling.refresh_open(now=MIDNIGHT + 32 * MINUTE) == 0


def test_an_object_that_may_be_why_calls_are_refused_keeps_no_other_waiting(world: World) -> None:
    jobs = [world.hired() for _ in range(3)]
    for job in jobs:
        world.ask_to_pay(job)
        world.pay(job)
    with override_settings(STRIPE_SECRET_KEY="revoked"):
        # An answer of 401 or 403 may be about what is asked for.
        assert polling.refresh_open(now=MIDNIGHT + 30 * MINUTE) == 0

    # The newest has its turn when they are due again.
    assert polling.refresh_open(now=MIDNIGHT + 31 * MINUTE) == 2
    assert polling.refresh_open(now=MIDNIGHT + 32 * MINUTE) == 0
    assert polling.refresh_open(now=MIDNIGHT + 45 * MINUTE) == 1

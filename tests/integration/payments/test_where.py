"""Where each cent of an escrow and of a wallet is, and why it is not further, as each side may see it."""

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Model

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.books import audit
from multitask.payments.escrow import disputes, inquiries
from multitask.payments.losses import booking, late_refunds, outside_reversals, refund_losses
from multitask.payments.losses.waterfall import Shares
from multitask.payments.models import (
    Approval,
    AuditEvent,
    Chargeback,
    ConnectedAccount,
    Loss,
    Reversal,
    Withdrawal,
)
from multitask.payments.reads import escrow_detail, escrows, wallet_views, where
from multitask.payments.reads.allocation import Place
from multitask.payments.reads.where import Where
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.integration.payments import orm_reads
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.payments_world import Job, World, dollars, user_id

Row = tuple[str, int, str, str | None]


def rows(found: list[Where]) -> list[Row]:
    return [
        (row.place.value, row.amount.amount_minor, row.reason.value, row.depends_on.value if row.depends_on else None)
        for row in found
    ]


def seen_by(world: World, reader: Actor, job: Job) -> list[Row]:
    """What a reader is shown of an escrow; it adds up to the whole, and the hand-written statement answers the same."""
    found = where.of_escrow(reader, job.escrow, world.now)
    if access.visible_escrows(reader).filter(pk=job.escrow.pk).exists():
        assert found == detail_of(world, reader, job)
    assert sum(row.amount.amount_minor for row in found) == job.escrow.total_minor
    assert len({row.place for row in found}) == len(found)
    return rows(found)


def detail_of(world: World, reader: Actor, job: Job) -> list[Where]:
    """Where the money is by the hand-written statement; the rest of it is what the ORM reads."""
    view, found = escrow_detail.read(reader, job.escrow.pk, world.now)
    by_orm = escrows.one(reader, job.escrow.pk)
    assert view == by_orm
    assert by_columns(view.escrow) == by_columns(by_orm.escrow)
    assert [told(event) for event in view.timeline] == [told(event) for event in by_orm.timeline]
    assert list(map(by_columns, view.chargebacks)) == list(map(by_columns, by_orm.chargebacks))
    return found


def by_columns(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def told(event: AuditEvent) -> tuple[Any, ...]:
    actor = (event.actor_role, event.actor_label)
    return event.pk, event.event, event.at, actor, event.amount_minor, event.currency, event.note


def wallet_of(world: World, actor: Actor) -> list[Row]:
    """What a person is shown of their wallet; it adds up to the balances, which are those of the ORM."""
    person = user_id(actor)
    view = wallet_views.read(user_id=person, default_currency="USD", now=world.now)[0]
    held = view.held
    whole = held.escrowed + held.pending + held.available + held.withdrawing + held.contested
    assert sum(row.amount.amount_minor for row in view.where) == whole.amount_minor
    by_orm = orm_reads.balances(person, "USD")
    assert {name: getattr(held, name).amount_minor for name in by_orm} == by_orm
    decided = {Place.ESCROW, Place.PENDING, Place.CONTESTED}
    explained = {(row.place, row.reason, row.until): row.amount.amount_minor for row in view.where}
    reasons = {key: amount for key, amount in explained.items() if key[0] in decided}
    assert reasons == orm_reads.reasons(person, "USD", world.now)
    return rows(view.where)


def test_before_the_payment(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    assert seen_by(world, job.client, job) == [("unpaid", 10_000, "not_paid", "client")]


def test_while_the_work_goes_on(world: World) -> None:
    job = world.started()
    assert seen_by(world, job.client, job) == [("escrow", 10_000, "work_under_way", "freelancer")]
    assert wallet_of(world, job.freelancer) == [("escrow", 10_000, "work_under_way", "freelancer")]
    assert wallet_of(world, job.client) == [("escrow", 10_000, "work_under_way", "freelancer")]


def test_a_delivery_waits_for_the_client_until_a_day(world: World) -> None:
    job = world.delivered()
    found = where.of_escrow(job.client, job.escrow, world.now)
    assert rows(found) == [("escrow", 10_000, "confirmation_due", "client")]
    assert found[0].until == job.escrow.auto_release_at


def test_a_refund_request_waits_for_the_freelancer(world: World) -> None:
    job = world.started()
    world.refund(job, amount=dollars("40.00"))
    found = where.of_escrow(job.client, job.escrow, world.now)
    assert rows(found) == [("escrow", 10_000, "refund_requested", "freelancer")]
    assert found[0].until == job.refund.answer_by_at
    assert wallet_of(world, job.client) == [("escrow", 10_000, "refund_requested", "freelancer")]


def test_a_dispute_and_a_second_person_wait_for_the_staff(world: World) -> None:
    job = world.started(dollars("2000.00"))
    asked = world.refund(job, world.staff())
    assert isinstance(asked, Approval)
    assert seen_by(world, job.client, job) == [("escrow", 200_000, "second_person", "staff")]
    disputed = world.started()
    disputes.open_dispute(actor=disputed.client, escrow_id=disputed.escrow.pk, reason="Late", now=world.now)
    assert seen_by(world, disputed.client, disputed) == [("escrow", 10_000, "disputed", "staff")]


def test_a_share_without_an_account_waits_for_its_payee(world: World) -> None:
    job = world.completed(freelancer=world.freelancer(onboarded=False))
    world.release(job)
    assert seen_by(world, job.freelancer, job) == [("pending", 8_500, "no_account", "freelancer"), FEE]
    assert seen_by(world, job.client, job) == [("pending", 8_500, "awaits_payee", "freelancer"), FEE]
    assert wallet_of(world, job.freelancer) == [("pending", 8_500, "no_account", "freelancer")]


FEE: Row = ("fee", 1_500, "done", None)


def test_a_share_settles_until_a_day(world: World) -> None:
    job = world.released()
    found = where.of_escrow(job.freelancer, job.escrow, world.now)
    assert rows(found) == [("pending", 8_500, "settling", "provider"), FEE]
    assert found[0].until == job.payment.available_at


def test_the_client_does_not_see_what_the_freelancer_withdrew_or_owed(world: World) -> None:
    job = world.settled()
    world.withdrawn(job.freelancer, dollars("60.00"))
    leaving = ("withdrawing", 6_000, "withdrawal_under_way", "bank")
    left = ("available", 2_500, "not_withdrawn", "freelancer")
    assert sorted(seen_by(world, job.freelancer, job)) == sorted([leaving, left, FEE])
    assert sorted(seen_by(world, job.client, job)) == sorted([("released", 8_500, "done", None), FEE])
    assert sorted(wallet_of(world, job.freelancer)) == sorted([leaving, left])


@pytest.mark.parametrize(
    ("state", "reason", "who"),
    [
        ({"payouts_enabled": False, "requirements": {"currently_due": ["document"]}}, "incomplete", "freelancer"),
        ({"payouts_enabled": False}, "checked", "provider"),
        ({"bank_currencies": []}, "no_bank", "freelancer"),
        ({"rejection": "fraud"}, "ended", "freelancer"),
        ({"closed": True}, "out_of_reach", "staff"),
    ],
)
def test_available_money_that_cannot_be_withdrawn_says_why(
    world: World, state: dict[str, Any], reason: str, who: str
) -> None:
    job = world.settled()
    ConnectedAccount.objects.filter(user_id=user_id(job.freelancer)).update(**state)
    assert wallet_of(world, job.freelancer) == [("available", 8_500, reason, who)]
    assert ("available", 8_500, reason, who) in seen_by(world, job.freelancer, job)
    assert ("released", 8_500, "done", None) in seen_by(world, job.client, job)


def test_what_was_netted_is_shown_to_the_payee_alone(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    late_refunds.refund(actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    later = world.released(dollars("60.00"), freelancer=job.freelancer)
    fee: Row = ("fee", 900, "done", None)
    assert sorted(seen_by(world, job.freelancer, later)) == sorted([("netted", 5_100, "done", None), fee])
    assert sorted(seen_by(world, later.client, later)) == sorted([("released", 5_100, "done", None), fee])
    assert all(event.event != "receivable_netted" or not audit.is_visible(later.client, event)
               for event in later.escrow.audit_events.select_related("escrow"))  # fmt: skip


def test_a_chargeback_holds_what_it_contests(world: World) -> None:
    job = world.released()
    dispute = contest(world, job)
    for reader in (job.client, job.freelancer):
        assert seen_by(world, reader, job) == [("contested", 8_500, "evidence_due", "staff"), FEE]
    assert wallet_of(world, job.freelancer) == [("contested", 8_500, "evidence_due", "staff")]
    close(world, dispute, "won")
    assert seen_by(world, job.freelancer, job)[0][:3] == ("pending", 8_500, "settling")


def test_a_reversal_at_the_provider_waits_for_the_staff(world: World) -> None:
    job = world.settled()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()
    held: Row = ("contested", 5_000, "reversed", "staff")
    assert held in seen_by(world, job.freelancer, job)
    assert ("released", 8_500, "done", None) in seen_by(world, job.client, job)
    assert held in wallet_of(world, job.freelancer)
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=Reversal.objects.get().pk, now=world.now)
    assert ("contested", 5_000, "transfer_again", "provider") in seen_by(world, job.freelancer, job)


def test_a_refund_after_the_release_is_on_its_way_and_then_done(world: World) -> None:
    job = world.released()
    late_refunds.refund(actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    assert seen_by(world, job.client, job) == [("returned", 10_000, "refund_under_way", "provider")]
    world.work()
    world.learn_of_refund(job.refund)
    assert seen_by(world, job.client, job) == [("returned", 10_000, "done", None)]
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    assert seen_by(world, job.client, job) == [("returned", 10_000, "refund_failed", "staff")]


def test_every_reason_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    missing = {
        str(value) for kind in (where.Reason, where.Place, where.Party) for value in kind if f"`{value}`" not in page
    }
    assert not missing


# -- random stories


def borne(loss: Loss) -> Shares:
    """Who bore a loss."""
    return Shares(
        escrow=loss.escrow_minor,
        payee=loss.payee_minor,
        fee=loss.fee_minor,
        receivable=loss.receivable_minor,
        platform=loss.platform_minor,
    )


class Tale:
    """One random story of a few escrows of one freelancer; after each step everything adds up."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.freelancer = world.freelancer()
        self.jobs: list[Job] = []
        self.told: list[str] = []

    def step(self) -> None:
        steps = (self.hire, self.release, self.refund, self.give_back, self.contest, self.decide, self.settle,
                 self.withdraw, self.reverse, self.ask_back)  # fmt: skip
        step = self.random.choice(steps) if self.jobs else self.hire
        self.told.append(step.__name__)
        step()
        self.look()

    def look(self) -> None:
        try:
            for job in self.jobs:
                for reader in (job.client, job.freelancer, self.staff):
                    seen_by(self.world, reader, job)
            wallet_of(self.world, self.freelancer)
        except AssertionError as error:
            raise AssertionError(json.dumps(self.told)) from error

    @property
    def staff(self) -> Actor:
        found = User.objects.filter(staff_role="finance").first()
        return self.world.staff() if found is None else Actor.of(found)

    def job(self, *states: str) -> Job | None:
        fitting = [job for job in self.jobs if job.escrow.state in states and job.escrow.frozen_at is None]
        return self.random.choice(fitting) if fitting else None

    def hire(self) -> None:
        amount = dollars(f"{self.random.randint(20, 300)}.{self.random.randint(0, 99):02}")
        self.jobs.append(self.world.completed(amount, freelancer=self.freelancer))

    def release(self) -> None:
        if job := self.job("funded"):
            self.world.release(job)
            self.world.work()

    def refund(self) -> None:
        if (job := self.job("funded")) and job.escrow.remaining.amount_minor > 200:
            part = dollars(f"{self.random.randint(1, job.escrow.remaining.amount_minor // 100)}.00")
            self.world.refund(job, job.freelancer, part)
            self.world.work()

    def ask_back(self) -> None:
        if job := self.inquired() or self.job("released"):
            left = job.escrow.released_minor - job.escrow.returned_minor
            if left > 200:
                self.give(job, dollars(f"{self.random.randint(1, left // 100)}.00"))

    def inquired(self) -> Job | None:
        """A job of which the staff may refund what was released although a bank asks about it."""
        frozen = [job for job in self.jobs if job.escrow.state == "released" and job.escrow.frozen_at is not None]
        fitting = [job for job in frozen if inquiries.is_frozen_only_by_inquiry(job.escrow)]
        fitting = [job for job in fitting if not job.escrow.reversals.filter(is_decided=False).exists()]
        return self.random.choice(fitting) if fitting else None

    def give_back(self) -> None:
        job = self.inquired() or self.job("released")
        if job and job.escrow.released_minor > job.escrow.returned_minor:
            self.give(job, None)

    def give(self, job: Job, amount: Any) -> None:
        escrow = job.escrow
        left = Money(escrow.released_minor - escrow.returned_minor, escrow.currency)
        previewed = refund_losses.preview(escrow, amount or left)
        made = late_refunds.refund(
            actor=self.world.staff(), escrow_id=escrow.pk, amount=amount, reason="agreed", now=self.world.now
        )
        if not isinstance(made, Approval):
            assert borne(Loss.objects.get(refund=made)) == previewed
        if self.random.random() < 0.5 and not isinstance(made, Approval):
            self.world.work()
            self.world.learn_of_refund(made)

    def contest(self) -> None:
        job = self.job("funded", "released")
        if job and not job.escrow.refunds.exists() and not job.escrow.chargebacks.exists():
            contest(self.world, job, inquiry=self.random.random() < 0.5)

    def decide(self) -> None:
        for job in self.jobs:
            chargeback = job.escrow.chargebacks.filter(closed_at=None).first()
            if chargeback is not None:
                self.end(chargeback)
                return

    def end(self, chargeback: Chargeback) -> None:
        learn(self.world, chargeback.provider_dispute_id)
        chargeback.refresh_from_db()
        if chargeback.closed_at is not None:
            return  # A refund has ended the inquiry.
        outcomes = ["won", "escalated"] if chargeback.is_inquiry else ["won", "lost"]
        close(self.world, chargeback.provider_dispute_id, self.random.choice(outcomes))
        self.book(chargeback)

    def book(self, chargeback: Chargeback) -> None:
        chargeback.refresh_from_db()
        if chargeback.status != "lost":
            return
        previewed = booking.preview(chargeback)
        booked = booking.book(actor=self.world.staff(), chargeback_id=chargeback.pk, now=self.world.now)
        assert isinstance(booked, Loss)
        assert borne(booked) == previewed
        self.world.work()

    def settle(self) -> None:
        self.world.wait(timedelta(days=2, minutes=1))
        for job in self.jobs:
            self.world.settle(job)

    def withdraw(self) -> None:
        available = self.world.wallet(self.freelancer).available.amount_minor
        if available >= 200:
            amount = dollars(f"{self.random.randint(1, available // 100)}.00")
            self.world.withdrawn(self.freelancer, amount)
            if self.random.random() < 0.5:
                self.world.arrive(Withdrawal.objects.latest("pk"))

    def reverse(self) -> None:
        job = self.job("released")
        if job and job.escrow.payee_share.amount_minor > 200 and job.transfer.state == "succeeded":
            if job.escrow.reversals.exists() or job.escrow.losses.exists():
                return
            self.world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="100")
            self.world.hear()


@pytest.mark.parametrize("seed", range(8))
def test_everything_adds_up_in_random_stories(world: World, seed: int) -> None:
    tale = Tale(world, seed)
    for _ in range(16):
        tale.step()

"""Rows that no command writes are refused by the database or reported by the invariants."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from multitask import ledger
from multitask.ledger import checks, proof
from multitask.payments.books import postings
from multitask.payments.escrow import disputes
from multitask.payments.models import Escrow, HistoryTotal, Payment, Refund, Withdrawal
from tests import sound_books
from tests.payments_world import Job, World, dollars

# Sums over all there is, and what no posting is about.
FULL_PROOF_ONLY = {"the platform holds the fees of all releases", "no amount in suspense is hidden"}


def found(*, posted: bool = True) -> set[str]:
    """The names of the invariants that are broken; the incremental proof finds the same in what was `posted`."""
    broken = {violation.invariant for violation in checks.run()}
    assert {violation.invariant for violation in sound_books.violations()} == broken
    assert {violation.invariant for violation in proof.run()} == (broken - FULL_PROOF_ONLY if posted else set())
    return broken


@pytest.fixture
def ended(world: World) -> None:
    """A task shared by a settled dispute, whose freelancer withdraws."""
    job = world.started(freelancer=world.freelancer())
    dispute = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    disputes.settle(
        actor=world.staff(),
        dispute_id=dispute.pk,
        client_amount=dollars("40.00"),
        freelancer_amount=dollars("60.00"),
        now=world.now,
    )
    world.work()
    world.settle(job)
    world.withdraw(job.freelancer, dollars("10.00"))


def plant(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.breaks_the_books
@pytest.mark.parametrize("state", ["released", "refunded", "cancelled", "pending_payment"])
def test_a_closed_escrow_that_holds_money_is_found(world: World, state: str) -> None:
    job = world.funded()
    Escrow.objects.filter(pk=job.escrow.pk).update(state=state)
    assert "a closed or unpaid escrow holds no money" in found()


@pytest.mark.breaks_the_books
@pytest.mark.parametrize("state", ["funded", "disputed"])
def test_an_open_escrow_that_holds_too_little_is_found(world: World, state: str) -> None:
    job = world.completed()
    world.release(job)
    Escrow.objects.filter(pk=job.escrow.pk).update(state=state)
    assert "a funded or disputed escrow holds its remaining amount" in found()


@pytest.mark.breaks_the_books
def test_an_open_escrow_that_was_never_funded_is_found(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    Escrow.objects.update(state="funded")
    assert found(posted=False) == {
        "a funded or disputed escrow holds its remaining amount",
        "the kept totals of escrowed money are what the escrows of both sides hold",
    }


@pytest.mark.breaks_the_books
def test_an_escrow_that_shared_out_less_than_it_took_in_is_found(world: World) -> None:
    job = world.completed()
    world.release(job)
    Escrow.objects.update(released_minor=9_000)
    assert "a released escrow has released and refunded its total" in found()


@pytest.mark.breaks_the_books
def test_a_withdrawal_that_nothing_was_set_aside_for_is_found(world: World) -> None:
    freelancer = world.settled().freelancer
    world.withdraw(freelancer, dollars("50.00"))
    Withdrawal.objects.update(amount_minor=6_000)
    assert found() == {
        "open withdrawals are set aside until they are paid",
        "available balances are settled shares less withdrawals",
        "the history matches payments, refunds, releases and withdrawals",
    }


@pytest.mark.breaks_the_books
def test_money_that_is_set_aside_for_nothing_is_found(world: World) -> None:
    freelancer = world.settled().freelancer
    world.withdraw(freelancer, dollars("50.00"))
    Withdrawal.objects.update(state="completed")
    assert found() == {
        "open withdrawals are set aside until they are paid",
        "the history matches payments, refunds, releases and withdrawals",
    }


@pytest.mark.breaks_the_books
def test_a_share_that_is_marked_settled_and_still_pending_is_found(world: World) -> None:
    world.released()
    Escrow.objects.update(made_available_at=world.now)
    assert found() == {
        "released shares that have not settled are pending",
        "available balances are settled shares less withdrawals",
    }


@pytest.mark.breaks_the_books
@pytest.mark.parametrize("change", [{"rows": 7}, {"amount_minor": 7}, {"fee_minor": 7}])
def test_a_total_that_is_not_the_sum_of_its_rows_is_found(world: World, change: dict[str, Any]) -> None:
    world.funded()
    HistoryTotal.objects.filter(rows=1).update(**change)
    assert found() == {"history totals are the sums of the history"}


@pytest.mark.breaks_the_books
def test_money_that_is_available_to_nobodys_merit_is_found(world: World) -> None:
    job = world.settled()
    freelancer = job.escrow.freelancer_id
    given = [
        ledger.Leg(postings.fees_account(), dollars("-5.00")),
        ledger.Leg(postings.available_account(freelancer), dollars("5.00")),
    ]
    with transaction.atomic():
        ledger.post(kind="gift", scope="test", key=str(job.escrow.pk), legs=given, effective_at=world.now)
    assert found() == {
        "available balances are settled shares less withdrawals",
        "the platform holds the fees of all releases",
    }


@pytest.mark.breaks_the_books
@pytest.mark.parametrize("state", ["succeeded", "returned"])
def test_money_that_is_kept_apart_for_no_payment_is_found(world: World, state: str) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    returns_to = job.payment
    with transaction.atomic():
        postings.receive_unapplied(returns_to, dollars("90.00"), world.now)
    Payment.objects.filter(pk=returns_to.pk).update(state="review", received_minor=9_000, received_currency="USD")
    assert found() == {"the history matches payments, refunds, releases and withdrawals"}
    Payment.objects.filter(pk=returns_to.pk).update(state=state)
    assert "an unapplied payment is held separately until it is refunded" in found()


def test_a_history_that_tells_something_else_is_found(ended: None) -> None:
    changes = ("status = 'cancelled'", "amount_minor = amount_minor + 1", "reference = 'lost:' || id")
    for kind in ("escrow_deposit", "escrow_release", "refund", "withdrawal"):
        for change in changes:
            with transaction.atomic():
                plant(f"UPDATE payments_historyrow SET {change} WHERE type = '{kind}'")
                assert found() == {"the history matches payments, refunds, releases and withdrawals"}
                transaction.set_rollback(True)
    assert found() == set()


def test_sound_books_have_nothing_to_find_at_any_stage(world: World) -> None:
    stages: list[Callable[[], Job]] = [
        world.hired, world.funded, world.started, world.delivered, world.completed, world.released, world.settled,
    ]  # fmt: skip
    for stage in stages:
        stage()
        assert found() == set()


# -- constraints


REFUSED = [
    ("a fee of more than the whole", "UPDATE payments_escrow SET fee_minor = 20000"),
    ("shares that do not add up", "UPDATE payments_escrow SET freelancer_minor = freelancer_minor + 1"),
    ("a total of nothing", "UPDATE payments_escrow SET total_minor = 0, fee_minor = 0, freelancer_minor = 0"),
    ("more out than in", "UPDATE payments_escrow SET released_minor = 6000, refunded_minor = 6000"),
    ("a negative refund", "UPDATE payments_escrow SET refunded_minor = -1"),
    ("a fee of more than was released", "UPDATE payments_escrow SET released_fee_minor = 1"),
    ("both sides in one person", "UPDATE payments_escrow SET freelancer_id = client_id"),
    ("a state that is none", "UPDATE payments_escrow SET state = 'lost'"),
    ("a currency in small letters", "UPDATE payments_escrow SET currency = 'usd'"),
    ("a payment of nothing", "UPDATE payments_payment SET amount_minor = 0"),
    ("a payment in a state that is none", "UPDATE payments_payment SET state = 'lost'"),
]


@pytest.mark.parametrize("statement", [sql for _, sql in REFUSED], ids=[name for name, _ in REFUSED])
def test_the_database_refuses(world: World, statement: str) -> None:
    world.funded()
    with pytest.raises(IntegrityError), transaction.atomic():
        plant(statement)


def again(model: type[Any], **changed: Any) -> None:
    """Insert a copy of the newest row."""
    row = model.objects.latest("pk")
    row.pk = None
    for name, value in changed.items():
        setattr(row, name, value)
    row.save(force_insert=True)


def test_a_task_has_one_living_escrow(world: World) -> None:
    import uuid

    world.funded()
    with pytest.raises(IntegrityError), transaction.atomic():
        again(Escrow, public_id=uuid.uuid4())
    again(Escrow, public_id=uuid.uuid4(), state="cancelled")


def test_an_escrow_has_one_open_refund(world: World) -> None:
    import uuid

    job = world.started()
    world.refund(job, amount=dollars("10.00"))
    for state in ("requested", "pending"):
        with pytest.raises(IntegrityError), transaction.atomic():
            again(Refund, public_id=uuid.uuid4(), state=state)
    again(Refund, public_id=uuid.uuid4(), state="withdrawn")


def test_an_escrow_has_one_open_dispute(world: World) -> None:
    import uuid

    from multitask.payments.models import Dispute

    job = world.started()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    with pytest.raises(IntegrityError), transaction.atomic():
        again(Dispute, public_id=uuid.uuid4())


def test_the_database_too_insists_on_four_eyes(world: World) -> None:
    from multitask.payments.models import Approval

    world.refund(world.funded(dollars("2000")), world.staff())
    with pytest.raises(IntegrityError), transaction.atomic():
        plant("UPDATE payments_approval SET decided_by_id = requested_by_id")
    with pytest.raises(IntegrityError), transaction.atomic():
        again(Approval)


@pytest.mark.breaks_the_books
@pytest.mark.parametrize("amount", [2_999, 3_001])
def test_a_refund_of_another_amount_than_was_moved_is_found(world: World, amount: int) -> None:
    job = world.funded()
    world.refund(job, job.client, dollars("30.00"))
    Refund.objects.update(amount_minor=amount)
    assert "a pending refund holds its amount and a paid one has paid it" in found()
    Refund.objects.update(amount_minor=3_000)
    world.work()
    Refund.objects.update(amount_minor=amount)
    assert {
        "a pending refund holds its amount and a paid one has paid it",
        "the refunded amount of an escrow is the sum of its paid refunds",
    } <= found()


@pytest.mark.breaks_the_books
def test_an_escrow_that_says_another_sum_than_its_refunds_is_found(world: World) -> None:
    job = world.funded()
    world.refund(job, job.client, dollars("100.00"))
    world.work()
    assert job.escrow.state == "refunded"
    Escrow.objects.update(refunded_minor=9_999)
    assert found() == {"the refunded amount of an escrow is the sum of its paid refunds"}

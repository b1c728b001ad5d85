"""The freelancer's share: transferred to the connected account, and settled there."""

import pytest

from multitask.money import Money
from multitask.payments.errors import Forbidden, UnknownObject
from multitask.payments.models import ConnectedAccount, Escrow, Payment
from multitask.payments.operations import engine
from multitask.payments.payouts import availability, transfer_retries, transfers
from multitask.payments.provider import TransferState, TransferStatus
from tests.payments_world import SETTLED_AT_ONCE, SETTLING, Job, World, dollars, held, user_id


def received(world: World, job: Job) -> int:
    """What the connected account holds by our books."""
    return -held(f"provider:stripe:account:{world.account(job.freelancer).pk}")


def available(job: Job) -> int:
    return held(f"user:{user_id(job.freelancer)}:available")


def test_a_release_is_transferred_from_its_own_charge(world: World) -> None:
    job = world.released()
    (made,) = world.made("transfer", f"create_transfer:{job.escrow.pk}:1")
    assert (made["amount"], made["currency"]) == (8_500, "usd")
    assert made["source_transaction"] == job.charge_id
    assert made["destination"] == world.account(job.freelancer).provider_account_id
    assert received(world, job) == 8_500
    assert transfers.is_transferred(job.escrow)


def test_a_webhook_that_overtakes_the_answer_settles_the_operation(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers", count=1)
    world.work()
    assert job.transfer.state == "unknown"
    (made,) = world.made("transfer", f"create_transfer:{job.escrow.pk}:1")
    transfers.confirm("stripe", world.provider.read_transfer(made["id"]), world.now)
    assert (job.transfer.state, job.transfer.provider_reference) == ("succeeded", made["id"])
    assert received(world, job) == 8_500
    engine.perform(job.transfer.pk, now=world.now)
    transfers.confirm("stripe", world.provider.read_transfer(made["id"]), world.now)
    assert received(world, job) == 8_500
    assert job.history().count("transferred") == 1


def test_a_transfer_that_is_not_ours_is_unknown(world: World) -> None:
    state = TransferState(
        id="tr_x", status=TransferStatus.SUCCEEDED, amount=dollars("1"), reversed=dollars("0"), account_id="acct_x"
    )
    with pytest.raises(UnknownObject):
        transfers.confirm("stripe", state, world.now)


def test_a_transfer_to_nobodys_account_is_unknown(world: World) -> None:
    job = world.completed(freelancer=world.freelancer(onboarded=False))
    world.release(job)
    state = TransferState(
        id="tr_x", status=TransferStatus.SUCCEEDED, amount=dollars("85"), reversed=dollars("0"), account_id="acct_x",
        reference=f"create_transfer:{job.escrow.pk}:1",
    )  # fmt: skip
    with pytest.raises(UnknownObject):
        transfers.confirm("stripe", state, world.now)


def test_more_than_the_charge_is_refused_and_stays_with_us(world: World) -> None:
    job = world.completed()
    other = world.account(job.freelancer).provider_account_id
    world.at_provider(
        "transfers", amount="2000", currency="usd", destination=str(other), source_transaction=job.charge_id
    )
    world.release(job)
    world.work()
    assert job.transfer.state == "failed"
    assert "must not exceed the source amount" in job.transfer.last_error
    assert job.history()[-1] == "transfer_failed"
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500
    assert received(world, job) == 0


def test_a_refused_transfer_is_tried_again_by_finance_staff(world: World) -> None:
    job = world.completed()
    account = str(world.account(job.freelancer).provider_account_id)
    blocking = world.at_provider(
        "transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id
    )
    world.release(job)
    world.work()
    world.at_provider(f"transfers/{blocking['id']}/reversals")

    for actor in (job.client, job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            transfer_retries.retry(actor=actor, escrow_id=job.escrow.pk, now=world.now)
    assert transfer_retries.retry(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    assert not transfer_retries.retry(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    world.work()
    assert (job.transfer.sequence, job.transfer.state) == (2, "succeeded")
    assert received(world, job) == 8_500
    assert job.history()[-3:] == ["transfer_failed", "transfer_retried", "transferred"]


def test_a_transfer_that_was_not_refused_is_not_retried(world: World) -> None:
    finance = world.staff()
    assert not transfer_retries.retry(actor=finance, escrow_id=world.funded().escrow.pk, now=world.now)
    assert not transfer_retries.retry(actor=finance, escrow_id=world.released().escrow.pk, now=world.now)


def test_a_transfer_short_of_funds_waits_and_is_tried_again(world: World) -> None:
    job = world.completed(card=SETTLED_AT_ONCE)
    platform = world.sandbox.health()["platform"]

    def left() -> int:
        """What other tests have left, which is negative after their chargebacks."""
        return int(world.sandbox.money()["accounts"][platform]["available"]["usd"])

    if left() > 0:
        drain = str(world.account(world.freelancer()).provider_account_id)
        world.at_provider("transfers", amount=str(left()), currency="usd", destination=drain)
    world.release(job)
    world.work()
    assert (job.transfer.state, job.transfer.last_error_code) == ("pending", "balance_insufficient")
    assert job.transfer.generation == 2
    assert received(world, job) == 0

    world.funded(Money(50_000 - 2 * left(), "USD"), card=SETTLED_AT_ONCE)
    world.wait(minutes=1)
    world.work()
    assert job.transfer.state == "succeeded"
    assert received(world, job) == 8_500


def test_an_account_that_cannot_receive_any_more_holds_the_transfer(world: World) -> None:
    job = world.completed()
    account = world.account(job.freelancer).provider_account_id
    world.sandbox.control("POST", f"accounts/{account}", {"disabled_reason": "under_review"})
    # Nobody has told us yet, so the provider is the first to refuse.
    world.release(job)
    world.work()
    assert (job.transfer.state, job.transfer.last_error_code) == ("pending", "insufficient_capabilities_for_transfer")
    world.hear()
    world.wait(minutes=1)
    world.work()
    assert job.transfer.hold == "awaits_account"
    world.sandbox.control("POST", f"accounts/{account}", {"disabled_reason": None})
    world.hear()
    assert job.transfer.state == "succeeded"


def test_the_share_settles_when_the_funds_are_available_and_not_before(world: World) -> None:
    job = world.released()
    available_at = job.payment.available_at
    assert available_at is not None
    assert not availability.make_available(escrow_id=job.escrow.pk, now=available_at.replace(microsecond=0) - SETTLING)
    world.now = available_at
    world.wait(microseconds=-1)
    assert world.work() == []
    assert availability.due(now=world.now) == []
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert available(job) == 0

    world.wait(microseconds=1)
    assert availability.due(now=world.now) == [job.escrow.pk]
    assert world.work() == ["make_available"]
    assert available(job) == 8_500
    assert job.escrow.made_available_at == world.now


def test_a_share_settles_only_once(world: World) -> None:
    job = world.settled()
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert availability.due(now=world.now) == []
    assert available(job) == 8_500
    assert job.history().count("settled") == 1


def test_nothing_settles_that_was_not_released(world: World) -> None:
    job = world.completed()
    world.wait(SETTLING)
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)


def test_nothing_settles_that_was_not_transferred(world: World) -> None:
    job = world.released(freelancer=world.freelancer(onboarded=False))
    world.wait(SETTLING)
    assert availability.due(now=world.now) == []
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500


def test_nothing_settles_for_an_account_that_was_disabled(world: World) -> None:
    job = world.released()
    ConnectedAccount.objects.filter(user_id=user_id(job.freelancer)).update(transfers_enabled=False)
    world.wait(SETTLING)
    assert availability.due(now=world.now) == []
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    ConnectedAccount.objects.filter(user_id=user_id(job.freelancer)).update(transfers_enabled=True)
    assert availability.make_available(escrow_id=job.escrow.pk, now=world.now)


def test_nothing_settles_while_the_escrow_is_frozen(world: World) -> None:
    job = world.released()
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    world.wait(SETTLING)
    assert availability.due(now=world.now) == []
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)


def test_a_date_of_availability_that_is_unknown_is_waited_for(world: World) -> None:
    job = world.completed()
    Payment.objects.filter(pk=job.payment.pk).update(available_at=None)
    world.release(job)
    assert world.work() == ["perform_operation", "make_available"]
    assert available(job) == 0
    world.learn_of_payment(job)
    world.wait(SETTLING)
    assert availability.due(now=world.now) == [job.escrow.pk]
    assert availability.make_available(escrow_id=job.escrow.pk, now=world.now)


def test_news_of_an_accounts_balance_looks_at_what_waits(world: World) -> None:
    job = world.released()
    world.work()
    world.wait(SETTLING)
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    assert "balance.available" in world.hear()
    assert available(job) == 8_500


def test_news_of_a_strangers_balance_is_nothing_to_us(world: World) -> None:
    availability.account_balance_changed("stripe", "acct_of_nobody", world.now)
    assert world.work() == []

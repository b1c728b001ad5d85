"""Refunds in EGP: told by the total, made at the provider, and paid out where they cannot go back."""

from multitask.payments.models import Operation, Refund
from multitask.webhooks import dispatch
from multitask.webhooks.models import IncomingEvent
from tests.egypt_world import BUDGET, COLLECTED, EgyptWorld, pounds
from tests.payments_world import Job, held


def look_at(world: EgyptWorld, job: Job) -> None:
    """Do what a callback about the payment, or a poll, does."""
    event = IncomingEvent(provider="paymob", subject="payment", object_id=str(job.payment.provider_payment_id))
    dispatch.refresh(event, now=world.now)


def refunded_there(world: EgyptWorld) -> int:
    payments = [row for row in world.paymob.control("GET", "money")["transactions"] if not row["parent"]]
    return sum(row["amount"] if row["voided"] else row["refunded"] for row in payments)


def test_a_refund_goes_back_to_the_card(world: EgyptWorld) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    assert (job.refund.state, job.escrow.state) == ("succeeded", "refunded")
    assert (held(COLLECTED, "EGP"), refunded_there(world)) == (0, 100_000)


def test_a_refund_of_which_no_answer_came_is_found_by_the_total(world: EgyptWorld) -> None:
    job = world.funded()
    world.refund(job, amount=pounds("300.00"))
    world.paymob.add_fault("drop_response", method="POST", path="*/void_refund/refund", count=1)
    world.work()
    operation = Operation.objects.get(kind="create_refund")
    assert (operation.state, refunded_there(world)) == ("unknown", 30_000)

    world.wait(minutes=5)
    world.work()

    assert (job.refund.state, refunded_there(world)) == ("succeeded", 30_000)
    assert held(COLLECTED, "EGP") == -70_000


def test_a_refund_that_was_never_made_is_not_sent_again_on_a_guess(world: EgyptWorld) -> None:
    job = world.funded()
    world.refund(job, amount=pounds("300.00"))
    world.paymob.add_fault("drop_request", method="POST", path="*/void_refund/refund", count=1)
    for _ in range(20):
        world.work()
        world.wait(minutes=20)
    operation = Operation.objects.get(kind="create_refund")
    assert (operation.hold, refunded_there(world)) == ("outcome_unknown", 0)


def test_a_refund_made_at_the_provider_is_booked(world: EgyptWorld) -> None:
    job = world.funded()
    world.paymob.refund(int(job.payment.provider_collection_id), 40_000)
    for _ in range(2):
        look_at(world, job)
    made = Refund.objects.get()
    assert (made.is_outside, made.state, made.amount) == (True, "succeeded", pounds("400.00"))
    assert (job.escrow.remaining, held(COLLECTED, "EGP")) == (pounds("600.00"), -60_000)


def test_money_from_a_kiosk_is_paid_out_to_the_client(world: EgyptWorld) -> None:
    client = world.client()
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    assert (job.escrow.state, job.payment.is_refundable) == ("funded", False)
    world.fill_budget(pounds("2000.00"))

    world.refund(job)
    world.work()
    world.allot()
    assert (job.refund.state, world.payouts_there()) == ("pending", [])

    world.add_wallet(client, "01000000001")
    world.wait(days=4)
    world.allot()

    assert (job.refund.state, job.escrow.state) == ("succeeded", "refunded")
    (there,) = world.payouts_there()
    assert there["amount"] == 100_000
    assert held(COLLECTED, "EGP") == -100_000
    assert held(BUDGET, "EGP") == -world.paymob.control("GET", "money")["budget"]

"""The least and the most that a destination takes: checked before anything is accepted."""

import pytest

from multitask.payments.errors import AmountTooLarge
from multitask.payments.models import Withdrawal
from multitask.payments.payouts import destinations
from tests.egypt_world import COOL_DOWN, EgyptWorld, pounds
from tests.payments_world import held, user_id


def test_a_wallet_takes_sixty_thousand_at_once(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee, pounds("100000.00"))
    world.fill_budget(pounds("100000.00"))
    with pytest.raises(AmountTooLarge) as refusal:
        world.withdraw(payee, pounds("60000.01"))
    assert "60000.00" in refusal.value.message
    assert not Withdrawal.objects.exists()
    assert held(f"user:{user_id(payee)}:available", "EGP") == 8_500_000
    assert world.withdrawn(payee, pounds("60000.00")).state == "completed"


def test_a_refund_that_its_destination_does_not_take_waits_for_another(world: EgyptWorld) -> None:
    client = world.client()
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.fill_budget(pounds("2000.00"))
    given = {"account_number": "1234567890", "bank_code": "CIB", "full_name": "Mona Ali Hassan"}
    destinations.add(actor=client, currency="EGP", kind="instapay", given=given, proof=world.proof(), now=world.now)
    world.refund(job, amount=pounds("50.00"))
    world.wait(COOL_DOWN)
    world.allot()
    assert (job.refund.state, world.payouts_there()) == ("pending", [])

    world.add_wallet(client, "01000000001")
    world.wait(COOL_DOWN)
    world.allot()
    assert job.refund.state == "succeeded"

"""Giving back what was released: the page that shows what it takes from where, the API, and the wallet afterwards."""

import uuid
from collections.abc import Callable

from django.test import Client

from multitask.payments.models import Refund
from multitask.users.actor import Actor
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, World, dollars

SignIn = Callable[[Actor], Client]


def address(job: Job) -> str:
    return f"/tasks/{job.task_id}/payment/give-back/"


def test_it_is_shown_first_and_done_once_it_is_confirmed(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser = sign_in(job.freelancer)
    assert "Give money back" in text_of(browser.get(f"/tasks/{job.task_id}/payment/"))
    form = {"amount": "40.00", "reason": "agreed", "note": "", "request_key": str(uuid.uuid4())}
    shown = text_of(browser.post(address(job), form))
    assert "From your pending or available money of this task $34.00" in shown
    assert "From the platform, which returns its fee in proportion $6.00" in shown
    assert not Refund.objects.exists()
    done = browser.post(address(job), form | {"confirmed": f"{dollars('40.00')} 3400-0-600-0"})
    assert done.status_code == 302
    again = browser.post(address(job), form | {"confirmed": f"{dollars('40.00')} 3400-0-600-0"})
    assert again.status_code in {200, 302}
    assert job.refund.amount == dollars("40.00")
    assert Refund.objects.count() == 1


def test_what_was_withdrawn_is_owed_afterwards_and_the_wallet_says_so(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    browser = sign_in(job.freelancer)
    form = {"amount": "", "reason": "agreed", "note": "", "request_key": str(uuid.uuid4())}
    assert "You owe it afterwards $85.00" in text_of(browser.post(address(job), form))
    browser.post(address(job), form | {"confirmed": f"{dollars('100.00')} 0-8500-1500-0"})
    assert "You owe $85.00 after a loss." in text_of(browser.get("/wallet/"))
    assert browser.get("/payments/wallet/").json()["owed_balance"] == "85.00"
    later = world.released(dollars("60.00"), freelancer=job.freelancer)
    found = browser.get(f"/payments/escrow/{later.escrow.pk}/").json()
    assert found["used_for_debt"] == "51.00"
    rows = browser.get("/payments/wallet/transactions/?type=escrow_release").json()["results"]
    assert rows[0]["used_for_debt"] == "51.00"
    assert "used_for_debt" in sign_in(later.client).get(f"/payments/escrow/{later.escrow.pk}/").json()
    assert sign_in(later.client).get(f"/payments/escrow/{later.escrow.pk}/").json()["used_for_debt"] is None


def test_the_client_cannot_give_it_back(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser = sign_in(job.client)
    assert "Give money back" not in text_of(browser.get(f"/tasks/{job.task_id}/payment/"))
    form = {"amount": "", "reason": "agreed", "note": "", "request_key": str(uuid.uuid4())}
    assert browser.post(address(job), form).status_code == 302
    assert not Refund.objects.exists()


def test_the_api_refunds_after_the_release_for_the_freelancer_alone(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    path = f"/payments/escrow/{job.escrow.pk}/refund/"
    freelancer, client = sign_in(job.freelancer), sign_in(job.client)
    assert freelancer.get(f"/payments/escrow/{job.escrow.pk}/").json()["allowed_actions"] == ["refund_released"]
    body = {"reason": "agreed", "amount": "40.00"}
    refused = client.post(path, body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    for _ in range(2):
        made = freelancer.post(path, body, content_type="application/json", headers={"Idempotency-Key": "back"})
        assert made.status_code == 200, made.content
        assert (made.json()["refund"]["source"], made.json()["refund"]["amount"]) == ("released", "40.00")
    assert Refund.objects.count() == 1
    found = freelancer.get(f"/payments/escrow/{job.escrow.pk}/").json()
    assert found["returned_amount"] == "40.00"
    assert sum(float(row["amount"]) for row in found["where"]) == 100


def test_what_was_made_at_the_provider_says_so(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("payouts", account=account, amount="3000", currency="usd")
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount="1000")
    world.hear()
    browser = sign_in(job.freelancer)
    history = text_of(browser.get("/transactions/"))
    assert "Payout made at the payment provider" in history
    assert "Refund made at the payment provider: Draw a logo" in history
    assert "made at the payment provider" in text_of(browser.get("/wallet/"))
    assert browser.get("/payments/withdrawals/").json()["results"][0]["made_at_provider"] is True
    assert sign_in(job.client).get("/payments/refunds/").json()["results"][0]["made_at_provider"] is True

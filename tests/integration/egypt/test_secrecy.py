"""Of those who pay and are paid, neither wallets nor billing data are in clear: not in the database, nor on pages."""

import json
import logging
from typing import Any

import pytest
from django.test import Client

from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests import canaries
from tests.egypt_world import EgyptWorld, pounds
from tests.integration.backoffice import addresses
from tests.integration.egypt.test_callbacks import body_of, post
from tests.payments_world import Job

# The only wallet with which the sandbox lets somebody pay.
PAYER = "01010101010"
CANARIES = {
    "wallet": PAYER,
    "billing phone": "+201076543210",
    "billing email": "billing-canary@example.com",
    "billing name": "Zuleikha Qamaraddin",
    "street": "Talaat-Harb-Canary 17",
}


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("django", "multitask", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)


def called_back(world: EgyptWorld, client: Client, job: Job, **paid: Any) -> IncomingEvent:
    """Pay there, and receive the callback with all that Paymob tells about the payer."""
    answer = world.paymob.control("POST", f"intentions/{job.payment.provider_payment_id}/pay", paid)
    told = answer["transaction"]
    person = {
        "first_name": CANARIES["billing name"],
        "email": CANARIES["billing email"],
        "phone_number": CANARIES["billing phone"],
        "street": CANARIES["street"],
        "state": "Cairo",
    }
    told["payment_key_claims"]["billing_data"] = person
    told["order"]["shipping_data"] = person
    told["data"] |= {"wallet_msisdn": PAYER, "message": f"Approved for {PAYER}, {CANARIES['billing email']}"}
    body, signature = body_of(told)
    assert post(client, body, signature).status_code == 200
    event = IncomingEvent.objects.order_by("-pk")[0]
    assert incoming.process(event_id=event.pk, now=world.now) == EventState.PROCESSED
    assert job.escrow.state == "funded"
    return event


def test_nothing_of_a_payer_is_in_clear(
    world: EgyptWorld, client: Client, office: Client, caplog: pytest.LogCaptureFixture
) -> None:
    by_wallet = world.hired(pounds("1000.00"), client=world.client())
    at_kiosk = world.hired(pounds("500.00"), client=world.client())
    for job in (by_wallet, at_kiosk):
        world.ask_to_pay(job)
    paid = called_back(world, client, by_wallet, method="wallet", phone=PAYER)
    called_back(world, client, at_kiosk, method="kiosk", passed=True)
    # What was paid at the kiosk is paid out to the same wallet.
    world.add_wallet(at_kiosk.client, PAYER)
    world.refund(by_wallet)
    world.refund(at_kiosk)
    world.wait(days=4)
    world.fill_budget(pounds("2000.00"))
    world.allot()
    assert [each["destination"] for each in world.payouts_there()] == [PAYER]

    assert not canaries.found_in(canaries.dump(), CANARIES)
    assert not canaries.found_in(caplog.text, CANARIES)
    kept = json.loads(paid.payload)["obj"]
    assert kept["source_data"] | {"tenure": None} == {
        "pan": "…1010",
        "type": "wallet",
        "sub_type": "wallet",
        "tenure": None,
    }
    assert (kept["order"]["merchant_order_id"], kept["amount_cents"]) == (
        f"create_payment:{by_wallet.payment.pk}:1:1",
        100_000,
    )
    page = office.get(addresses.change(paid)).content.decode()
    assert "…1010" in page
    assert not canaries.found_in(page, CANARIES)


def test_a_body_that_an_earlier_release_stored_whole_is_shown_masked(world: EgyptWorld, office: Client) -> None:
    body = {"type": "TRANSACTION", "obj": {"id": 7, "source_data": {"pan": PAYER, "type": "wallet"}, "token": "pays"}}
    event = IncomingEvent.objects.create(
        provider="paymob",
        event_id="transaction:7:whole",
        kind="transaction.paid",
        subject="payment",
        payload=json.dumps(body),
        received_at=world.now,
        waiting_since=world.now,
        next_attempt_at=world.now,
        state=EventState.PROCESSED,
    )
    page = office.get(addresses.change(event)).content.decode()
    assert "…1010" in page
    assert PAYER not in page
    assert "pays" not in page

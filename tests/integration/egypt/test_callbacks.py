"""Paymob's callbacks, as they arrive at our address: signed ones about payments, unsigned hints about payouts."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from multitask.payments.models import Disbursement
from multitask.providers import rate_limits
from multitask.providers.models import CallSlot
from multitask.providers.paymob import signatures
from multitask.webhooks import hints, incoming, polling
from multitask.webhooks.models import EventState, IncomingEvent
from tests.egypt_world import PENDS, EgyptWorld, disbursement_of, pounds
from tests.payments_world import Job
from tests.paymob_process import HMAC

URL = "/payments/webhooks/paymob/"
HINTS = "/payments/webhooks/paymob/payouts/"


def body_of(obj: dict[str, Any], kind: str = "TRANSACTION") -> tuple[bytes, str]:
    """The body of a callback, and its signature."""
    values = signatures.signed_values(kind, obj)
    return json.dumps({"type": kind, "obj": obj}).encode(), signatures.sign(values, HMAC)


def post(client: Client, body: bytes, signature: str, url: str = URL) -> Any:
    return client.post(f"{url}?hmac={signature}", body, content_type="application/json")


def paid_there(world: EgyptWorld, job: Job, **given: Any) -> dict[str, Any]:
    """Pay on the provider's page; return the transaction as a callback has it."""
    answer = world.paymob.control("POST", f"intentions/{job.payment.provider_payment_id}/pay", given)
    return dict(answer["transaction"])


def asked_to_pay(world: EgyptWorld) -> Job:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    return job


@pytest.mark.parametrize("url", [URL, f"/api{URL}"])
def test_a_signed_callback_funds_the_escrow_by_what_paymob_says(world: EgyptWorld, client: Client, url: str) -> None:
    job = asked_to_pay(world)
    body, signature = body_of(paid_there(world, job))

    answer = post(client, body, signature, url)

    assert (answer.status_code, answer.json()) == (200, {"received": True, "duplicate": False})
    event = IncomingEvent.objects.get()
    assert (event.provider, event.kind, event.subject) == ("paymob", "transaction.paid", "payment")
    assert event.awaited is True, "the client waits for it"
    assert incoming.process(event_id=event.pk, now=world.now) == EventState.PROCESSED
    assert job.escrow.state == "funded"
    assert post(client, body, signature, url).json() == {"received": True, "duplicate": True}
    assert IncomingEvent.objects.count() == 1


def test_the_sandboxs_own_callbacks_are_accepted(world: EgyptWorld, client: Client) -> None:
    job = asked_to_pay(world)
    paid_there(world, job, save=True)

    sent = [each["object"] for each in world.paymob.objects("event")]

    assert {each["type"] for each in sent} == {"TRANSACTION", "TOKEN"}
    for each in sent:
        assert post(client, json.dumps(each["body"]).encode(), each["hmac"]).status_code == 200
    saved = IncomingEvent.objects.get(kind="token.saved")
    assert (saved.state, saved.subject, saved.object_id) == (EventState.PROCESSED, "nothing", "")


def test_of_a_saved_card_neither_its_token_nor_the_address_is_stored(world: EgyptWorld, client: Client) -> None:
    card = {
        "card_subtype": "Visa",
        "created_at": "2026-01-01T00:00:00",
        "email": "mona@example.com",
        "id": 5,
        "masked_pan": "xxxx-xxxx-xxxx-1111",
        "merchant_id": 1,
        "order_id": "9",
        "token": "e98aceb96f5a370fddd46460b13e2929f3cb6363ef1d2d82e3a0d79f",
        "next_payment_intention": "unsigned",
    }
    body, signature = body_of(card, "TOKEN")

    assert post(client, body, signature).json() == {"received": True, "duplicate": False}
    assert post(client, body, signature).json() == {"received": True, "duplicate": True}

    kept = json.loads(IncomingEvent.objects.get().payload)["obj"]
    assert kept == card | {"masked_pan": "…1111", "token": "…", "email": "…"}


@pytest.mark.parametrize("signature", ["", "0" * 128, "x"])
def test_a_callback_without_its_signature_is_refused_and_not_stored(
    world: EgyptWorld, client: Client, signature: str
) -> None:
    body, _ = body_of(paid_there(world, asked_to_pay(world)))

    answer = post(client, body, signature)

    assert answer.status_code == 400
    assert answer.json()["code"].startswith("signature_")
    assert not IncomingEvent.objects.exists()


def test_a_callback_that_says_paid_funds_nothing_that_paymob_does_not_confirm(
    world: EgyptWorld, client: Client
) -> None:
    job = asked_to_pay(world)
    declined = paid_there(world, job, card="4000000000000002")
    body, signature = body_of(declined | {"success": True})
    post(client, body, signature)

    incoming.process(event_id=IncomingEvent.objects.get().pk, now=world.now)

    assert job.escrow.state == "pending_payment"
    assert job.payment.failure_reason


def test_an_unsigned_reference_leads_to_no_other_payment(world: EgyptWorld, client: Client) -> None:
    job, other = asked_to_pay(world), asked_to_pay(world)
    paid = paid_there(world, job)
    forged = paid | {"order": paid["order"] | {"merchant_order_id": f"create_payment:{other.payment.pk}:1:1"}}
    body, signature = body_of(forged)
    post(client, body, signature)

    incoming.process(event_id=IncomingEvent.objects.get().pk, now=world.now)

    assert (job.escrow.state, other.escrow.state) == ("funded", "pending_payment")


def test_a_callback_of_an_integration_that_is_not_ours_is_held(world: EgyptWorld, client: Client) -> None:
    paid = paid_there(world, asked_to_pay(world))
    body, signature = body_of(paid | {"integration_id": 999})

    assert post(client, body, signature).status_code == 200

    assert IncomingEvent.objects.get().state == EventState.QUARANTINED


def test_a_later_declined_try_does_not_hide_that_the_first_was_paid(world: EgyptWorld, client: Client) -> None:
    job = asked_to_pay(world)
    first = paid_there(world, job, card="5123456789012346", passed=None)
    paid_there(world, job, card="4000000000000002")
    approved = world.paymob.control("POST", f"transactions/{first['id']}", {"passed": True})["transaction"]
    body, signature = body_of(approved)
    post(client, body, signature)

    incoming.process(event_id=IncomingEvent.objects.get().pk, now=world.now)

    assert job.escrow.state == "funded"


def test_other_methods_are_refused(client: Client) -> None:
    for url in (URL, HINTS):
        assert client.get(url).status_code == 405


# -- hints


def pending(world: EgyptWorld) -> Disbursement:
    """A payout that is on its way."""
    payee = world.payee(PENDS, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    return disbursement_of(world.withdrawn(payee, pounds("850.00")))


def hint(client: Client, payout_id: object, **more: Any) -> Any:
    body = json.dumps({"transaction_id": payout_id, **more})
    return client.post(HINTS, body, content_type="application/json")


def test_a_hint_has_the_payout_read(world: EgyptWorld, client: Client) -> None:
    disbursement = pending(world)
    world.paymob.control("POST", f"payouts/{disbursement.provider_payout_id}", {"outcome": "succeed"})

    answer = hint(client, disbursement.provider_payout_id, disbursement_status="failed")

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    event = IncomingEvent.objects.get(kind=hints.KIND)
    assert incoming.process(event_id=event.pk, now=world.now) == EventState.PROCESSED
    disbursement.refresh_from_db()
    assert disbursement.withdrawal is not None
    assert disbursement.withdrawal.state == "completed", "what the hint says does not count"


def test_a_flood_of_hints_is_one_look_at_the_payout(world: EgyptWorld) -> None:
    disbursement = pending(world)
    body = json.dumps({"transaction_id": disbursement.provider_payout_id}).encode()
    moments = [world.now + timedelta(seconds=number) for number in range(50)]

    taken = [hints.take(provider_name="paymob", body=body, now=moment) for moment in moments]

    assert 1 <= sum(taken) <= 2
    assert IncomingEvent.objects.filter(kind=hints.KIND).count() == sum(taken)
    assert hints.take(provider_name="paymob", body=body, now=world.now + 2 * hints.EVERY)


def test_a_hint_about_nothing_of_ours_leaves_nothing_behind(world: EgyptWorld, client: Client) -> None:
    pending(world)
    used = list(CallSlot.objects.values_list("name", "used_at"))
    before = IncomingEvent.objects.count()
    for payout_id in ("00000000-0000-0000-0000-000000000000", "", None, 17, "' OR 1=1", "x" * 10_000):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = hint(client, payout_id)
        assert answer.json() == {"received": True}, "the answer says nothing about what is known here"
        assert len(queries) <= 1

    assert IncomingEvent.objects.count() == before
    assert list(CallSlot.objects.values_list("name", "used_at")) == used


# -- polls


def test_many_payouts_are_polled_by_few_inquiries(world: EgyptWorld, settings: Settings) -> None:
    settings.PAYMOB_INQUIRIES_PER_MINUTE = 5
    payees = [world.payee(PENDS, issuer="orange") for _ in range(3)]
    for payee in payees:
        world.earned(payee)
    world.fill_budget(pounds("5000.00"))
    open_ones = [disbursement_of(world.withdrawn(payee, pounds("850.00"))) for payee in payees]
    for each in open_ones[:2]:
        world.paymob.control("POST", f"payouts/{each.provider_payout_id}", {"outcome": "succeed"})
    CallSlot.objects.filter(name="paymob_transactions").delete()
    world.wait(minutes=2)

    polling.refresh_open(now=world.now)

    states = [Disbursement.objects.get(pk=each.pk).withdrawal.state for each in open_ones]  # type: ignore[union-attr]
    assert states == ["completed", "completed", "processing"]
    epoch = CallSlot.objects.filter(name="paymob_transactions").order_by("-used_at").values_list("used_at", flat=True)
    newest = epoch[0]
    assert sum(newest - used < timedelta(seconds=50) for used in epoch) <= 2, "two inquiries for all of them"


def test_polls_wait_while_the_inquiries_of_the_minute_are_used_up(world: EgyptWorld, settings: Settings) -> None:
    disbursement = pending(world)
    settings.PAYMOB_INQUIRIES_PER_MINUTE = 5
    world.paymob.control("POST", f"payouts/{disbursement.provider_payout_id}", {"outcome": "succeed"})
    while rate_limits.take("paymob_transactions", most=5, period=timedelta(seconds=63)) is None:
        pass
    world.wait(minutes=2)

    polling.refresh_open(now=world.now)
    disbursement.refresh_from_db()
    assert disbursement.ended_at is None

    CallSlot.objects.all().delete()
    world.wait(minutes=1)
    polling.refresh_open(now=world.now)
    disbursement.refresh_from_db()
    assert disbursement.ended_at is not None

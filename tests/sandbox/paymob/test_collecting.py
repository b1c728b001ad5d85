"""Collecting: intentions, the ways to pay, and what the callbacks say."""

from __future__ import annotations

import pytest

from tests.paymob_process import BILLING, PaymobProcess
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import ControlRefused


def test_an_intention_shows_its_order_and_its_ways_to_pay(paymob: PaymobProcess) -> None:
    made = paymob.intention(payment_methods=[2001, "wallet"], special_reference="7-1", extras={"task": 7})

    assert made["id"].startswith("pi_test_")
    assert made["client_secret"].startswith("egy_csk_test_")
    assert (made["status"], made["confirmed"], made["special_reference"]) == ("intended", False, "7-1")
    assert made["intention_detail"]["amount"] == 25_050
    assert [key["integration"] for key in made["payment_keys"]] == [2001, 2002]
    assert {key["order_id"] for key in made["payment_keys"]} == {made["intention_order_id"]}


def test_a_reference_that_is_used_again_is_an_error(paymob: PaymobProcess) -> None:
    first = paymob.intention(special_reference="7-1")

    assert paymob.create(special_reference="7-1") == (400, {"detail": "Duplicate order with same id."})
    assert len(paymob.objects("intention")) == 1
    assert paymob.old("/api/ecommerce/orders", {"amount_cents": 5, "merchant_order_id": "7-1"})[0] == 422
    assert paymob.intention(special_reference="7-2")["intention_order_id"] != first["intention_order_id"]


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"amount": 0}, 400, "amount"),
        ({"amount": 1.5}, 400, "amount"),
        ({"currency": "USD"}, 400, "currency"),
        ({"payment_methods": [999]}, 404, "detail"),
        ({"payment_methods": []}, 404, "detail"),
        ({"payment_methods": ["card-live"]}, 404, "detail"),
        ({"billing_data": {**BILLING, "email": ""}}, 400, "billing_data"),
        ({"items": [{"name": "a", "amount": 1, "quantity": 1}]}, 406, "code"),
        ({"notification_url": "nowhere"}, 400, "notification_url"),
        ({"idempotency_key": "x"}, 400, "idempotency_key"),
    ],
)
def test_what_cannot_be_is_refused_by_name(paymob: PaymobProcess, more: dict, status: int, field: str) -> None:  # type: ignore[type-arg]
    answer = paymob.create(**more)

    assert (answer[0], list(answer[1])) == (status, [field])
    assert paymob.objects("order") == []


def test_a_missing_field_is_named_as_paymob_does(paymob: PaymobProcess) -> None:
    billing = {name: value for name, value in BILLING.items() if name != "email"}

    assert paymob.create(billing_data=billing)[1] == {"billing_data": {"email": ["This field is required."]}}


@pytest.mark.parametrize("key", ["egy_sk_live_x", "egy_sk_test_", "egy_sk_test_invalid", "sk_test_x"])
def test_only_test_keys_are_taken(paymob: PaymobProcess, key: str) -> None:
    assert paymob.manage("POST", "/v1/intention/", {}, key=key) == (401, {"detail": "Invalid token."})


def test_calls_without_credentials_are_refused(paymob: PaymobProcess) -> None:
    for path in ("/v1/intention/", "/api/ecommerce/orders", "/api/acceptance/void_refund/refund"):
        assert paymob.send("POST", path, {})[0] == 401
    assert paymob.send("GET", "/api/acceptance/transactions/1")[0] == 401


def test_an_intention_is_changed_until_it_is_paid(paymob: PaymobProcess) -> None:
    made = paymob.intention(special_reference="7-1")
    path, order = f"/v1/intention/{made['client_secret']}", made["intention_order_id"]
    change = {"accept_order_id": order, "amount": 300, "special_reference": "7-2"}

    assert paymob.manage("PUT", path, {"amount": 300})[1] == {"accept_order_id": ["This field is required."]}
    status, changed = paymob.manage("PUT", path, change)
    assert (status, changed["intention_detail"]["amount"], changed["special_reference"]) == (200, 300, "7-2")
    assert paymob.pay(made)["amount_cents"] == 300
    assert paymob.manage("PUT", path, change)[0] == 400
    assert paymob.intention(special_reference="7-1")


def test_a_card_is_paid_after_the_banks_question(paymob: PaymobProcess, receiver: Receiver) -> None:
    made = paymob.intention(special_reference="7-1", notification_url=receiver.url)
    asked = paymob.pay(made, passed=None)
    assert (asked["pending"], asked["success"], asked["is_3d_secure"]) == (True, False, True)
    assert receiver.events() == []
    paid = paymob.control("POST", f"transactions/{asked['id']}", {"passed": True})["transaction"]

    [event] = receiver.wait_for("TRANSACTION")
    assert event["obj"] == paid
    assert (paid["success"], paid["pending"], paid["error_occured"]) == (True, False, False)
    assert (paid["order"]["id"], paid["order"]["merchant_order_id"]) == (made["intention_order_id"], "7-1")
    assert paid["source_data"]["pan"] == "2346"
    with pytest.raises(ControlRefused, match="approved"):
        paymob.control("POST", f"transactions/{asked['id']}", {"passed": True})


@pytest.mark.parametrize(
    ("card", "code", "broken"),
    [
        ("4000000000000002", "DECLINED", False),
        ("4000000000009995", "INSUFFICIENT_FUNDS", False),
        ("4000000000000069", "EXPIRED_CARD", False),
        ("4000000000000119", "ERROR", True),
    ],
)
def test_a_declined_card_can_be_followed_by_another(
    paymob: PaymobProcess, receiver: Receiver, card: str, code: str, broken: bool
) -> None:
    made = paymob.intention(notification_url=receiver.url)
    refused = paymob.pay(made, card=card)
    # Several callbacks to one address are sent at a time, so their order may change.
    paymob.drain()
    paid = paymob.pay(made, card="4111111111111111")

    assert (refused["success"], refused["pending"], refused["error_occured"]) == (False, False, broken)
    assert refused["data"]["txn_response_code"] == code
    assert paid["success"]
    assert [event["obj"]["success"] for event in receiver.wait_for("TRANSACTION", 2)] == [False, True]
    assert paymob.money()["books"]["payers/card"] == -25_050


def test_a_failed_authentication_is_a_decline(paymob: PaymobProcess) -> None:
    assert paymob.pay(paymob.intention(), passed=False)["data"]["txn_response_code"] == "AUTHENTICATION_FAILED"


def test_two_cards_at_once_pay_one_order_once(paymob: PaymobProcess) -> None:
    made = paymob.intention()
    asked = [paymob.pay(made, passed=None)["id"] for _ in range(2)]
    ended = [paymob.control("POST", f"transactions/{number}")["transaction"]["success"] for number in asked]

    assert ended == [True, False]
    with pytest.raises(ControlRefused, match="paid already"):
        paymob.pay(made)


def test_a_wallet_pays_only_if_it_exists(paymob: PaymobProcess) -> None:
    made = paymob.intention(payment_methods=["wallet"])

    assert paymob.pay(made, method="wallet", phone="01111111111")["data"]["txn_response_code"] == "UNREGISTERED"
    assert not paymob.pay(made, method="wallet", passed=False)["success"]
    paid = paymob.pay(made, method="wallet")
    assert (paid["success"], paid["source_data"]["type"], paid["source_data"]["pan"]) == (True, "wallet", "01010101010")


def test_a_kiosk_takes_the_money_later_even_if_the_order_is_paid(paymob: PaymobProcess, receiver: Receiver) -> None:
    made = paymob.intention(payment_methods=["card", "kiosk"], notification_url=receiver.url)
    bill = paymob.pay(made, method="kiosk")
    assert (bill["pending"], bill["source_data"]["pan"]) == (True, None)
    assert bill["data"]["bill_reference"]
    paymob.drain()
    paymob.pay(made)
    paymob.drain()
    paid = paymob.control("POST", f"transactions/{bill['id']}")["transaction"]

    assert paid["success"]
    states = [(event["obj"]["pending"], event["obj"]["success"]) for event in receiver.wait_for("TRANSACTION", 3)]
    assert states == [(True, False), (False, True), (False, True)]
    assert paid["order"]["paid_amount_cents"] == 50_100
    assert paymob.refund(paid["id"], 100)[1] == {"message": "Refund is not supported for this payment method."}


def test_an_expired_intention_takes_no_payment(paymob: PaymobProcess) -> None:
    made = paymob.intention(expiration=60)
    paymob.advance(61)

    with pytest.raises(ControlRefused, match="401"):
        paymob.pay(made)


def test_a_saved_card_pays_without_the_payer(paymob: PaymobProcess, receiver: Receiver) -> None:
    paymob.pay(paymob.intention(notification_url=receiver.url), save=True)
    [saved] = receiver.wait_for("TOKEN")
    made = paymob.intention(payment_methods=["moto"], card_tokens=[saved["obj"]["token"]])
    source = {"identifier": saved["obj"]["token"], "subtype": "TOKEN"}
    key = made["payment_keys"][0]["key"]
    status, paid = paymob.send("POST", "/api/acceptance/payments/pay", {"payment_token": key, "source": source})

    # This answer alone is flat, and its flags are texts.
    assert (status, paid["success"], paid["is_3d_secure"]) == (200, "true", "false")
    assert (paid["order"], paid["source_data.sub_type"]) == (made["intention_order_id"], "MasterCard")
    again = paymob.intention(payment_methods=["moto"])
    with pytest.raises(ControlRefused, match="not known"):
        paymob.pay(again, method="token", token="another")
    with pytest.raises(AssertionError, match="card token is not known"):
        paymob.intention(card_tokens=["another"])


def test_the_older_api_pays_an_order(paymob: PaymobProcess) -> None:
    _, order = paymob.old("/api/ecommerce/orders", {"amount_cents": 900, "currency": "EGP", "merchant_order_id": "o"})
    asked = {
        "amount_cents": 900, "order_id": order["id"], "billing_data": BILLING, "currency": "EGP",
        "integration_id": 2002,
    }  # fmt: skip
    status, key = paymob.old("/api/acceptance/payment_keys", asked)
    source = {"identifier": "01010101010", "subtype": "WALLET"}
    _, begun = paymob.send("POST", "/api/acceptance/payments/pay", {"payment_token": key["token"], "source": source})

    assert (status, begun["pending"], begun["order"]["id"]) == (201, True, order["id"])
    assert begun["redirect_url"].startswith(f"{paymob.base_url}/unifiedcheckout/verify/")
    assert paymob.old("/api/acceptance/payment_keys", {**asked, "amount_cents": 800})[0] == 400
    wrong = {"payment_token": key["token"], "source": {"identifier": "AGGREGATOR", "subtype": "AGGREGATOR"}}
    assert paymob.send("POST", "/api/acceptance/payments/pay", wrong)[0] == 400


def test_a_token_of_the_older_api_ends_after_an_hour(paymob: PaymobProcess) -> None:
    _, got = paymob.send("POST", "/api/auth/tokens", {"api_key": "any"})
    given = {"auth_token": got["token"], "amount_cents": 5}
    assert paymob.send("POST", "/api/ecommerce/orders", given)[0] == 201
    paymob.advance(3_601)

    assert paymob.send("POST", "/api/ecommerce/orders", given)[0] == 401
    assert paymob.send("POST", "/api/auth/tokens", {"api_key": "invalid"})[0] == 403


def test_callbacks_without_an_address_of_their_own_go_to_the_merchants(receiver: Receiver) -> None:
    with PaymobProcess(seed=1, arguments=(f"--callback-url={receiver.url}",)) as own:
        own.pay(own.intention())
        assert receiver.wait_for("TRANSACTION")


def test_a_callback_is_sent_once_however_it_is_answered(paymob: PaymobProcess, receiver: Receiver) -> None:
    receiver.answers = [500]
    paymob.pay(paymob.intention(notification_url=receiver.url))
    receiver.wait_for("TRANSACTION")
    paymob.advance(3 * 86_400)

    [delivery] = paymob.deliveries()
    assert (delivery["status"], delivery["attempts"]) == ("failed", 1)
    assert len(receiver.events()) == 1
    assert paymob.resend(delivery["event"]) == 1
    receiver.wait_for("TRANSACTION", 2)


def test_faults_double_and_reorder_callbacks(paymob: PaymobProcess, receiver: Receiver) -> None:
    paymob.add_fault("webhook_doubled", event_type="TRANSACTION", count=1)
    paymob.add_fault("webhook_reordered", event_type="TRANSACTION", count=1, seconds=60)
    made = paymob.intention(payment_methods=["card"], notification_url=receiver.url)
    paymob.pay(made, card="4000000000000002")
    receiver.wait_for("TRANSACTION", 2)
    paymob.pay(made, card="4000000000009995")
    paymob.drain()
    paymob.pay(made)

    ended = [event["obj"]["data"]["txn_response_code"] for event in receiver.wait_for("TRANSACTION", 4)]
    assert ended == ["DECLINED", "DECLINED", "APPROVED", "INSUFFICIENT_FUNDS"]


@pytest.mark.parametrize(("kind", "made"), [("error_before", 0), ("error_after", 1)])
def test_an_answer_that_is_an_error_may_hide_an_effect(paymob: PaymobProcess, kind: str, made: int) -> None:
    paymob.add_fault(kind, path="/v1/intention/", count=1)

    assert paymob.create(special_reference="7-1") == (500, {"detail": "A server error occurred."})
    assert len(paymob.objects("intention")) == made
    # Without idempotency keys the second call finds what the first has left.
    assert paymob.create(special_reference="7-1")[0] == (400 if made else 201)


def test_extras_come_back_with_the_callback(paymob: PaymobProcess) -> None:
    made = paymob.intention(extras={"task": 7, "words": ["a", None], "price": 1.5}, special_reference="7-1")

    claims = paymob.pay(made)["payment_key_claims"]["extra"]
    assert claims == {"task": 7, "words": ["a", None], "price": "1.5", "merchant_order_id": "7-1"}

"""What shops and libraries of others send, and Paymob takes: it is not refused here either."""

from __future__ import annotations

import json
import urllib.parse

import pytest

from tests.paymob_process import BILLING, SECRET_KEY, Doc, PaymobProcess
from tests.sandbox_process import ControlRefused

KEY = {"Authorization": f"Token {SECRET_KEY}"}


def items(*lines: tuple[int, int | None]) -> list[Doc]:
    return [
        {"name": "Line", "amount": amount} | ({} if quantity is None else {"quantity": quantity})
        for amount, quantity in lines
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"amount": 25050.0, "items": [{"name": "a", "amount": 25050.0, "quantity": "1"}]},
        {"special_reference": 777},
        {"expires_at": 3_600, "shipping_details": {"city": "Cairo"}},
        {"items": items((25_000, 3), (50, None))},
        {"items": items((10_000, 3), (-4_950, 1))},
        {"expiration": 3_110_400},
    ],
)
def test_an_intention_as_shops_send_it(paymob: PaymobProcess, more: Doc) -> None:
    made = paymob.intention(**more)

    assert made["intention_detail"]["amount"] == 25_050
    assert made["special_reference"] == (str(more["special_reference"]) if "special_reference" in more else None)


@pytest.mark.parametrize(
    "more",
    [
        {"amount": 25050.5},
        {"amount": True},
        {"special_reference": True},
        {"items": items((10_000, 3), (-4_949, 1))},
        {"expiration": 3_110_401},
    ],
)
def test_what_only_looks_like_it_is_refused(paymob: PaymobProcess, more: Doc) -> None:
    assert paymob.create(**more)[0] in (400, 406)


def test_an_intention_is_payable_for_36_days_unless_it_says_otherwise(paymob: PaymobProcess) -> None:
    made = paymob.intention()
    paymob.advance(36 * 86_400 - 10)
    assert paymob.pay(made)["success"]
    late = paymob.intention()
    paymob.advance(36 * 86_400)
    with pytest.raises(ControlRefused, match="401"):
        paymob.pay(late)


def test_a_change_needs_no_more_than_the_order(paymob: PaymobProcess) -> None:
    made = paymob.intention(items=items((25_050, 1)), expiration=60)
    path, order = f"/v1/intention/{made['client_secret']}", {"accept_order_id": made["intention_order_id"]}
    change = {"payment_methods": ["wallet"], "expiration": 600, "redirection_url": "https://shop.example/back"}
    status, changed = paymob.manage("PUT", path, {**order, **change})

    assert (status, changed["intention_detail"]["amount"]) == (200, 25_050)
    assert [key["integration"] for key in changed["payment_keys"]] == [2002]
    source = {"identifier": "AGGREGATOR", "subtype": "AGGREGATOR"}
    old = {"payment_token": made["payment_keys"][0]["key"], "source": source}
    assert paymob.send("POST", "/api/acceptance/payments/pay", old)[0] == 401
    assert changed["redirection_url"] == "https://shop.example/back"
    assert paymob.manage("PUT", path, {**order, "payment_methods": [999]})[0] == 404
    paymob.advance(300)
    assert paymob.pay(made, method="wallet", passed=True)["success"]


def test_the_older_api_takes_its_token_in_the_address(paymob: PaymobProcess) -> None:
    paid = paymob.pay(paymob.intention(special_reference="7"))
    token = paymob.send("POST", "/api/auth/tokens", {"api_key": "any"})[1]["token"]
    query = urllib.parse.urlencode({"token": token})
    back = {"transaction_id": str(paid["id"]), "amount_cents": "50"}

    assert paymob.send("POST", f"/api/acceptance/void_refund/refund?{query}", back)[1]["is_refund"]
    assert paymob.send("GET", f"/api/acceptance/transactions/{paid['id']}?{query}")[1]["refunded_amount_cents"] == 50
    _, last = paymob.send("POST", f"/api/ecommerce/orders/transaction_inquiry?{query}", {"merchant_order_id": 7})
    assert last["is_refund"]
    assert paymob.send("GET", f"/api/acceptance/transactions/{paid['id']}?token=x")[0] == 401


def test_an_order_lists_all_its_transactions(paymob: PaymobProcess) -> None:
    order = {"delivery_needed": "false", "amount_cents": "900", "merchant_order_id": 5, "shipping_details": {}}
    status, made = paymob.old("/api/ecommerce/orders", {**order, "items": []})
    assert (status, made["merchant_order_id"]) == (201, "5")
    paid = paymob.intention()
    declined = paymob.pay(paid, card="4000000000000002")
    approved = paymob.pay(paid)
    token = paymob.send("POST", "/api/auth/tokens", {"api_key": "any"})[1]["token"]
    path = f"/api/ecommerce/orders/{paid['intention_order_id']}"
    _, read = paymob.send("GET", path, headers={"Authorization": f"Bearer {token}"})

    assert (read["paid_amount_cents"], [one["id"] for one in read["transactions"]]) == (
        25_050, [approved["id"], declined["id"]],
    )  # fmt: skip
    assert paymob.send("GET", path, headers=KEY)[0] == 401


def test_payouts_take_the_client_in_the_form(paymob: PaymobProcess) -> None:
    form = {"grant_type": "password", "username": "u", "password": "p", "client_id": "c", "client_secret": "s"}
    path, headers = "/api/secure/o/token/", {"Content-Type": "application/x-www-form-urlencoded"}

    def asked(given: dict[str, str], query: str = "") -> tuple[int, Doc]:
        return paymob._sent("POST", f"{path}{query}", urllib.parse.urlencode(given).encode(), headers)

    status, got = asked(form)
    assert (status, got["token_type"]) == (200, "Bearer")
    assert asked({**form, "client_secret": "invalid"}) == (401, {"error": "invalid_client"})
    assert asked({**form, "client_id": ""}, "?client_is_known=true") == (401, {"error": "invalid_client"})


def test_payouts_take_what_paymobs_examples_send(paymob: PaymobProcess) -> None:
    paymob.control("POST", "topups", {"amount": 100_000})
    status, paid = paymob.disburse("bank_card", json.loads("100.0"), to=1111222233334444, comment="NA")  # type: ignore[arg-type]
    assert (status, paid["amount"]) == (200, "100.00")
    asked = {"amount": 500, "type": "from_accept_balance", "currency": "egyptian_pound", "username": "shop"}
    assert paymob.payouts("POST", "/topup/request/", asked)[0] == 201
    assert paymob.create(billing_data={**BILLING, "phone_number": 201010101010})[0] == 201

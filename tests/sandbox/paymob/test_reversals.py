"""Refunds, voids, captures, and inquiries: children of a payment, found again by the order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.paymob_process import PaymobProcess
from tests.sandbox.receiver import Receiver

VOID, CAPTURE = "/api/acceptance/void_refund/void", "/api/acceptance/capture"


def inquire(paymob: PaymobProcess, **by: Any) -> Any:
    status, found = paymob.old("/api/ecommerce/orders/transaction_inquiry", by)
    return found if status == 200 else status


def read(paymob: PaymobProcess, number: int) -> Any:
    _, got = paymob.send("POST", "/api/auth/tokens", {"api_key": "any"})
    headers = {"Authorization": f"Bearer {got['token']}"}
    return paymob.send("GET", f"/api/acceptance/transactions/{number}", headers=headers)[1]


def test_refunds_add_up_to_the_payment(paymob: PaymobProcess, receiver: Receiver) -> None:
    paid = paymob.pay(paymob.intention(notification_url=receiver.url))
    status, child = paymob.refund(paid["id"], 5_000)

    assert (status, child["success"], child["is_refund"], child["amount_cents"]) == (200, True, True, 5_000)
    assert (child["parent_transaction"], child["has_parent_transaction"]) == (paid["id"], True)
    assert child["is_standalone_payment"] is False
    assert read(paymob, paid["id"])["refunded_amount_cents"] == 5_000
    assert list(paymob.refund(paid["id"], 20_051)[1]) == ["amount_cents"]
    assert paymob.refund(paid["id"], 20_050)[0] == 200
    assert paymob.refund(paid["id"], 1)[0] == 400
    events = [event["obj"] for event in receiver.wait_for("TRANSACTION", 5)]
    assert sorted((obj["is_refund"], obj["refunded_amount_cents"]) for obj in events) == [
        (False, 0), (False, 5_000), (False, 25_050), (True, 0), (True, 0),
    ]  # fmt: skip


def test_a_refund_that_is_sent_twice_is_made_twice(paymob: PaymobProcess) -> None:
    paid = paymob.pay(paymob.intention())
    numbers = {paymob.refund(paid["id"], 1_000)[1]["id"] for _ in range(2)}

    assert len(numbers) == 2
    assert read(paymob, paid["id"])["refunded_amount_cents"] == 2_000


def test_a_refund_that_the_bank_declines_moves_nothing(paymob: PaymobProcess) -> None:
    paid = paymob.pay(paymob.intention(), card="4000000000005126")
    before = paymob.money()["books"]
    status, child = paymob.refund(paid["id"], 100)

    assert (status, child["success"], child["is_refund"]) == (200, False, True)
    assert paymob.money()["books"] == before
    assert read(paymob, paid["id"])["is_refunded"] is False


@pytest.mark.parametrize("body", [{}, {"transaction_id": 1}, {"amount_cents": 1}])
def test_a_refund_needs_a_transaction_and_an_amount(paymob: PaymobProcess, body: dict[str, int]) -> None:
    assert paymob.manage("POST", "/api/acceptance/void_refund/refund", body)[0] == 400
    assert paymob.refund(1, 1) == (404, {"detail": "Not found."})


def test_only_what_succeeded_is_refunded(paymob: PaymobProcess) -> None:
    declined = paymob.pay(paymob.intention(), card="4000000000000002")

    assert paymob.refund(declined["id"], 1)[1] == {"message": "Only successful payments can be refunded."}


def test_a_card_payment_is_voided_on_its_day_with_its_fee(paymob: PaymobProcess) -> None:
    paid = paymob.pay(paymob.intention())
    status, child = paymob.manage("POST", VOID, {"transaction_id": paid["id"]})

    assert (status, child["success"], child["is_void"], child["parent_transaction"]) == (200, True, True, paid["id"])
    assert read(paymob, paid["id"])["is_voided"] is True
    assert not any(paymob.money()["books"].values())
    assert paymob.manage("POST", VOID, {"transaction_id": paid["id"]})[0] == 400
    assert paymob.refund(paid["id"], 1)[0] == 400


def test_what_is_old_settled_partly_refunded_or_no_card_is_not_voided(paymob: PaymobProcess) -> None:
    wallet = paymob.pay(paymob.intention(payment_methods=["wallet"]), method="wallet")
    part, settled = paymob.pay(paymob.intention()), paymob.pay(paymob.intention())
    paymob.refund(part["id"], 1)
    paymob.control("POST", "settlements")
    old = paymob.pay(paymob.intention())
    paymob.advance(86_400)

    for paid in (wallet, part, settled, old):
        assert paymob.manage("POST", VOID, {"transaction_id": paid["id"]})[0] == 400
    assert paymob.refund(settled["id"], 1)[0] == 200


def test_an_authorization_is_captured_once(paymob: PaymobProcess) -> None:
    held = paymob.pay(paymob.intention(payment_methods=["card-auth"]))
    assert (held["success"], held["is_auth"], held["order"]["paid_amount_cents"]) == (True, True, 0)
    assert not any(paymob.money()["books"].values())
    assert paymob.manage("POST", CAPTURE, {"transaction_id": held["id"], "amount_cents": 25_051})[0] == 400
    status, child = paymob.manage("POST", CAPTURE, {"transaction_id": held["id"], "amount_cents": 20_000})

    assert (status, child["success"], child["is_capture"], child["amount_cents"]) == (200, True, True, 20_000)
    assert paymob.money()["books"]["payers/card"] == -20_000
    assert paymob.manage("POST", CAPTURE, {"transaction_id": held["id"], "amount_cents": 1})[0] == 400
    assert paymob.refund(held["id"], 1)[0] == 400
    assert paymob.refund(child["id"], 20_000)[0] == 200


def test_an_authorization_ends_after_two_weeks(paymob: PaymobProcess) -> None:
    held = paymob.pay(paymob.intention(payment_methods=["card-auth"]))
    paymob.advance(14 * 86_400 + 1)

    assert paymob.manage("POST", CAPTURE, {"transaction_id": held["id"], "amount_cents": 1})[0] == 400
    assert paymob.manage("POST", VOID, {"transaction_id": held["id"]})[0] == 200


def test_an_inquiry_finds_the_last_transaction_of_an_order(paymob: PaymobProcess) -> None:
    made = paymob.intention(special_reference="7-1")
    assert inquire(paymob, merchant_order_id="7-1") == 404
    declined = paymob.pay(made, card="4000000000000002")
    assert inquire(paymob, order_id=made["intention_order_id"])["id"] == declined["id"]
    paid = paymob.pay(made)
    assert inquire(paymob, merchant_order_id="7-1")["id"] == paid["id"]
    refunded = paymob.refund(paid["id"], 10)[1]

    last = inquire(paymob, merchant_order_id="7-1")
    assert (last["id"], last["is_refund"], last["parent_transaction"]) == (refunded["id"], True, paid["id"])
    assert inquire(paymob, merchant_order_id="7-2") == 404
    assert inquire(paymob) == 400


def test_moments_are_cairos_without_a_zone(paymob: PaymobProcess) -> None:
    paid = paymob.pay(paymob.intention())

    assert len(paid["created_at"]) == len("2026-03-01T10:15:30.123456")
    assert "+" not in paid["created_at"]

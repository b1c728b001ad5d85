"""Random requests in any order, in this process and in virtual time: no money appears, disappears, or is in doubt."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandboxes.kit.api import Request
from sandboxes.kit.errors import ApiError
from sandboxes.kit.outbox import Outbox
from sandboxes.kit.pipeline import Pipeline, Reply
from sandboxes.paymob import cards, signatures
from sandboxes.paymob.api import PaymobApi
from sandboxes.paymob.control import collecting, money
from sandboxes.paymob.objects import payment, settlement, topup, transaction
from sandboxes.paymob.objects import payout as payouts
from sandboxes.paymob.registry import BEHAVIOUR
from sandboxes.paymob.sandbox import Sandbox
from sandboxes.paymob.settings import Settings
from sandboxes.paymob.webhooks import PaymobWebhooks
from tests.paymob_process import BILLING, HMAC, SECRET_KEY

START = 1_800_000_000.0
METHODS = ("card", "card", "card", "wallet", "kiosk", "card-auth")
STEP = st.tuples(
    st.sampled_from(
        ["pay", "pay", "answer", "refund", "refund", "void", "capture", "settle", "topup", "disburse", "disburse",
         "decide", "advance", "inquire"]
    ),
    st.integers(0, 40),
    st.integers(1, 80_000),
)  # fmt: skip


class Shop:
    """A merchant and its payers at a sandbox in this process; each step is a call or what somebody does."""

    def __init__(self) -> None:
        self.true = START
        given = Settings(seed=1, callback_url="http://shop.example/hook", inquiries_per_minute=0)
        self.sandbox = Sandbox(given, BEHAVIOUR, lambda: self.true)
        self.outbox = Outbox(self.sandbox, PaymobWebhooks(self.sandbox))
        self.pipeline = Pipeline(PaymobApi(self.sandbox))
        self.token = self._new_token()

    def call(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:
        """Call the API without a network."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        work = self.pipeline.begin(Request(method, path, headers={"Authorization": authorization}, body=data))
        reply = work if isinstance(work, Reply) else self.pipeline.finish(work)
        assert reply.status < 500, reply.body
        return reply.status, json.loads(reply.body)

    def _new_token(self) -> str:
        body = b"grant_type=password&username=u&password=p"
        return str(self.call("POST", "/api/secure/o/token/", body, "Basic aWQ6c2VjcmV0")[1]["access_token"])

    def manage(self, path: str, **body: Any) -> tuple[int, Any]:
        """Call with the secret key."""
        return self.call("POST", path, body, f"Token {SECRET_KEY}")

    def some(self, kind: str, pick: int) -> Any:
        """Return one of the objects of a kind, or None."""
        with self.sandbox.store.transaction():
            found = self.sandbox.store.find(kind)
        return found[pick % len(found)] if found else None

    def take(self, step: str, pick: int, amount: int) -> None:
        """Take one step."""
        getattr(self, f"_{step}")(pick, amount)

    def _pay(self, pick: int, amount: int) -> None:
        method = METHODS[pick % len(METHODS)]
        _, made = self.manage(
            "/v1/intention/", amount=amount, currency="EGP", payment_methods=[method], billing_data=BILLING
        )
        sandbox, card = self.sandbox, cards.ALL[pick % len(cards.ALL)].number
        with sandbox.store.transaction():
            [key] = sandbox.store.find("payment_key", parent=f"order_{made['intention_order_id']}")
            kind = "card" if method == "card-auth" else method
            given = {"card": card, "save": pick % 2}
            # Some payers open the page twice.
            begun = [collecting.attempt(sandbox, key, kind, given)]
            if amount % 2 == 0 and begun[0]["status"] == "pending":
                begun.append(collecting.attempt(sandbox, key, kind, given))
            for doc in begun if pick % 3 else ():
                payment.answer(sandbox, doc, passed=True)

    def _answer(self, pick: int, amount: int) -> None:
        doc = self.some("transaction", pick)
        if doc:
            with self.sandbox.store.transaction():
                payment.answer(self.sandbox, self.sandbox.find("transaction", doc["id"]), passed=amount % 4 > 0)

    def _refund(self, pick: int, amount: int) -> None:
        if doc := self.some("transaction", pick):
            part = doc["amount"] if amount % 3 == 0 else amount
            self.manage("/api/acceptance/void_refund/refund", transaction_id=doc["number"], amount_cents=part)

    def _void(self, pick: int, _amount: int) -> None:
        if doc := self.some("transaction", pick):
            self.manage("/api/acceptance/void_refund/void", transaction_id=doc["number"])

    def _capture(self, pick: int, amount: int) -> None:
        if doc := self.some("transaction", pick):
            self.manage("/api/acceptance/capture", transaction_id=doc["number"], amount_cents=amount)

    def _settle(self, _pick: int, _amount: int) -> None:
        with self.sandbox.store.transaction():
            settlement.settle(self.sandbox)

    def _topup(self, pick: int, amount: int) -> None:
        with self.sandbox.store.transaction():
            topup.decide(self.sandbox, topup.request(self.sandbox, amount), approved=pick % 3 > 0)

    def _disburse(self, pick: int, amount: int) -> None:
        issuer = ("vodafone", "orange", "bank_wallet")[pick % 3]
        body = {"issuer": issuer, "amount": f"{amount // 100}.{amount % 100:02}", "full_name": "Mona Ali",
                "msisdn": f"0100000000{pick % 10}", "client_reference_id": f"r{pick}",
                "customer_bears_fees": amount % 5 == 0}  # fmt: skip
        status, _ = self.call("POST", "/api/secure/disburse/", body, f"Bearer {self.token}")
        if status == 401:
            self.token = self._new_token()

    def _decide(self, pick: int, amount: int) -> None:
        doc = self.some("payout", pick)
        if doc:
            outcome = ("succeed", "fail", "return", "unknown")[amount % 4]
            # A payout that has ended otherwise already is refused.
            with contextlib.suppress(ApiError), self.sandbox.store.transaction():
                payouts.decide(self.sandbox, self.sandbox.find("payout", doc["id"]), outcome, None)

    def _advance(self, pick: int, _amount: int) -> None:
        self.true += pick * 3_000
        self.sandbox.run_due()

    def _inquire(self, pick: int, _amount: int) -> None:
        body = {"transactions_ids_list": [f"r{pick}"], "bank_transactions": bool(pick % 2)}
        self.call("POST", "/api/secure/transaction/inquire/", body, f"Bearer {self.token}")

    # -- what has to hold

    def check(self) -> None:
        """Each book must be what the objects say, and all of them together nothing."""
        record = money.record(self.sandbox)
        assert record["sum"] == 0
        assert set(self.sandbox.journal.sums().values()) <= {0}
        books = {book: amount for book, amount in record["books"].items() if amount}
        assert books == {book: amount for book, amount in self._expected(record).items() if amount}
        assert record["budget"] >= 0
        self._check_orders(record)
        self._check_callbacks()

    def _expected(self, record: Any) -> dict[str, int]:
        """Return the books as they follow from the objects alone."""
        sums: Counter[str] = Counter()
        with self.sandbox.store.transaction():
            types = {doc["number"]: doc["source"]["type"] for doc in self.sandbox.store.find("transaction")}
        for one in record["transactions"]:
            sums.update(_collected(one, f"payers/{types[one['number']]}"))
        for one in record["settlements"]:
            sums.update({"merchant/unsettled": -one["amount"], "bank/merchant": one["amount"]})
        for one in record["topups"]:
            if one["status"] == "approved":
                sums.update({"bank/merchant": -one["amount"], "budget/available": one["amount"]})
        for one in record["payouts"]:
            sums.update(_paid_out(one))
        return dict(sums)

    def _check_orders(self, record: Any) -> None:
        for one in record["transactions"]:
            assert 0 <= one["refunded"] <= one["amount"]
            children = [child for child in record["transactions"] if child["parent"] == one["number"]]
            given_back = [c["amount"] for c in children if c["kind"] == "refund" and c["status"] == "approved"]
            assert sum(given_back) == one["refunded"]
        with self.sandbox.store.transaction():
            for order in self.sandbox.store.find("order"):
                paid = [doc for doc in self.sandbox.store.find("transaction", parent=order["id"]) if _is_paid(doc)]
                assert order["paid"] == sum(doc["amount"] for doc in paid)
                # Only a kiosk takes the money of an order twice.
                assert len(paid) <= 1 or all(doc["bill_reference"] for doc in paid)

    def _check_callbacks(self) -> None:
        """The last callback of each decided transaction must be signed and say what is so now."""
        last: dict[int, Any] = {}
        with self.sandbox.store.transaction():
            for event in self.sandbox.store.find("event"):
                if event["type"] == "TRANSACTION":
                    obj = last[event["body"]["obj"]["id"]] = event["body"]["obj"]
                    assert event["hmac"] == signatures.of_transaction(obj, HMAC)
            for doc in self.sandbox.store.find("transaction"):
                told, now = last.get(doc["number"]), transaction.render(self.sandbox, doc)
                names = ("success", "pending", "is_voided", "refunded_amount_cents", "captured_amount")
                assert told is not None or doc["status"] == "pending"
                assert told is None or [told[name] for name in names] == [now[name] for name in names]
        if last:
            [event, endpoint] = self.outbox.opened(self.outbox.due()[0]) or []
            assert self.outbox.message(event, endpoint).url.startswith("http://shop.example/hook?hmac=")


def _is_paid(doc: Any) -> bool:
    return doc["status"] == "approved" and doc["kind"] in ("payment", "capture")


def _collected(one: Any, payers: str) -> dict[str, int]:
    """Return what a transaction moved, by book."""
    if one["status"] != "approved" or one["voided"]:
        return {}
    if one["kind"] == "refund":
        return {payers: one["amount"], "merchant/unsettled": -one["amount"]}
    if one["kind"] not in ("payment", "capture"):
        return {}
    net = one["amount"] - one["fee"] - one["vat"]
    return {payers: -one["amount"], "merchant/unsettled": net, "paymob/fees": one["fee"], "paymob/vat": one["vat"]}


def _paid_out(one: Any) -> dict[str, int]:
    """Return what a payout moved, by book."""
    if one["status"] == "failed":
        return {}
    if one["status"] in ("pending", "unknown"):
        return {"payouts/in_transit": one["charged"], "budget/available": -one["charged"]}
    kept = one["charged"] - one["fees"] - one["vat"] if one["status"] == "successful" else 0
    return {
        f"recipients/{one['issuer']}": kept,
        "paymob/payout_fees": one["fees"],
        "paymob/payout_vat": one["vat"],
        "budget/available": -kept - one["fees"] - one["vat"],
    }


@settings(max_examples=120, deadline=None)
@given(steps=st.lists(STEP, min_size=5, max_size=60))
def test_money_is_conserved_and_explained(steps: list[tuple[str, int, int]]) -> None:
    shop = Shop()
    for step in steps:
        shop.take(*step)
    shop.check()
    shop.take("advance", 200, 1)
    shop.check()
    shop.sandbox.store.close()


def test_what_was_collected_is_settled_once_and_less_the_refunds() -> None:
    shop = Shop()
    shop.take("pay", 1, 50_000)
    shop.take("pay", 1, 30_000)
    fees = money.record(shop.sandbox)["fees"]
    shop.take("settle", 0, 0)
    first = money.record(shop.sandbox)
    assert first["bank"] == 80_000 - fees["collecting"] - fees["collecting_vat"]
    shop.take("settle", 0, 0)
    assert money.record(shop.sandbox)["bank"] == first["bank"]
    shop.take("refund", 0, 3)
    shop.take("settle", 0, 0)
    # What was refunded after the settlement is kept from what is collected next.
    record = money.record(shop.sandbox)
    assert (record["unsettled"], len(record["settlements"])) == (-50_000, 1)
    shop.take("pay", 1, 80_000)
    shop.take("settle", 0, 0)

    record = money.record(shop.sandbox)
    assert record["unsettled"] == 0
    assert [len(one["transactions"]) for one in record["settlements"]] == [2, 2]
    shop.check()

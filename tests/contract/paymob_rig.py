"""Paymob by its sandbox: payers at the checkout page, banks behind payouts, the clock and the network."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

from multitask.payments.provider import InboundEvent
from multitask.providers.paymob.adapter import PaymobProvider
from multitask.providers.paymob.configuration import Configuration
from tests.contract.rigs import CHALLENGED_CARD, DECLINED_CARD, GOOD_BANK, GOOD_CARD, AnyProvider
from tests.paymob_process import PaymobProcess

BUDGET: Final = 1_000_000_00
ROOMY: Final = (f"--budget={BUDGET}", "--inquiries-per-minute=0")
# What the payer does with the cards that the suite names; the last one leaves its question unanswered.
_WAYS: Final[dict[str, dict[str, Any]]] = {
    GOOD_CARD: {"card": "5123450000000008"},
    DECLINED_CARD: {"card": "4000000000000002"},
    CHALLENGED_CARD: {"card": "5123456789012346", "passed": None},
    "wallet": {"method": "wallet"},
    "kiosk": {"method": "kiosk", "passed": True},
    "kiosk unpaid": {"method": "kiosk", "passed": None},
}


class PaymobRig:
    """Paymob, by the sandbox over the wire."""

    currency = "EGP"

    def __init__(self, sandbox: PaymobProcess) -> None:
        self.sandbox = sandbox
        self.provider = cast("AnyProvider", self.make())

    def impatient(self) -> AnyProvider:
        return cast("AnyProvider", self.make(read_timeout_seconds=0.3))

    def pay(self, token: str, card: str = GOOD_CARD) -> dict[str, Any]:
        """Pay at the address of the checkout page; return the transaction."""
        secret = parse_qs(urlsplit(token).query)["clientSecret"][0]
        return dict(self.sandbox.control("POST", f"intentions/{secret}/pay", _WAYS[card])["transaction"])

    def save_card(self, client_secret: str, card: str = GOOD_CARD) -> None:
        raise NotImplementedError

    def pay_and_save(self, token: str, card: str = GOOD_CARD) -> InboundEvent:
        secret = parse_qs(urlsplit(token).query)["clientSecret"][0]
        self.sandbox.control("POST", f"intentions/{secret}/pay", {**_WAYS[card], "save": True})
        sent = [each["object"] for each in self.sandbox.objects("event") if each["object"]["type"] == "TOKEN"]
        newest = max(sent, key=lambda each: each["body"]["obj"]["id"])
        return self.provider.verify_webhook(
            body=json.dumps(newest["body"]).encode(),
            headers={},
            endpoint="",
            now=self.now(),
            query={"hmac": newest["hmac"]},
        )

    def cards_offered(self, payment_id: str) -> list[str]:
        made = [each["object"] for each in self.sandbox.objects("intention")]
        (page,) = [each for each in made if str(each["intention_order_id"]) == payment_id]
        return list(page["card_tokens"])

    def new_method(self, card: str = GOOD_CARD) -> str:
        raise NotImplementedError

    def onboard(self, url: str, *, bank: str = GOOD_BANK) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        self.sandbox.control("POST", "settlements")

    def pass_time(self, seconds: float) -> None:
        self.sandbox.advance(seconds)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.now(), UTC)

    def fail(self, kind: str, method: str = "*", path: str = "*", **rule: Any) -> None:
        self.sandbox.add_fault(kind, method=method, path=path, count=1, **rule)

    def heal(self) -> None:
        self.sandbox.clear_faults()
        self.sandbox.control("DELETE", "payouts/outcomes")

    def count(self, kind: str) -> int:
        return len(self.sandbox.objects(kind))

    def newest(self, kind: str) -> str:
        return str(self.sandbox.objects(kind)[-1]["object"]["id"])

    def make(self, **changes: Any) -> PaymobProvider:
        """Return the adapter for the sandbox, with some settings changed."""
        given: dict[str, Any] = {
            "secret_key": "egy_sk_test_contract",
            "public_key": "egy_pk_test_contract",
            "hmac_secret": "sandbox_hmac",
            "api_key": "contract",
            "integration_ids": (2001, 2002, 2003),
            "api_base": self.sandbox.base_url,
            "notification_url": "http://127.0.0.1:9/hook",
            "redirection_url": "http://127.0.0.1:9/back",
            "payout_base": f"{self.sandbox.base_url}/api/secure",
            "payout_client_id": "client",
            "payout_client_secret": "secret",
            "payout_username": "user",
            "payout_password": "password",
            "clock": self.now,
            **changes,
        }
        return PaymobProvider(Configuration(**given))


@contextmanager
def paymob_rig(arguments: tuple[str, ...] = ROOMY) -> Iterator[PaymobRig]:
    """A sandbox of its own; unless it is told otherwise with a budget and without a limit of inquiries."""
    with PaymobProcess(arguments=arguments) as sandbox:
        assert isinstance(sandbox, PaymobProcess)
        yield PaymobRig(sandbox)

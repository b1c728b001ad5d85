"""The offline Paymob as a process of its own, for tests, with a client for each area of its API."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tests.sandbox_process import SandboxProcess

Doc = dict[str, Any]
Answer = tuple[int, Any]
SECRET_KEY, PUBLIC_KEY, HMAC = "egy_sk_test_any", "egy_pk_test_any", "sandbox_hmac"
BILLING = {"first_name": "Mona", "last_name": "Ali", "email": "mona@example.com", "phone_number": "+201010101010"}


class PaymobProcess(SandboxProcess):
    """A sandbox of Paymob in a subprocess."""

    module = "sandboxes.paymob"

    def send(self, method: str, path: str, body: Doc | None = None, *, headers: Doc | None = None) -> Answer:
        """Send JSON; return the status and what came back."""
        data = json.dumps(body).encode() if body is not None else None
        return self._sent(method, path, data, {"Content-Type": "application/json", **(headers or {})})

    def _sent(self, method: str, path: str, data: bytes | None, headers: Doc) -> Answer:
        request = urllib.request.Request(f"{self.base_url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    # -- collecting

    def manage(self, method: str, path: str, body: Doc, key: str = SECRET_KEY) -> Answer:
        """Call with the secret key."""
        return self.send(method, path, body, headers={"Authorization": f"Token {key}"})

    def create(self, amount: int = 25_050, **more: Any) -> Answer:
        """Ask for an intention."""
        given = {"amount": amount, "currency": "EGP", "payment_methods": ["card"], "billing_data": BILLING, **more}
        return self.manage("POST", "/v1/intention/", given)

    def intention(self, amount: int = 25_050, **more: Any) -> Doc:
        """Create an intention."""
        status, made = self.create(amount, **more)
        assert status == 201, made
        return dict(made)

    def pay(self, intention: Doc, **given: Any) -> Doc:
        """Pay an intention without a browser; return the transaction."""
        return dict(self.control("POST", f"intentions/{intention['client_secret']}/pay", given)["transaction"])

    def refund(self, number: int, amount: int) -> Answer:
        """Refund a transaction."""
        body = {"transaction_id": number, "amount_cents": amount}
        return self.manage("POST", "/api/acceptance/void_refund/refund", body)

    def old(self, path: str, body: Doc) -> Answer:
        """Call the older API with a fresh token of its own."""
        _, got = self.send("POST", "/api/auth/tokens", {"api_key": "any"})
        return self.send("POST", path, {"auth_token": got["token"], **body})

    # -- paying out

    def token(self, form: Doc | None = None, client: str = "id:secret") -> Answer:
        """Ask for tokens of payouts."""
        body = urllib.parse.urlencode(form or {"grant_type": "password", "username": "u", "password": "p"}).encode()
        basic = base64.b64encode(client.encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        return self._sent("POST", "/api/secure/o/token/", body, headers)

    def payouts(self, method: str, path: str, body: Doc | None = None, *, token: str | None = None) -> Answer:
        """Call payouts, with a fresh token unless one is given."""
        bearer = token or self.token()[1]["access_token"]
        return self.send(method, f"/api/secure{path}", body, headers={"Authorization": f"Bearer {bearer}"})

    def disburse(
        self, issuer: str = "vodafone", amount: str = "100.00", to: str = "01020304050", **more: Any
    ) -> Answer:
        """Pay out; banks get the other fields that they need."""
        given: Doc = {"issuer": issuer, "amount": amount, "full_name": "Mona Ali"}
        if issuer in ("bank_card", "instant_bank"):
            given |= {"bank_card_number": to, "bank_code": "CIB"}
            given |= {"bank_transaction_type": "cash_transfer"} if issuer == "bank_card" else {}
        else:
            given["msisdn"] = to
        return self.payouts("POST", "/disburse/", given | more)

    def inquire(self, *references: str, bank: bool = False, page: int = 1) -> Answer:
        """Inquire about payouts."""
        body = {"transactions_ids_list": list(references), "bank_transactions": bank}
        return self.payouts("POST", f"/transaction/inquire/?page={page}", body)

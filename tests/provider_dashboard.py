"""The provider's dashboard and its news: what its staff does behind our back, and the events that it tells."""

import hashlib
import hmac
import json
import time
import urllib.parse
import urllib.request
from typing import Any

from django.utils import timezone

from multitask.webhooks import incoming
from tests.sandbox_process import SandboxProcess

PLATFORM_SECRET = "whsec_platform_of_the_world"
CONNECT_SECRET = "whsec_connect_of_the_world"


class Dashboard:
    """One test's view of the sandbox that it shares with others: only what happens from now on is news."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.heard = {"": self._newest_event()}

    def listen_to(self, account: str) -> None:
        """Hear the news of a connected account too, from its beginning."""
        self.heard.setdefault(account, "")

    def at_provider(self, path: str, *, account: str = "", **form: str) -> dict[str, Any]:
        """Do something in the provider's own dashboard, which is to say behind our back."""
        return self._call(path, urllib.parse.urlencode(form).encode(), account)

    def _call(self, path: str, form: bytes | None = None, account: str = "") -> dict[str, Any]:
        self.sandbox.commands += form is not None
        headers = {"Authorization": "Bearer sk_test_dashboard"} | ({"Stripe-Account": account} if account else {})
        request = urllib.request.Request(f"{self.sandbox.base_url}/v1/{path}", form, headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    def _newest_event(self) -> str:
        newest = self._call("events?limit=1")["data"]
        return str(newest[0]["id"]) if newest else ""

    def events(self) -> list[dict[str, Any]]:
        """What the provider has to tell since the last time it was asked, oldest first; connected accounts last."""
        return [event for account in list(self.heard) for event in self._fresh_events(account)]

    def _fresh_events(self, account: str) -> list[dict[str, Any]]:
        since = f"&ending_before={self.heard[account]}" if self.heard[account] else ""
        fresh = self._call(f"events?limit=100{since}", account=account)["data"]
        if fresh:
            self.heard[account] = fresh[0]["id"]
        return [{**event, "account": account} if account else event for event in reversed(fresh)]

    def receive(self, event: dict[str, Any]) -> incoming.ReceivedEvent:
        """Take one delivery in, signed as the provider signs it."""
        body = json.dumps(event).encode()
        secret = CONNECT_SECRET if event.get("account") else PLATFORM_SECRET
        stamp = str(int(time.time()))
        mark = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={stamp},v1={mark}"}
        return incoming.receive(provider_name="stripe", body=body, headers=headers, now=timezone.now())

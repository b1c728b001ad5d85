"""The provider's dashboard: changes that are made there without us, and the events that it has for us."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import Any

from django.utils import timezone

from multitask.webhooks import incoming
from tests.sandbox_process import SandboxProcess

PLATFORM_SECRET = "whsec_platform_of_the_world"
CONNECT_SECRET = "whsec_connect_of_the_world"


class Dashboard:
    """One test's view of the sandbox that it shares with others: it sees only events that happen from now on."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self._last_seen = {"": self._newest_event()}

    def listen_to(self, account: str) -> None:
        """Read the events of a connected account too, from its first one."""
        self._last_seen.setdefault(account, "")

    def at_provider(self, path: str, *, account: str = "", **form: str) -> dict[str, Any]:
        """Change something in the provider's own dashboard, without a call of ours."""
        return self._call(path, urllib.parse.urlencode(form).encode(), account)

    def at_provider_now(self, path: str) -> dict[str, Any]:
        """Read one of the provider's objects as it shows it."""
        return self._call(path)

    def delete_at_provider(self, path: str) -> None:
        """Delete something in the provider's own dashboard."""
        self._call(path, method="DELETE")

    def _call(
        self, path: str, form: bytes | None = None, account: str = "", method: str | None = None
    ) -> dict[str, Any]:
        headers = {"Authorization": "Bearer sk_test_dashboard"} | ({"Stripe-Account": account} if account else {})
        request = urllib.request.Request(f"{self.sandbox.base_url}/v1/{path}", form, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    def _newest_event(self) -> str:
        newest = self._call("events?limit=1")["data"]
        return str(newest[0]["id"]) if newest else ""

    def events(self) -> list[dict[str, Any]]:
        """Return the events since the last call, oldest first; those of connected accounts last."""
        return [event for account in list(self._last_seen) for event in self._new_events(account)]

    def _new_events(self, account: str) -> list[dict[str, Any]]:
        new: list[dict[str, Any]] = []
        has_more = True
        while has_more:
            mark = self._last_seen[account]
            page = self._events_after(mark, account)
            if page["data"]:
                self._last_seen[account] = page["data"][0]["id"]
            new += reversed(page["data"])
            # Without a mark the page holds the newest.
            has_more = bool(mark) and page["has_more"]
        return [{**event, "account": account} if account else event for event in new]

    def _events_after(self, mark: str, account: str) -> dict[str, Any]:
        """The oldest events after a mark, newest first; none of an account that was closed or has left the platform."""
        since = f"&ending_before={mark}" if mark else ""
        try:
            return self._call(f"events?limit=100{since}", account=account)
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.FORBIDDEN:
                raise
            return {"data": [], "has_more": False}

    def deauthorized(self, account: str) -> dict[str, Any]:
        """End the platform's access to an account; return the event that says so."""
        self.sandbox.control("POST", f"accounts/{account}/deauthorize")
        return {
            "id": f"evt_of_{account}",
            "object": "event",
            "type": "account.application.deauthorized",
            "account": account,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": {"id": "ca_platform", "object": "application", "name": "Sandbox"}},
        }

    def receive(self, event: dict[str, Any]) -> incoming.ReceivedEvent:
        """Receive one delivery, signed as the provider signs it."""
        body = json.dumps(event).encode()
        secret = CONNECT_SECRET if event.get("account") else PLATFORM_SECRET
        stamp = str(int(time.time()))
        mark = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={stamp},v1={mark}"}
        return incoming.receive(provider_name="stripe", body=body, headers=headers, now=timezone.now())

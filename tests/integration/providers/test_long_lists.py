"""Lists of the provider are read to their end, whatever their length."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration

DISPUTES = 2_345


class Disputes(BaseHTTPRequestHandler):
    """A server for `GET /v1/disputes` that returns pages, newest first, as Stripe does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        after = asked.get("starting_after", [f"dp_{DISPUTES}"])[0]
        newest, limit = int(after.removeprefix("dp_")) - 1, int(asked["limit"][0])
        found = [dispute(number) for number in range(newest, max(-1, newest - limit), -1)]
        more = bool(found) and found[-1]["id"] != "dp_0"
        listed = {"object": "list", "url": "/v1/disputes", "has_more": more, "data": found}
        body = json.dumps(listed).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def dispute(number: int) -> dict[str, object]:
    return {
        "id": f"dp_{number}",
        "object": "dispute",
        "status": "needs_response",
        "reason": "general",
        "amount": 100,
        "currency": "usd",
        "payment_intent": "pi_1",
        "charge": "ch_1",
    }


@pytest.fixture
def provider() -> Iterator[StripeProvider]:
    """The adapter, at a server that has many chargebacks."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Disputes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield StripeProvider(
            Configuration(
                secret_key="sk_test_lists",
                publishable_key="pk_test_lists",
                webhook_secret="whsec_platform",
                connect_webhook_secret="whsec_connect",
                api_base=f"http://127.0.0.1:{server.server_port}",
            )
        )
        server.shutdown()


def test_every_chargeback_of_the_period_is_listed(provider: StripeProvider) -> None:
    listed = provider.list_disputes(since=datetime(2026, 1, 1, tzinfo=UTC))

    assert [state.id for state in listed] == [f"dp_{number}" for number in range(DISPUTES - 1, -1, -1)]

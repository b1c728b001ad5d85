"""The script in a real browser, on a page of another origin under a strict Content-Security-Policy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from playwright.sync_api import Page

from tests.browser import chromium
from tests.sandbox_process import SandboxProcess

HOST_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body>
<div id="card"></div><button id="pay">Pay</button><pre id="told"></pre>
<script src="{sandbox}/v1/stripe.js"></script><script nonce="host">
const query = new URLSearchParams(location.search), secret = query.get("secret");
const stripe = Stripe("pk_test_page");
const elements = stripe.elements({{ clientSecret: secret, locale: query.get("locale") }});
elements.create("payment").mount("#card");
document.getElementById("pay").addEventListener("click", async () => {{
  const checked = await elements.submit();
  const confirm = secret.startsWith("seti_") ? "confirmSetup" : "confirmPayment";
  const confirmParams = {{ return_url: location.origin + "/done" }};
  const result = checked.error ? checked
    : await stripe[confirm]({{ elements, confirmParams, redirect: query.get("redirect") }});
  const intent = result.paymentIntent || result.setupIntent || {{}};
  const told = {{ status: intent.status, error: (result.error || {{}}).code }};
  document.getElementById("told").textContent = JSON.stringify(told);
}});
</script></body></html>"""


@pytest.fixture(scope="module")
def shop(shared: SandboxProcess) -> Iterator[str]:
    """The address of a page that allows nothing but what the script is documented to need."""
    policy = f"default-src 'self'; script-src 'nonce-host' {shared.base_url}; frame-src {shared.base_url}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(HOST_PAGE.format(sandbox=shared.base_url).encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of Chromium."""
    with chromium.running() as browser:
        yield browser.new_page()


def fill(page: Page, shop: str, secret: str | None, number: str, redirect: str = "if_required") -> None:
    """Type a card into the frame and press the button."""
    page.goto(f"{shop}/?{urlencode({'secret': secret, 'redirect': redirect, 'locale': 'en'})}")
    frame = page.frame_locator("#card iframe")
    for name, value in (("number", number), ("expiry", "1234"), ("cvc", "123")):
        frame.locator(f"input[name={name}]").fill(value)
    page.click("#pay")


def told(page: Page) -> dict[str, Any]:
    """Return what the page was told in the end."""
    page.wait_for_selector("#told:not(:empty)")
    return dict(json.loads(page.inner_text("#told")))


def intent(api: stripe.StripeClient) -> stripe.PaymentIntent:
    return api.v1.payment_intents.create({"amount": 5_000, "currency": "usd"})


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("4242424242424242", {"status": "succeeded"}),
        ("4242424242424241", {"error": "incorrect_number"}),
        ("4000000000009995", {"error": "card_declined"}),
    ],
)
def test_a_card_is_paid_with_or_refused(
    page: Page, shop: str, api: stripe.StripeClient, number: str, answer: dict[str, str]
) -> None:
    fill(page, shop, intent(api).client_secret, number)

    assert told(page) == answer
    assert number not in page.content()


@pytest.mark.parametrize(
    ("button", "answer", "status"),
    [
        ("pass", {"status": "succeeded"}, "succeeded"),
        ("fail", {"error": "payment_intent_authentication_failure"}, "requires_payment_method"),
    ],
)
def test_authentication_happens_over_the_page(
    page: Page, shop: str, api: stripe.StripeClient, button: str, answer: dict[str, str], status: str
) -> None:
    made = intent(api)
    fill(page, shop, made.client_secret, "4000002760003184")
    page.frame_locator("dialog iframe").locator(f"button[value={button}]").click()

    assert told(page) == answer
    assert api.v1.payment_intents.retrieve(made.id).status == status


def test_a_card_is_saved(page: Page, shop: str, api: stripe.StripeClient) -> None:
    setup = api.v1.setup_intents.create({})
    fill(page, shop, setup.client_secret, "4242424242424242")

    assert told(page) == {"status": "succeeded"}


def test_the_page_is_left_for_the_return_address(page: Page, shop: str, api: stripe.StripeClient) -> None:
    made = intent(api)
    fill(page, shop, made.client_secret, "4242424242424242", redirect="always")
    page.wait_for_url("**/done?*")

    assert f"payment_intent={made.id}" in page.url
    assert "redirect_status=succeeded" in page.url

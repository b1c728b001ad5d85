"""The hosted pages, as a client without a browser uses them."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe

from sandboxes.kit import html
from sandboxes.stripe.pages import elements
from tests.sandbox import steps
from tests.sandbox_process import SandboxProcess

BACK = "https://example.com/back?task=7"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def visit(url: str, form: dict[str, str] | None = None) -> tuple[int, str, Any]:
    """Return status, text (or where it redirects to) and headers."""
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    try:
        with urllib.request.build_opener(_Stay()).open(url, data, timeout=60) as reply:
            return reply.status, reply.read().decode(), reply.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Location") or error.read().decode(), error.headers


def card(number: str = "4242 4242 4242 4242") -> dict[str, str]:
    return {"number": number, "expiry": "12 / 34", "cvc": "123", "name": "Jenny <b>Rosen</b>"}


def to_pay(sandbox: SandboxProcess, client: stripe.StripeClient) -> tuple[str, str]:
    """Return the id of an open intent and the address of its page."""
    intent = client.v1.payment_intents.create({"amount": 5_000, "currency": "usd"})
    query = urllib.parse.urlencode({"return_url": BACK})
    return intent.id, f"{sandbox.base_url}/pay/{intent.client_secret}?{query}"


def test_the_payment_page_takes_a_card(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    ident, url = to_pay(shared, api)
    status, text, headers = visit(url)
    assert (status, "$50.00" in text) == (200, True)
    assert "'unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    status, where, _ = visit(url, card())

    assert status == 303
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(where).query))
    assert (query["task"], query["payment_intent"], query["redirect_status"]) == ("7", ident, "succeeded")
    assert api.v1.payment_intents.retrieve(ident).status == "succeeded"
    assert "succeeded" in visit(url)[1]
    assert visit(url, card())[0] == 200
    assert api.v1.payment_intents.retrieve(ident).amount_received == 5_000


def test_the_payment_page_tells_a_decline_and_keeps_the_form(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    ident, url = to_pay(shared, api)
    status, text, _ = visit(url, card("4000000000009995"))

    assert (status, "insufficient funds" in text) == (402, True)
    assert "<b>Rosen" not in text
    assert "4000000000009995" not in text
    assert visit(url, card("4242424242424241"))[0] == 402
    assert visit(url, {})[0] == 402
    assert visit(url, card())[0] == 303
    assert api.v1.payment_intents.retrieve(ident).status == "succeeded"


@pytest.mark.parametrize(
    ("action", "status", "told"), [("pass", "succeeded", "succeeded"), ("fail", "requires_payment_method", "failed")]
)
def test_the_payment_page_goes_through_authentication(
    shared: SandboxProcess, api: stripe.StripeClient, action: str, status: str, told: str
) -> None:
    ident, url = to_pay(shared, api)
    _, challenge, _ = visit(url, card("4000002760003184"))
    assert "Complete authentication" in visit(challenge)[1]
    code, where, _ = visit(challenge, {"action": action})

    assert code == 303
    assert f"redirect_status={told}" in where
    assert api.v1.payment_intents.retrieve(ident).status == status
    assert visit(challenge)[0] == 410
    assert visit(challenge, {"action": "pass"})[0] == 410


def test_authentication_inside_a_frame_tells_the_page_around_it(
    shared: SandboxProcess, api: stripe.StripeClient
) -> None:
    intent: Any = steps.pay(api, 900, "pm_card_authenticationRequired")
    url = intent.next_action.use_stripe_sdk["stripe_js"] + "?embedded=1"
    _, text, headers = visit(url, {"action": "pass"})

    assert "postMessage" in text
    assert "frame-ancestors *" in headers["Content-Security-Policy"]
    assert api.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    # Finished in one tab, the step of another tab lets its page go on too, instead of holding it for ever.
    status, text, headers = visit(url, {"action": "pass"})
    assert (status, "postMessage" in text) == (410, True)
    assert "frame-ancestors *" in headers["Content-Security-Policy"]


def test_a_card_is_saved_through_authentication(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    setup: Any = api.v1.setup_intents.create(
        {"payment_method": "pm_card_authenticationRequired", "confirm": True, "return_url": BACK}
    )
    code, where, _ = visit(setup.next_action.redirect_to_url.url, {"action": "pass"})

    assert (code, f"setup_intent={setup.id}" in where) == (303, True)
    assert api.v1.setup_intents.retrieve(setup.id).status == "succeeded"


@pytest.mark.parametrize(
    "path", ["pay/pi_x_secret_y", "3ds/pi_x/y", "setup/e/acct_x/y", "receipts/ch_x", "express/acct_x/y"]
)
def test_pages_of_what_does_not_exist(shared: SandboxProcess, path: str) -> None:
    assert visit(f"{shared.base_url}/{path}")[0] in (404, 410)


def test_a_receipt_shows_what_was_paid(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    charge = api.v1.charges.retrieve(str(steps.pay(api, 1_234).latest_charge))

    assert "$12.34" in visit(str(charge.receipt_url))[1]


def test_the_script_and_its_frame_are_served_for_strict_pages(shared: SandboxProcess) -> None:
    status, script, headers = visit(f"{shared.base_url}/v1/stripe.js")
    assert (status, headers.get_content_type()) == (200, "text/javascript")
    assert not re.search(r"\beval\(|innerHTML|setAttribute\(.style|onclick", script)
    _, frame, headers = visit(f"{shared.base_url}/elements/frame?key=pk_test_x&locale=ar")
    assert 'dir="rtl"' in frame
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_inputs_of_the_pages_and_of_the_card_frame_fit() -> None:
    for style in (elements._STYLE, html.STYLE):
        rules = [rule for rule in re.findall(r"[^{}]*\{[^}]*\}", style) if rule.lstrip().startswith("input")]
        wide = [rule for rule in rules if "width: 100%" in rule]
        assert wide
        assert all("box-sizing: border-box" in rule for rule in wide)

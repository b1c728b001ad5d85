"""The card payment page for a client secret, its 3-D Secure step, and receipts. None needs a script."""

from __future__ import annotations

import re
from types import ModuleType
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.html import page, posted, sent_to, text
from sandboxes.kit.params import Url
from sandboxes.stripe import currencies
from sandboxes.stripe.objects import payment_intent, setup_intent
from sandboxes.stripe.sandbox import Sandbox

_FIELDS = (
    ("number", "Card number", "4242 4242 4242 4242", "cc-number"),
    ("expiry", "Expiry (MM / YY)", "12 / 34", "cc-exp"),
    ("cvc", "Security code", "123", "cc-csc"),
    ("name", "Name on card", "Jenny Rosen", "cc-name"),
)
_MODULES = {"payment_intent": payment_intent, "setup_intent": setup_intent}
CSP = "Content-Security-Policy"
_TELL = 'window.parent.postMessage({ event: "authenticated" }, "*");'


class Over(web.HTTPGone):
    """The authentication is finished already; a page that embeds the step is notified."""

    def __init__(self, *, embedded: bool) -> None:
        said = page("This step is over", "<p>You can go on.</p>", frames="*", script=_TELL if embedded else "")
        super().__init__(text=said.text, content_type="text/html", headers={CSP: said.headers[CSP]})


class PaymentPages:
    """Shows the pages and accepts their forms."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        return [
            web.get("/pay/{secret}", self.show),
            web.post("/pay/{secret}", self.pay),
            web.get("/3ds/{intent}/{token}", self.ask),
            web.post("/3ds/{intent}/{token}", self.authenticate),
            web.get("/receipts/{charge}", self.receipt),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the card form of an intent that is not paid yet."""
        with self.sandbox.store.transaction():
            intent = self._by_secret(request)
            return _card_form(intent, {}, None) if intent["status"] in payment_intent.OPEN else _finished(intent)

    async def pay(self, request: web.Request) -> web.StreamResponse:
        """Try to pay with the typed card; continue with 3-D Secure, the return address, or a confirmation page."""
        sandbox, given, back = self.sandbox, await posted(request), _return_url(request)
        try:
            with sandbox.store.transaction():
                intent = self._by_secret(request)
                account = sandbox.store.account_of(intent["id"])
                if intent["status"] not in payment_intent.OPEN:
                    return _finished(intent)
                typed = {"payment_method_data": {"card": _card(given), "billing_details": {"name": given.get("name")}}}
                payment_intent.choose_method(sandbox, intent, account, typed)
                payment_intent.confirm(sandbox, intent, return_url=back, off_session=False, error_on_action=False)
        except ApiError as error:
            with sandbox.store.transaction():
                return _card_form(self._by_secret(request), given, str(error))
        sandbox.run_due()
        if intent["status"] == "requires_action":
            return sent_to(_challenge_url(intent))
        return sent_to(_with_result(back, intent)) if back else _finished(intent)

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Show the 3-D Secure step."""
        with self.sandbox.store.transaction():
            intent, _module = self._challenged(request)
        amount = currencies.shown(intent["amount"], intent["currency"]) if "amount" in intent else "nothing now"
        body = (
            f"<p>Your bank asks whether this is you. Amount: <strong>{text(amount)}</strong>.</p>"
            '<form method="post"><button name="action" value="pass">Complete authentication</button>'
            '<button class="plain" name="action" value="fail">Fail authentication</button></form>'
        )
        return page("3-D Secure", body, frames="*")

    async def authenticate(self, request: web.Request) -> web.StreamResponse:
        """Accept the answer, continue the payment, and redirect the visitor back."""
        sandbox, given = self.sandbox, await posted(request)
        with sandbox.store.transaction():
            intent, module = self._challenged(request)
        ident, back = intent["id"], intent["_return_url"]
        try:
            with sandbox.store.transaction():
                intent = sandbox.find(intent["object"], ident)
                module.authenticate(sandbox, intent, passed=given.get("action") == "pass")
        except ApiError:
            with sandbox.store.transaction():
                intent = sandbox.find(intent["object"], ident)
        sandbox.run_due()
        if "embedded" in request.query:
            return page("Thank you", "<p>You can go on.</p>", frames="*", script=_TELL)
        return sent_to(_with_result(back, intent)) if back else _finished(intent)

    async def receipt(self, request: web.Request) -> web.StreamResponse:
        """Show the receipt of a charge."""
        with self.sandbox.store.transaction():
            charge = self.sandbox.store.get(request.match_info["charge"], "charge")
        if charge is None:
            raise web.HTTPNotFound(text="No such receipt.")
        paid = currencies.shown(charge["amount_captured"], charge["currency"])
        back = currencies.shown(charge["amount_refunded"], charge["currency"])
        return page("Receipt", f"<p>{text(charge['id'])}</p><p>Paid: {text(paid)}. Refunded: {text(back)}.</p>")

    def _by_secret(self, request: web.Request) -> Doc:
        secret = request.match_info["secret"]
        intent = self.sandbox.store.get(secret.partition("_secret_")[0], "payment_intent")
        if intent is None or intent["client_secret"] != secret:
            raise web.HTTPNotFound(text="No such payment.")
        return intent

    def _challenged(self, request: web.Request) -> tuple[Doc, ModuleType]:
        ident = request.match_info["intent"]
        kind, module = (
            ("setup_intent", setup_intent) if ident.startswith("seti_") else ("payment_intent", payment_intent)
        )
        intent = self.sandbox.store.get(ident, kind)
        if (
            intent is None
            or intent["status"] != "requires_action"
            or intent["_challenge"] != request.match_info["token"]
        ):
            raise Over(embedded="embedded" in request.query)
        return intent, module


def _return_url(request: web.Request) -> str | None:
    """Return the payer's return address, which is checked before any money moves."""
    address = request.query.get("return_url")
    try:
        return Url().typed(urlunsplit(urlsplit(address)), "return_url") if address else None
    except (ApiError, ValueError) as error:
        raise web.HTTPBadRequest(text="return_url is no address.") from error


def _card(given: dict[str, str]) -> Doc:
    expiry = re.sub(r"[^0-9]", "", given.get("expiry", ""))
    month, year = given.get("exp_month", expiry[:2]), given.get("exp_year", expiry[2:])
    return {"number": given.get("number"), "exp_month": month, "exp_year": year, "cvc": given.get("cvc") or None}


def _card_form(intent: Doc, given: dict[str, str], error: str | None) -> web.Response:
    parts = [f'<p class="error" role="alert">{text(error)}</p>'] if error else []
    parts.append(f"<p>To pay: <strong>{text(currencies.shown(intent['amount'], intent['currency']))}</strong></p>")
    parts.append('<form method="post">')
    for name, label, example, autocomplete in _FIELDS:
        value = text(given.get(name, "")) if name in ("expiry", "name") else ""
        parts.append(
            f'<label for="{name}">{label}</label><input id="{name}" name="{name}" value="{value}"'
            f' placeholder="{example}" autocomplete="{autocomplete}">'
        )
    parts.append('<button type="submit">Pay</button></form>')
    return page("Pay by card", "".join(parts), status=402 if error else 200)


def _finished(intent: Doc) -> web.Response:
    return page("Payment", f"<p>This payment is <strong>{text(intent['status'])}</strong>.</p>")


def _challenge_url(intent: Doc) -> str:
    action = intent["next_action"]
    chosen = action.get("redirect_to_url") or {"url": action["use_stripe_sdk"]["stripe_js"]}
    return str(chosen["url"])


def _with_result(address: str, intent: Doc) -> str:
    """Add Stripe's parameters to a return address: the intent, its secret and the result."""
    kind = intent["object"]
    done = intent["status"] in ("succeeded", "requires_capture", "processing")
    parts = urlsplit(address)
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        (kind, intent["id"]),
        (f"{kind}_client_secret", intent["client_secret"]),
        ("redirect_status", "succeeded" if done else "failed"),
    ]
    return urlunsplit(parts._replace(query=urlencode(query)))

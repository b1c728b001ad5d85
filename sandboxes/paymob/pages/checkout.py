"""The checkout page: by card, by saved card, by wallet, or at a kiosk. It works without scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.html import NOTICE, page, posted, sent_to, text
from sandboxes.paymob import authentication, cards
from sandboxes.paymob.amounts import pounds
from sandboxes.paymob.integrations import Integration
from sandboxes.paymob.objects import card_token, payment, payment_key, redirect, transaction
from sandboxes.paymob.objects import intention as intentions
from sandboxes.paymob.pages import texts
from sandboxes.paymob.sandbox import Sandbox

_CARD_FIELDS = (
    ("number", "Card number", "5123 4567 8901 2346", "cc-number"),
    ("name", "Name on card", "Test Account", "cc-name"),
    ("expiry", "Expiry (MM / YY)", "01 / 39", "cc-exp"),
    ("cvv", "Security code", "123", "cc-csc"),
)
_METHODS = {"card": "Card", "wallet": "Mobile wallet", "kiosk": "Cash at a kiosk"}


@dataclass(frozen=True)
class Order:
    """What is paid on a page: the order, the keys of its methods, its saved cards, and the page's language."""

    order: Doc
    keys: list[Doc]
    saved: list[Doc]
    language: str

    def say(self, words: str) -> str:
        """Return a text in the page's language, safe inside HTML."""
        return text(texts.said(self.language, words))

    def show(self, body: str, *, title: str = "Payment", status: int = 200) -> web.Response:
        """Return a page."""
        notice = texts.said(self.language, NOTICE)
        said = texts.said(self.language, title)
        return page(said, body, status=status, language=self.language, notice=notice)


class Checkout:
    """Shows the pages and takes their forms."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        iframe, verify = "/api/acceptance/iframes/{frame}", "/unifiedcheckout/verify/{number}/{token}"
        return [
            web.get("/unifiedcheckout/", self.show),
            web.post("/unifiedcheckout/", self.pay),
            web.get(iframe, self.show),
            web.post(iframe, self.pay),
            web.get(verify, self.ask),
            web.post(verify, self.verify),
            web.get("/unifiedcheckout/bill/{number}/{key}", self.bill),
            web.post("/unifiedcheckout/bill/{number}/{key}", self.pay_bill),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the ways to pay, or the form of the chosen one."""
        with self.sandbox.store.transaction():
            opened = self._opened(request)
            return _closed(self.sandbox, opened) or _form(request, opened)

    async def pay(self, request: web.Request) -> web.StreamResponse:
        """Take the form of a way to pay: go on to a code, to the merchant, or show what is wrong."""
        sandbox, given = self.sandbox, await posted(request)
        try:
            with sandbox.store.transaction():
                opened = self._opened(request)
                closed = _closed(sandbox, opened)
                if closed:
                    return closed
                doc = _begin(sandbox, _chosen(request, opened), opened, given)
                where = _next(sandbox, doc, opened)
        except ApiError as error:
            with sandbox.store.transaction():
                return _form(request, self._opened(request), error=str(error), given=given)
        sandbox.run_due()
        if isinstance(where, str):
            return sent_to(where)
        return where

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Ask for the code of the bank or of the wallet."""
        with self.sandbox.store.transaction():
            doc = self._challenged(request)
            return _question(self._paid_by(request, doc), doc)

    async def verify(self, request: web.Request) -> web.StreamResponse:
        """Take the code, decide about the payment, and send the payer to the merchant."""
        sandbox, given = self.sandbox, await posted(request)
        with sandbox.store.transaction():
            doc = self._challenged(request)
            codes = [given.get("code"), *([] if doc["_card"] else [given.get("mpin")])]
            passed = given.get("action") != "cancel" and all(code == cards.CODE for code in codes)
            payment.answer(sandbox, doc, passed=passed)
            where = _finished(sandbox, doc, self._paid_by(request, doc))
        sandbox.run_due()
        return sent_to(where) if isinstance(where, str) else where

    async def bill(self, request: web.Request) -> web.StreamResponse:
        """Show the code that is paid at a kiosk."""
        sandbox = self.sandbox
        with sandbox.store.transaction():
            doc = self._billed(request)
            shown = self._paid_by(request, doc)
            body = f"<p>{shown.say('Pay this code in cash at a kiosk:')} <strong>{doc['bill_reference']}</strong></p>"
            if doc["status"] == transaction.PENDING:
                body += f'<form method="post"><button>{shown.say("Pay it now (sandbox)")}</button></form>'
            else:
                body += f"<p>{shown.say(_RESULTS[doc['status']])}</p>"
            back = redirect.url(sandbox, doc)
            if back:
                body += f'<p><a href="{text(back)}">{shown.say("Return to the shop")}</a></p>'
            return shown.show(body, title="Pay at the kiosk")

    async def pay_bill(self, request: web.Request) -> web.StreamResponse:
        """Pay at the kiosk."""
        with self.sandbox.store.transaction():
            payment.answer(self.sandbox, self._billed(request), passed=True)
        self.sandbox.run_due()
        return sent_to(request.path_qs)

    def _opened(self, request: web.Request) -> Order:
        """Return what a page is about: an intention by its client secret, or an order by a payment key."""
        sandbox, language = self.sandbox, texts.language_of(request)
        secret, token = request.query.get("clientSecret"), request.query.get("payment_token")
        try:
            if token:
                key = payment_key.find(sandbox, token)
                return Order(sandbox.find("order", key["order"]), [key], [], language)
            if not authentication.is_public_key(request.query.get("publicKey", "")):
                raise web.HTTPForbidden(text="The public key is not valid.")
            intention = intentions.by_secret(sandbox, secret or "")
        except ApiError as error:
            raise web.HTTPNotFound(text=str(error)) from error
        saved = [card_token.by_token(sandbox, one) for one in intention["card_tokens"]]
        keys = intentions.keys_of(sandbox, intention)
        return Order(intentions.order_of(sandbox, intention), keys, [one for one in saved if one], language)

    def _challenged(self, request: web.Request) -> Doc:
        doc = payment.challenged(self.sandbox, request.match_info["number"], request.match_info["token"])
        if doc is None:
            raise web.HTTPGone(text=texts.said(texts.language_of(request), "This page has expired."))
        return doc

    def _billed(self, request: web.Request) -> Doc:
        """Return the transaction of a bill, for one who knows a payment key of its order."""
        doc = self.sandbox.store.get(f"transaction_{request.match_info['number']}", "transaction")
        key = self.sandbox.store.get(request.match_info["key"], "payment_key")
        if doc is None or key is None or doc["order"] != key["order"] or not doc["bill_reference"]:
            raise web.HTTPNotFound(text="No such bill.")
        return doc

    def _paid_by(self, request: web.Request, doc: Doc) -> Order:
        return Order(transaction.order_of(self.sandbox, doc), [], [], texts.language_of(request))


_RESULTS = {
    transaction.APPROVED: "The payment was made.",
    transaction.DECLINED: "The payment was declined.",
    transaction.PENDING: "The payment is pending.",
}


def _closed(sandbox: Sandbox, opened: Order) -> web.Response | None:
    """Return the page of an order that takes no payment any more, or None."""
    if opened.order["paid"]:
        return opened.show(f"<p>{opened.say('This order is paid already.')}</p>")
    if any(key["expires_at"] and key["expires_at"] <= sandbox.clock.exact() for key in opened.keys):
        return opened.show(f"<p>{opened.say('This page has expired.')}</p>", status=410)
    return None


def _chosen(request: web.Request, opened: Order) -> Doc:
    """Return the key of the chosen way to pay: the only one, or that of `method` in the address."""
    wanted = request.query.get("method")
    for key in opened.keys:
        if len(opened.keys) == 1 or str(key["integration"]) == wanted:
            return key
    raise web.HTTPNotFound(text="No such way to pay.")


def _begin(sandbox: Sandbox, key: Doc, opened: Order, given: dict[str, str]) -> Doc:
    kind = payment_key.integration_of(key).kind
    if kind == "wallet":
        return payment.by_wallet(sandbox, key, given.get("phone", "").strip())
    if kind == "kiosk":
        return payment.at_kiosk(sandbox, key)
    if given.get("token"):
        if given["token"] not in [one["token"] for one in opened.saved]:
            raise ApiError(400, "This page does not offer this card.")
        return payment.by_token(sandbox, key, given["token"])
    card = cards.find(given.get("number", ""))
    if card is None:
        raise ApiError(400, "This is no test card. Use 5123 4567 8901 2346.")
    if not _is_future(sandbox, given.get("expiry", "")):
        raise ApiError(400, "The expiry date has passed or cannot be read.")
    if not re.fullmatch(r"[0-9]{3}", given.get("cvv", "")):
        raise ApiError(400, "The security code has three digits.")
    return payment.by_card(sandbox, key, card, save="save" in given)


def _is_future(sandbox: Sandbox, expiry: str) -> bool:
    match = re.fullmatch(r"(0[1-9]|1[0-2])\s*/?\s*(?:20)?([0-9]{2})", expiry.strip())
    today = sandbox.clock.today()
    return match is not None and (2000 + int(match[2]), int(match[1])) >= (today.year, today.month)


def _next(sandbox: Sandbox, doc: Doc, opened: Order) -> str | web.Response:
    """Return where the payer goes after a form: to a code, to a bill, to the merchant, or to a result."""
    language = urlencode({"lang": opened.language})
    if doc["_challenge"]:
        return f"{payment.challenge_path(doc)}?{language}"
    if doc["bill_reference"]:
        key = next(key for key in sandbox.store.find("payment_key", parent=doc["order"]))
        return f"/unifiedcheckout/bill/{doc['number']}/{key['id']}?{language}"
    return _finished(sandbox, doc, opened)


def _finished(sandbox: Sandbox, doc: Doc, opened: Order) -> str | web.Response:
    where = redirect.url(sandbox, doc)
    if where:
        return where
    message = doc["message"] if doc["status"] == transaction.DECLINED else None
    reason = f"<p>{opened.say(message)}</p>" if message else ""
    return opened.show(f"<p>{opened.say(_RESULTS[doc['status']])}</p>{reason}")


def _form(
    request: web.Request, opened: Order, *, error: str | None = None, given: dict[str, str] | None = None
) -> web.Response:
    amount = f"{pounds(opened.order['amount'])} {texts.said(opened.language, 'EGP')}"
    parts = [f'<p class="error" role="alert">{opened.say(error)}</p>'] if error else []
    parts.append(f"<p>{opened.say('To pay:')} <strong>{text(amount)}</strong></p>")
    if len(opened.keys) > 1 and "method" not in request.query:
        parts.append(f"<h2>{opened.say('Choose how to pay')}</h2>{_links(request, opened)}")
        return opened.show("".join(parts))
    integration = payment_key.integration_of(_chosen(request, opened))
    parts.append(f"<h2>{opened.say(_name(integration))}</h2>{_fields(integration, opened, given or {})}")
    if len(opened.keys) > 1:
        back = urlencode({name: value for name, value in request.query.items() if name != "method"})
        parts.append(f'<p><a href="?{text(back)}">{opened.say("Another way to pay")}</a></p>')
    return opened.show("".join(parts), status=402 if error else 200)


def _links(request: web.Request, opened: Order) -> str:
    rows = []
    for key in opened.keys:
        integration = payment_key.integration_of(key)
        query = urlencode({**request.query, "method": integration.ident})
        rows.append(f'<li><a href="?{text(query)}">{opened.say(_name(integration))}</a></li>')
    return f"<ul>{''.join(rows)}</ul>"


def _name(integration: Integration) -> str:
    return _METHODS[integration.kind] if integration.captures else "Card (the money is reserved first)"


def _fields(integration: Integration, opened: Order, given: dict[str, str]) -> str:
    if integration.kind == "kiosk":
        return f'<form method="post"><button>{opened.say("Get a payment code")}</button></form>'
    if integration.kind == "wallet":
        field = _field("phone", opened.say("Mobile number of the wallet"), cards.WALLET, "tel", given.get("phone", ""))
        return f'<form method="post">{field}<button>{opened.say("Pay")}</button></form>'
    fields = "".join(
        _field(
            name, opened.say(label), example, autocomplete, given.get(name, "") if name in ("name", "expiry") else ""
        )
        for name, label, example, autocomplete in _CARD_FIELDS
    )
    save = f'<label><input type="checkbox" name="save" value="1"> {opened.say("Save this card")}</label>'
    form = f'<form method="post">{fields}{save}<button>{opened.say("Pay")}</button></form>'
    return _saved_cards(opened) + form


def _saved_cards(opened: Order) -> str:
    rows = [
        f'<button class="plain" name="token" value="{text(one["token"])}">{opened.say("Saved card")}'
        f" {cards.by_number(one['_card']).number[-4:]}</button>"
        for one in opened.saved
    ]
    return f'<form method="post">{"".join(rows)}</form>' if rows else ""


def _field(name: str, label: str, example: str, autocomplete: str, value: str) -> str:
    return (
        f'<label for="{name}">{label}</label><input id="{name}" name="{name}" value="{text(value)}" dir="ltr"'
        f' placeholder="{example}" autocomplete="{autocomplete}">'
    )


def _question(shown: Order, doc: Doc) -> web.Response:
    asked = (
        "Your bank asks for the code that it sent you."
        if doc["_card"]
        else "Your wallet asks for your MPIN and for the code that it sent you."
    )
    mpin = "" if doc["_card"] else _field("mpin", shown.say("MPIN"), "123456", "off", "")
    body = (
        f"<p>{shown.say(asked)} {shown.say('The test code is 123456.')}</p>"
        f"<p>{shown.say('To pay:')} <strong>{pounds(doc['amount'])} {shown.say('EGP')}</strong></p>"
        f'<form method="post">{mpin}{_field("code", shown.say("One-time code"), "123456", "one-time-code", "")}'
        f'<button name="action" value="confirm">{shown.say("Confirm")}</button>'
        f'<button class="plain" name="action" value="cancel">{shown.say("Cancel")}</button></form>'
    )
    return shown.show(body)

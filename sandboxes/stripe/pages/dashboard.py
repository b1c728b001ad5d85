"""The Express dashboard behind a login link: the owner of an account sees it, changes the bank, pays out."""

from __future__ import annotations

from aiohttp import web

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.html import page, posted, text
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import bank_account, payout
from sandboxes.stripe.sandbox import Sandbox

SESSION_SECONDS = 3600


class Dashboard:
    """Shows the dashboard once per link, and takes its forms while the visit lasts."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        path = "/express/{account}/{token}"
        return [web.get(path, self.show), web.post(path, self.submit)]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the dashboard on the first visit."""
        sandbox = self.sandbox
        with sandbox.store.transaction():
            link = self._link(request)
            if link is None or link["_opened"] is not None:
                return _expired()
            link["_opened"] = sandbox.clock.now()
            sandbox.store.save(link)
            return self._page(sandbox.find("account", link["_account"]), None)

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Change the bank account (`action=bank`), or pay out what is available (`action=payout`)."""
        given, sandbox = await posted(request), self.sandbox
        with sandbox.store.transaction():
            link = self._link(request)
            opened = link["_opened"] if link else None
            if link is None or opened is None or opened + SESSION_SECONDS <= sandbox.clock.now():
                return _expired()
            account = sandbox.find("account", link["_account"])
        try:
            with sandbox.store.transaction():
                self._change(account["id"], given)
        except ApiError as error:
            return self._page(account, str(error))
        sandbox.run_due()
        return self._page(account, None)

    def _change(self, ident: str, given: dict[str, str]) -> None:
        sandbox = self.sandbox
        account = sandbox.find("account", ident)
        if given.get("action") == "payout":
            held = sandbox.journal.balances(f"{ident}/available").get(f"{ident}/available", {})
            for currency, amount in held.items():
                if amount > 0:
                    payout.create(sandbox, account, {"amount": amount, "currency": currency}, automatic=False)
            return
        before = sandbox.render(account)
        bank_account.replace(sandbox, account, given)
        accounts.reassess(sandbox, account, before)

    def _link(self, request: web.Request) -> Doc | None:
        link = self.sandbox.store.get(f"login_{request.match_info['token']}", "login_link")
        known = link is not None and link["_account"] == request.match_info["account"]
        return link if known and self.sandbox.store.get(request.match_info["account"], "account") else None

    def _page(self, account: Doc, error: str | None) -> web.Response:
        sandbox, ident = self.sandbox, account["id"]
        rows = "".join(
            f"<li>{text(book.rpartition('/')[2])}: {amount} {text(currency)} (minor units)</li>"
            for book, sums in sandbox.journal.balances(f"{ident}/").items()
            for currency, amount in sums.items()
        )
        bank = bank_account.default(sandbox, ident, account["default_currency"])
        problem = f'<p class="error" role="alert">{text(error)}</p>' if error else ""
        paid_to = f"<p>Payouts go to the bank account ending in {text(bank['last4'])}.</p>" if bank else ""
        routing = _field("routing_number", "Routing number") if account["country"] == "US" else ""
        return page(
            "Your balance",
            f"{problem}<p>{text(account['email'] or ident)}</p><ul>{rows}</ul>{paid_to}"
            f'<form method="post"><button type="submit" name="action" value="payout">Pay out now</button></form>'
            f'<form method="post">{_field("account_number", "New bank account number")}{routing}'
            f"{_field('account_holder_name', 'Account holder')}"
            f'<button type="submit" name="action" value="bank">Change bank account</button></form>',
            status=400 if error else 200,
        )


def _field(name: str, label: str) -> str:
    return f'<label for="{name}">{label}</label><input id="{name}" name="{name}" required>'


def _expired() -> web.Response:
    return page("This link has expired", "<p>Ask the platform for a new one.</p>", status=410)

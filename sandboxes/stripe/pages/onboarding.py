"""The onboarding page behind an account link: collects the requirements, works once."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from sandboxes.kit.documents import Doc, merged
from sandboxes.kit.errors import ApiError
from sandboxes.kit.html import page, posted, sent_to, text
from sandboxes.kit.params import Hash, Param
from sandboxes.stripe import banks, countries, params
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import bank_account, person
from sandboxes.stripe.sandbox import Sandbox

_EXAMPLES = {
    "individual.first_name": "Jenny", "individual.last_name": "Rosen", "individual.email": "jenny@example.com",
    "individual.dob.day": "1", "individual.dob.month": "1", "individual.dob.year": "1990",
    "individual.address.line1": "1 Test Street", "individual.address.city": "Testville",
    "individual.address.postal_code": "94107", "individual.address.state": "CA", "individual.ssn_last_4": "0000",
    "individual.phone": "+15555550100", "company.name": "Test Company", "company.tax_id": "000000000",
    "company.address.line1": "1 Test Street", "company.address.city": "Testville",
    "company.address.postal_code": "94107",
}  # fmt: skip
_TYPES: dict[str, Param] = {
    "individual": Hash(person.INDIVIDUAL),
    "company": Hash(person.COMPANY),
}
_NUMBERS = ("individual.dob.day", "individual.dob.month", "individual.dob.year")
SESSION_SECONDS = 3600


class Onboarding:
    """Shows the form, accepts it, and redirects the visitor back."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """Return the table of routes."""
        path = "/setup/e/{account}/{token}"
        return [
            web.get(path, self.show),
            web.post(path, self.submit),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the form on the first visit within the link's life; else redirect to refresh_url."""
        sandbox = self.sandbox
        with sandbox.store.transaction():
            link = self._link(request)
            if link["_visited"] or link["expires_at"] <= sandbox.clock.now():
                return sent_to(link["_refresh_url"])
            link["_visited"] = True
            sandbox.store.save(link)
            return self._form(sandbox.find("account", link["_account"]), {}, None)

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Accept the form and redirect to return_url; an invalid field shows the form again.

        A client may post without having read the page: that uses the link as a visit does.
        """
        given = await posted(request)
        self._link(request)
        where, error = self.take(request.match_info["token"], given, request.remote)
        if error is None:
            return sent_to(where)
        with self.sandbox.store.transaction():
            return self._form(self.sandbox.find("account", request.match_info["account"]), given, error)

    def take(self, token: str, given: dict[str, str], remote: str | None) -> tuple[str, str | None]:
        """Accept the form of a link; return where to redirect the visitor, and the error in the form or None."""
        sandbox = self.sandbox
        with sandbox.store.transaction():
            link = sandbox.find("account_link", f"link_{token}")
            open_until = link["expires_at"] + (SESSION_SECONDS if link["_visited"] else 0)
            if link["_submitted"] or open_until <= sandbox.clock.now():
                return link["_refresh_url"], None
            link["_visited"] = True
            sandbox.store.save(link)
            account = sandbox.find("account", link["_account"])
            if given.get("action") == "leave":
                return link["_return_url"], None
            wrong = self._wrong(account, given)
            if wrong:
                return "", wrong
            try:
                self._fill(account, given, remote)
            except ApiError as error:
                return "", str(error)
            link["_submitted"] = True
            sandbox.store.save(link)
        sandbox.run_due()
        return link["_return_url"], None

    def _link(self, request: web.Request) -> Doc:
        link = self.sandbox.store.get(f"link_{request.match_info['token']}", "account_link")
        if link is None or link["_account"] != request.match_info["account"]:
            raise web.HTTPNotFound(text="No such onboarding link.")
        return link

    def _form(self, account: Doc, given: dict[str, str], error: str | None) -> web.Response:
        parts = [f'<p class="error" role="alert">{text(error)}</p>'] if error else []
        parts.append(f"<p>Account {text(account['id'])} in {text(account['country'])}.</p>")
        parts.append('<form method="post">')
        for name, label in self._asked(account):
            value = given.get(name, _EXAMPLES.get(name, _default(account, name)))
            parts.append(
                f'<label for="{text(name)}">{text(label)}</label>'
                f'<input id="{text(name)}" name="{text(name)}" value="{text(value)}" required>'
            )
        parts.append(
            '<button type="submit">Submit</button>'
            '<button class="plain" type="submit" name="action" value="leave" formnovalidate>Save and exit</button>'
            "</form>"
        )
        return page("Set up your payouts", "".join(parts), status=400 if error else 200)

    def _asked(self, account: Doc) -> list[tuple[str, str]]:
        asked = [(field.name, field.label) for field in countries.fields(account["country"], account["business_type"])]
        banked = [("account_number", "Bank account number"), ("account_holder_name", "Account holder")]
        return asked + ([("routing_number", "Routing number")] if account["country"] == "US" else []) + banked

    def _wrong(self, account: Doc, given: dict[str, str]) -> str | None:
        for name, label in self._asked(account):
            value = given.get(name, "").strip()
            # A client that posts only what is missing keeps what the account already has.
            if not value and not self._already(account, name):
                return f"{label} is required ({name})."
            if value and name in _NUMBERS and not re.fullmatch("[0-9]{1,4}", value):
                return f"{label} must be a number ({name})."
        return None

    def _already(self, account: Doc, name: str) -> bool:
        if name in ("account_number", "routing_number", "account_holder_name"):
            attached = bool(self.sandbox.store.find("bank_account", parent=account["id"], limit=1))
            return attached or name in ("routing_number", "account_holder_name")
        return name not in accounts.due(self.sandbox, account)

    def _fill(self, account: Doc, given: dict[str, str], remote: str | None) -> None:
        sandbox = self.sandbox
        before = sandbox.render(account)
        account["business_type"] = account["business_type"] or "individual"
        typed: Doc = {}
        for name, _label in self._asked(account):
            value = given.get(name, "").strip()
            if value and name.startswith(("individual.", "company.")):
                _put(typed, name.split("."), value)
        account["_given"] = merged(account["_given"], params.read(_TYPES, typed))
        profile = account["business_profile"]
        profile["product_description"] = profile.get("product_description") or "Freelance work"
        if given.get("account_number", "").strip():
            bank_account.replace(sandbox, account, given)
        account["tos_acceptance"] |= {
            "date": sandbox.clock.now(), "ip": remote or "127.0.0.1",
            "service_agreement": account["tos_acceptance"].get("service_agreement") or "full",
        }  # fmt: skip
        account |= {"_submitted": True, "_asked": [], "_deadline": None}
        accounts.reassess(sandbox, account, before)


def _default(account: Doc, name: str) -> str:
    if name == "account_number":
        return banks.OK_NUMBER
    if name == "routing_number":
        return banks.US_ROUTING
    return "Jenny Rosen" if name == "account_holder_name" else ""


def _put(tree: Doc, path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value

"""`/v1/accounts`: create, read, update, delete and list connected accounts; `/v1/account` is the caller's own."""

from __future__ import annotations

import re
from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc, merged
from sandboxes.kit.errors import ApiError, bad_param, unknown_params
from sandboxes.kit.params import AnyHash, Array, Bool, Choice, Either, Email, Hash, Int, Str
from sandboxes.kit.routing import route
from sandboxes.stripe import countries, listing, params
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import bank_account, person
from sandboxes.stripe.params import Currency, Metadata
from sandboxes.stripe.sandbox import Sandbox

INTERVALS = ("manual", "daily", "weekly", "monthly")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
MINIMUM_DELAY = 2


class DelayDays(Int):
    """Whole days, or `minimum` for as few as the country allows."""

    def typed(self, value: Any, path: str) -> int:
        """Return the days."""
        return MINIMUM_DELAY if value == "minimum" else super().typed(value, path)


SCHEDULE = Hash(
    unset=False,
    interval=Choice(*INTERVALS, unset=False),
    delay_days=DelayDays(least=MINIMUM_DELAY, most=31, unset=False),
    monthly_anchor=Int(least=1, most=31),
    monthly_payout_days=Array(Int(least=1, most=31)),
    weekly_anchor=Choice(*DAYS, "saturday", "sunday"),
    weekly_payout_days=Array(Choice(*DAYS)),
)
SETTINGS = Hash(
    branding=Hash(icon=Str(), logo=Str(), primary_color=Str(), secondary_color=Str()),
    card_payments=Hash(
        decline_on=Hash(avs_failure=Bool(), cvc_failure=Bool()), statement_descriptor_prefix=Str(longest=10)
    ),
    payments=Hash(statement_descriptor=Str(longest=22)),
    payouts=Hash(
        unset=False,
        debit_negative_balances=Bool(unset=False),
        schedule=SCHEDULE,
        statement_descriptor=Str(longest=22),
    ),
)
PROFILE = Hash(
    {name: Str() for name in ("mcc", "name", "product_description", "support_phone", "support_url", "url")},
    estimated_worker_count=Int(),
    support_email=Email(),
    support_address=Hash(params.ADDRESS),
    annual_revenue=Hash(amount=Int(), currency=Currency(), fiscal_year_end=Str()),
    monthly_estimated_revenue=Hash(amount=Int(), currency=Currency()),
)
BANK = Hash(
    object=Choice("bank_account"),
    country=Str(),
    currency=Currency(),
    account_number=Str(),
    routing_number=Str(),
    account_holder_name=Str(),
    account_holder_type=Choice("individual", "company"),
    account_type=Choice("checking", "savings", "futsu", "toza"),
    default_for_currency=Bool(),
    metadata=Metadata(),
)
TERMS = Hash(date=Int(), ip=Str(), service_agreement=Choice("full", "recipient"), user_agent=Str())
BUSINESS = Choice("individual", "company", "non_profit", "government_entity")
UPDATE = {
    "business_profile": PROFILE,
    "business_type": BUSINESS,
    "capabilities": AnyHash(),
    "company": Hash(person.COMPANY),
    "default_currency": Currency(),
    "email": Email(),
    "external_account": Either(Str(), BANK),
    "individual": Hash(person.INDIVIDUAL),
    "metadata": Metadata(),
    "settings": SETTINGS,
    "tos_acceptance": TERMS,
}
CREATE = {
    **UPDATE,
    "country": Str(longest=2),
    "type": Choice("express", "custom", "standard"),
    "controller": Hash(
        fees=Hash(payer=Choice("account", "application")),
        losses=Hash(payments=Choice("application", "stripe")),
        requirement_collection=Choice("application", "stripe"),
        stripe_dashboard=Hash(type=Choice("express", "full", "none")),
    ),
}
_BY_TYPE = {
    "express": ("application_express", "application", "stripe", "express"),
    "custom": ("application_custom", "application", "application", "none"),
    "standard": ("account", "stripe", "stripe", "full"),
}


@route("POST", "/v1/accounts", CREATE)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create a connected account."""
    if call.account != sandbox.platform:
        raise ApiError(403, "Only a platform can create connected accounts.")
    country = call.get("country", sandbox.settings.platform_country).upper()
    if country not in countries.CURRENCIES:
        raise bad_param(
            f"Country '{country}' is unknown. Accounts can be created in: {', '.join(sorted(countries.CURRENCIES))}.",
            "country",
            "country_unsupported",
        )
    kind, controller = _controller(call)
    account = accounts.new(sandbox, sandbox.ids.new("acct_1", 15), country=country, kind=kind, controller=controller)
    sandbox.add(account, sandbox.platform)
    _change(sandbox, call, account)
    sandbox.store.save(account)
    if accounts.submitted(sandbox, account):
        accounts.reassess(sandbox, account, sandbox.render(account))
    return account


def _controller(call: Call) -> tuple[str, Doc]:
    given = call.get("controller")
    if given is not None and call.get("type"):
        raise bad_param("You may only specify one of these parameters: type, controller.", "type")
    if given is None:
        kind = call.get("type", "standard")
        fees, losses, collection, dashboard = _BY_TYPE[kind]
    else:
        kind = "none"
        fees = (given.get("fees") or {}).get("payer", "account")
        losses = (given.get("losses") or {}).get("payments", "stripe")
        collection = given.get("requirement_collection", "stripe")
        dashboard = (given.get("stripe_dashboard") or {}).get("type", "full")
        _check_controller(fees, losses, collection, dashboard)
    return kind, {
        "fees": {"payer": fees},
        "is_controller": True,
        "losses": {"payments": losses},
        "requirement_collection": collection,
        "stripe_dashboard": {"type": dashboard},
        "type": "application",
    }


def _check_controller(fees: str, losses: str, collection: str, dashboard: str) -> None:
    if losses == "application" and fees != "application":
        raise bad_param(
            "controller[losses][payments]=application requires controller[fees][payer]=application.", "controller"
        )
    if collection == "application" and (dashboard != "none" or losses != "application"):
        raise bad_param(
            "controller[requirement_collection]=application requires no Stripe dashboard and application losses.",
            "controller",
        )
    if dashboard == "express" and losses != "application":
        raise bad_param("An express dashboard requires controller[losses][payments]=application.", "controller")


@route("GET", "/v1/accounts/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read one account."""
    return reachable(sandbox, call, ident)


@route("GET", "/v1/account")
def retrieve_own(sandbox: Sandbox, call: Call) -> Doc:
    """Read the account that the call is made for."""
    return sandbox.find("account", call.account)


_OPEN = "json_extract(doc, '$._deauthorized') IS NOT ?"


@route("GET", "/v1/accounts", {**params.PAGE, "created": params.created()})
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List the connected accounts."""
    return listing.page(sandbox, call, "account", conditions=(("id <> ?", sandbox.platform), (_OPEN, 1)))


@route("POST", "/v1/accounts/{ident}", UPDATE)
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change an account."""
    account = reachable(sandbox, call, ident)
    before = sandbox.render(account)
    _change(sandbox, call, account)
    accounts.reassess(sandbox, account, before)
    return account


@route("DELETE", "/v1/accounts/{ident}")
def delete(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Delete a connected account that holds no money."""
    account = connected(sandbox, call, ident)
    held = sandbox.journal.balances(f"{account['id']}/")
    if any(amount for sums in held.values() for amount in sums.values()):
        raise refused("This account cannot be deleted: its balance is not zero.", code="account_invalid")
    for bank in sandbox.store.find("bank_account", parent=account["id"]):
        sandbox.store.delete(bank["id"])
    sandbox.store.delete(account["id"])
    return {"id": ident, "object": "account", "deleted": True}


@route("POST", "/v1/accounts/{ident}/reject", {"reason": Choice("fraud", "terms_of_service", "other", required=True)})
def reject(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Reject an account: all its capabilities end."""
    account = connected(sandbox, call, ident)
    before = sandbox.render(account)
    account["_disabled"] = f"rejected.{call.params['reason']}"
    accounts.reassess(sandbox, account, before)
    return account


def reachable(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Return an account that the caller may see: its own, or for the platform any connected one. Raises 403."""
    account = accounts.open_to_platform(sandbox, ident)
    if account is None or (call.account not in (sandbox.platform, ident)):
        raise ApiError(
            403,
            f"The provided key does not have access to account '{ident}' (or that account does not exist).",
            code="account_invalid",
        )
    return account


def connected(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Return an account that the caller may close, which is never the platform's own. Raises 403 and 400."""
    account = reachable(sandbox, call, ident)
    if ident == sandbox.platform:
        raise refused("This can be done to connected accounts only, not to your own account.", code="account_invalid")
    return account


def _change(sandbox: Sandbox, call: Call, account: Doc) -> None:
    call.taken(account, "business_type", "default_currency", "email")
    for name in ("business_profile", "settings"):
        if name in call.params:
            account[name] = merged(account[name], call.get(name, {}))
    if "metadata" in call.params:
        account["metadata"] = params.merge_metadata(account["metadata"], call.params["metadata"])
    for name in ("individual", "company"):
        if name in call.params:
            account["_given"][name] = merged(account["_given"].get(name, {}), call.get(name, {}))
    if call.get("tos_acceptance"):
        _accept_terms(account, call.params["tos_acceptance"])
    if call.get("capabilities"):
        _request_capabilities(sandbox, account, call.params["capabilities"])
    if call.get("external_account"):
        bank_account.attach(sandbox, account, call.params["external_account"], param="external_account", default=True)


def _accept_terms(account: Doc, given: Doc) -> None:
    hosted = account["controller"].get("requirement_collection") != "application"
    if hosted and (given.get("date") or given.get("ip")):
        raise bad_param(
            "You cannot accept the Terms of Service on behalf of an account whose requirements Stripe collects.",
            "tos_acceptance",
        )
    if given.get("ip") and not re.fullmatch(r"[0-9a-fA-F.:]{3,45}", given["ip"]):
        raise bad_param("Invalid IP address.", "tos_acceptance[ip]")
    agreed = account["tos_acceptance"].get("service_agreement")
    if account["tos_acceptance"].get("date") and given.get("service_agreement", agreed) != agreed:
        raise bad_param(
            "The service agreement cannot be changed after it was accepted.", "tos_acceptance[service_agreement]"
        )
    account["tos_acceptance"] = {**account["tos_acceptance"], **given}


def _request_capabilities(sandbox: Sandbox, account: Doc, given: Doc) -> None:
    for name, asked in given.items():
        if name not in accounts.CAPABILITIES:
            raise unknown_params([f"capabilities[{name}]"])
        wanted = Hash(requested=Bool()).read(asked, f"capabilities[{name}]") or {}
        if name == "transfers" and not countries.reachable(sandbox.settings.platform_country, account["country"]):
            raise refused(
                f"Funds cannot be sent from a platform in {sandbox.settings.platform_country}"
                f" to accounts in {account['country']}.",
                code="country_unsupported",
                param="country",
            )
        request_capability(sandbox, account, name, requested=bool(wanted.get("requested")))


def request_capability(sandbox: Sandbox, account: Doc, name: str, *, requested: bool) -> None:
    """Request a capability, or give it up. Raises 400 for one that the account's agreement excludes."""
    if requested and name == "card_payments" and accounts.is_recipient(account):
        raise bad_param(
            "Accounts under the recipient service agreement cannot request card_payments.", f"capabilities[{name}]"
        )
    earlier = account["_capabilities"].get(name, {"requested_at": None})
    asked_at = earlier["requested_at"] if requested and earlier["requested_at"] else sandbox.clock.now()
    account["_capabilities"][name] = {"requested": requested, "requested_at": asked_at if requested else None}

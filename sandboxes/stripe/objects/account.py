"""Accounts: the platform's own and the connected ones, and what they may do."""

from __future__ import annotations

from typing import Any

from sandboxes.kit.documents import Doc
from sandboxes.stripe import countries, events
from sandboxes.stripe.listing import listed
from sandboxes.stripe.objects import person
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.shaping import shape

CAPABILITIES = frozenset((shape("account") or {})["capabilities"])
NO_REQUIREMENTS: Doc = {
    "alternatives": [], "current_deadline": None, "currently_due": [], "disabled_reason": None,
    "errors": [], "eventually_due": [], "past_due": [], "pending_verification": [],
}  # fmt: skip


def new(sandbox: Sandbox, ident: str, *, country: str, kind: str | None, controller: Doc) -> Doc:
    """Return a fresh account document, not yet stored."""
    interval = "daily"
    return {
        "id": ident,
        "object": "account",
        "business_profile": {"support_address": None, "annual_revenue": None},
        "business_type": None,
        "controller": controller,
        "country": country,
        "created": sandbox.clock.now(),
        "default_currency": countries.CURRENCIES[country],
        "email": None,
        "groups": {"payments_pricing": None},
        "metadata": {},
        "settings": _settings(interval, controller),
        "tos_acceptance": {},
        "type": kind,
        "_given": {},
        "_capabilities": {},
        "_submitted": False,
        "_verified": False,
        "_disabled": None,
        "_asked": [],
        "_deadline": None,
        "_lost": [],
        "_deauthorized": False,
    }


def _settings(interval: str, controller: Doc) -> Doc:
    collected_by_platform = controller.get("requirement_collection") == "application"
    return {
        "bacs_debit_payments": {},
        "branding": {},
        "card_issuing": {"tos_acceptance": {}},
        "card_payments": {"decline_on": {"avs_failure": False, "cvc_failure": False}},
        "dashboard": {"timezone": "Etc/UTC"},
        "invoices": {"hosted_payment_method_save": "never"},
        "payments": {},
        "payouts": {
            "debit_negative_balances": not collected_by_platform,
            "schedule": {"delay_days": 2, "interval": interval},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


def is_recipient(account: Doc) -> bool:
    """Return whether an account agreed to receive transfers only."""
    return bool(account["tos_acceptance"].get("service_agreement") == "recipient")


def due(sandbox: Sandbox, account: Doc) -> list[str]:
    """Return the requirements of an account that are still due, by Stripe's names."""
    return sorted({*_missing(sandbox, account), *account["_asked"]})


def overdue(sandbox: Sandbox, account: Doc) -> list[str]:
    """Return those that stop the account: all but what was asked for again with a deadline to come."""
    return _missing(sandbox, account) if account.get("_deadline") else due(sandbox, account)


def _missing(sandbox: Sandbox, account: Doc) -> list[str]:
    if account["id"] == sandbox.platform:
        return []
    names = [field.name for field in countries.fields(account["country"], account["business_type"])]
    if not is_recipient(account):
        names.append("business_profile.product_description")
    return sorted({name for name in [*names, *countries.ALWAYS] if not _provided(sandbox, account, name)})


def _provided(sandbox: Sandbox, account: Doc, name: str) -> bool:
    if name == "external_account":
        return bool(sandbox.store.find("bank_account", parent=account["id"], limit=1))
    if name == "business_profile.product_description":
        profile = account["business_profile"]
        return bool(profile.get("product_description") or profile.get("url"))
    if name == "individual.ssn_last_4" and _value(account["_given"], "individual.id_number"):
        return True
    source = account["_given"] if name.partition(".")[0] in ("individual", "company") else account
    return _value(source, name) is not None


def _value(source: Doc, name: str) -> Any:
    value: Any = source
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def ready(sandbox: Sandbox, account: Doc) -> bool:
    """Return whether an account is complete, submitted, verified and not disabled."""
    return bool(submitted(sandbox, account) and account["_verified"] and not account["_disabled"])


def submitted(sandbox: Sandbox, account: Doc) -> bool:
    """Return whether onboarding was finished, on the hosted page or by a platform that collects requirements itself."""
    if overdue(sandbox, account):
        return False
    hosted = account["controller"].get("requirement_collection") != "application"
    return bool(account["_submitted"]) if hosted else True


def capability_status(sandbox: Sandbox, account: Doc, name: str) -> str:
    """Return active, pending, inactive or unrequested."""
    asked = account["_capabilities"].get(name)
    if not asked or not asked["requested"]:
        return "unrequested"
    if name in account.get("_lost", ()):
        return "inactive"
    if ready(sandbox, account):
        return "active"
    return "pending" if submitted(sandbox, account) and not account["_disabled"] else "inactive"


def requirements(sandbox: Sandbox, account: Doc) -> Doc:
    """Return the requirements hash."""
    asked = due(sandbox, account)
    waiting = submitted(sandbox, account) and not account["_verified"]
    reason = account["_disabled"]
    if reason is None and not ready(sandbox, account) and account["id"] != sandbox.platform:
        reason = "requirements.pending_verification" if waiting else "requirements.past_due"
    return {
        **NO_REQUIREMENTS,
        "currently_due": asked,
        "eventually_due": asked,
        "past_due": overdue(sandbox, account),
        "current_deadline": account.get("_deadline"),
        "pending_verification": ["individual.verification.document"] if waiting else [],
        "disabled_reason": reason,
    }


def render(sandbox: Sandbox, account: Doc) -> Doc:
    """Return the account as the API answers it: its capabilities, requirements and external accounts."""
    own = account["id"] == sandbox.platform
    statuses = {
        name: ("active" if own else capability_status(sandbox, account, name))
        for name, asked in account["_capabilities"].items()
        if asked["requested"]
    }
    banks = sandbox.store.find("bank_account", parent=account["id"], newest_first=True)
    given = account["_given"]
    return {
        **account,
        "capabilities": statuses,
        "charges_enabled": own or statuses.get("card_payments", statuses.get("transfers")) == "active",
        "company": person.company(given.get("company")),
        "details_submitted": own or submitted(sandbox, account),
        "external_accounts": listed(
            [sandbox.render(bank) for bank in banks], f"/v1/accounts/{account['id']}/external_accounts"
        ),
        "future_requirements": dict(NO_REQUIREMENTS),
        "individual": person.render(sandbox, account) if given.get("individual") else None,
        "payouts_enabled": own or ready(sandbox, account),
        "requirements": requirements(sandbox, account),
    }


def reassess(sandbox: Sandbox, account: Doc, before: Doc) -> None:
    """Store a changed account, emit its events, and schedule verification when nothing is due any more."""
    if submitted(sandbox, account) and not account["_verified"]:
        if sandbox.settings.verify_after:
            sandbox.clock.cancel("account.verify", account["id"])
            sandbox.clock.schedule("account.verify", account["id"], sandbox.settings.verify_after)
        else:
            account["_verified"] = True
    sandbox.store.save(account)
    announce(sandbox, account, before)


def announce(sandbox: Sandbox, account: Doc, before: Doc) -> None:
    """Emit account.updated and capability.updated for what differs from an earlier rendering."""
    after = sandbox.render(account)
    if after == before:
        return
    events.emit(sandbox, "account.updated", account, account=account["id"], before=before)
    for name, status in after["capabilities"].items():
        if status is not None and before["capabilities"].get(name) != status:
            earlier = {
                **capability(sandbox, account, name),
                "status": before["capabilities"].get(name) or "unrequested",
            }
            events.emit(
                sandbox, "capability.updated", capability(sandbox, account, name), account=account["id"],
                before=sandbox.render(earlier),
            )  # fmt: skip


def capability(sandbox: Sandbox, account: Doc, name: str) -> Doc:
    """Return one capability of an account as an object."""
    asked = account["_capabilities"].get(name, {"requested": False, "requested_at": None})
    wanted = requirements(sandbox, account)
    disabled = wanted["disabled_reason"]
    if name in account.get("_lost", ()) or disabled not in (
        None, "requirements.past_due", "requirements.pending_verification",
    ):  # fmt: skip
        disabled = "other"
    return {
        "id": name,
        "object": "capability",
        "account": account["id"],
        "future_requirements": dict(NO_REQUIREMENTS),
        "requested": asked["requested"],
        "requested_at": asked["requested_at"],
        "requirements": {**wanted, "disabled_reason": {"requirements.past_due": "requirements.fields_needed"}.get(
            str(disabled), disabled)} if asked["requested"] else dict(NO_REQUIREMENTS),
        "status": capability_status(sandbox, account, name),
    }  # fmt: skip


def verify(sandbox: Sandbox, ident: str) -> None:
    """End the review of an account that submitted its details."""
    account = sandbox.store.get(ident, "account")
    if account is None or not submitted(sandbox, account):
        return
    before = sandbox.render(account)
    account["_verified"] = True
    sandbox.store.save(account)
    announce(sandbox, account, before)


def ask_again(sandbox: Sandbox, account: Doc, names: list[str], within: float) -> None:
    """Make requirements due again; with `within` seconds the account keeps working until then."""
    account |= {"_asked": names, "_deadline": int(sandbox.clock.now() + within) if names and within else None}
    sandbox.clock.cancel("account.deadline", account["id"])
    if account["_deadline"]:
        sandbox.clock.schedule_at("account.deadline", account["id"], account["_deadline"])


def pass_deadline(sandbox: Sandbox, ident: str) -> None:
    """Stop an account that did not provide in time what it was asked for again."""
    account = sandbox.store.get(ident, "account")
    if account is None or not account["_asked"]:
        return
    before = sandbox.render(account)
    account["_deadline"] = None
    reassess(sandbox, account, before)


def deauthorize(sandbox: Sandbox, account: Doc) -> None:
    """End the platform's access to an account, whose last event says so."""
    application = {"id": f"ca_{sandbox.platform.removeprefix('acct_')}", "object": "application", "name": "Sandbox"}
    events.emit(sandbox, "account.application.deauthorized", application, account=account["id"])
    account["_deauthorized"] = True
    sandbox.store.save(account)


def open_to_platform(sandbox: Sandbox, ident: str) -> Doc | None:
    """Return an account that exists and that the platform may act for, or None."""
    account = sandbox.store.get(ident, "account")
    return None if account is None or account.get("_deauthorized") else account

"""Account links, login links and account sessions: how a connected account reaches Stripe's pages."""

from __future__ import annotations

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param, missing_param, unknown_params
from sandboxes.kit.params import AnyHash, Bool, Choice, Hash, Str, Url
from sandboxes.kit.routing import route
from sandboxes.stripe.errors import refused
from sandboxes.stripe.resources.accounts import connected, reachable
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.shaping import shape


@route(
    "POST",
    "/v1/account_links",
    {
        "account": Str(required=True),
        "type": Choice("account_onboarding", "account_update", required=True),
        "refresh_url": Url(),
        "return_url": Url(),
        "collect": Choice("currently_due", "eventually_due"),
        "collection_options": Hash(
            fields=Choice("currently_due", "eventually_due"), future_requirements=Choice("include", "omit")
        ),
    },
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create a link to the onboarding page that works once and for a few minutes."""
    account = connected(sandbox, call, call.params["account"])
    for name in ("refresh_url", "return_url"):
        if not call.get(name):
            raise missing_param(name)
    collected_by_platform = account["controller"].get("requirement_collection") == "application"
    if call.params["type"] == "account_update" and not collected_by_platform:
        raise bad_param("account_update is for accounts whose requirements the platform collects.", "type")
    token = sandbox.ids.new("", 20)
    return sandbox.add(
        {
            "id": f"link_{token}",
            "object": "account_link",
            "created": sandbox.clock.now(),
            "expires_at": sandbox.clock.now() + sandbox.settings.link_lifetime,
            "url": f"{sandbox.base_url}/setup/e/{account['id']}/{token}",
            "_account": account["id"],
            "_type": call.params["type"],
            "_refresh_url": call.params["refresh_url"],
            "_return_url": call.params["return_url"],
            "_visited": False,
            "_submitted": False,
        },
        sandbox.platform,
    )


def render(_sandbox: Sandbox, link: Doc) -> Doc:
    """Return a link or session as the API answers it, which is without its id."""
    link.pop("id")
    return link


@route("POST", "/v1/accounts/{ident}/login_links")
def create_login(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Create a link to the account's own dashboard, for Express dashboards only."""
    account = reachable(sandbox, call, ident)
    if account["controller"]["stripe_dashboard"]["type"] != "express":
        raise refused("Login links can be created only for accounts with an Express dashboard.")
    if not sandbox.render(account)["details_submitted"]:
        raise refused("Cannot create a login link for an account that has not completed onboarding.")
    token = sandbox.ids.new("", 20)
    return sandbox.add(
        {
            "id": f"login_{token}",
            "object": "login_link",
            "created": sandbox.clock.now(),
            "url": f"{sandbox.base_url}/express/{ident}/{token}",
            "_account": ident,
            "_opened": None,
        },
        sandbox.platform,
    )


@route("POST", "/v1/account_sessions", {"account": Str(required=True), "components": AnyHash(required=True)})
def create_session(sandbox: Sandbox, call: Call) -> Doc:
    """Create a session for embedded components."""
    account = reachable(sandbox, call, call.params["account"])
    known = (shape("account_session") or {})["components"]
    asked = call.params["components"]
    for name in asked.keys() - known.keys():
        raise unknown_params([f"components[{name}]"])
    components = {name: _component(name, fields, asked.get(name)) for name, fields in known.items()}
    return {
        "id": "",
        "object": "account_session",
        "account": account["id"],
        "client_secret": sandbox.ids.new("accs_secret__", 56),
        "components": components,
        "expires_at": sandbox.clock.now() + 3600,
        "livemode": False,
    }


def _component(name: str, known: Doc, given: object) -> Doc:
    features = known["features"] or {}
    takes = Hash(enabled=Bool(required=True), features=Hash({feature: Bool() for feature in features}))
    read = takes.read(given, f"components[{name}]") if given is not None else None
    asked = (read or {}).get("features") or {}
    return {
        "enabled": bool((read or {}).get("enabled")),
        "features": {feature: asked.get(feature) is not False for feature in features},
    }

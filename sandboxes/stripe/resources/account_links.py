"""Account links, login links and account sessions: ways for a connected account to meet Stripe's pages."""

from __future__ import annotations

from sandboxes.stripe.box import Box, renders
from sandboxes.stripe.call import Call
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import bad_param, missing_param, refused, unknown_params
from sandboxes.stripe.params import AnyHash, Bool, Choice, Hash, Str, Url
from sandboxes.stripe.resources.accounts import connected, reachable
from sandboxes.stripe.routing import route
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
def create(box: Box, call: Call) -> Doc:
    """Create a link to the onboarding page that works once and for a few minutes."""
    account = connected(box, call, call.params["account"])
    for name in ("refresh_url", "return_url"):
        if not call.get(name):
            raise missing_param(name)
    collected_by_platform = account["controller"].get("requirement_collection") == "application"
    if call.params["type"] == "account_update" and not collected_by_platform:
        raise bad_param("account_update is for accounts whose requirements the platform collects.", "type")
    token = box.ids.new("", 20)
    return box.add(
        {
            "id": f"link_{token}",
            "object": "account_link",
            "created": box.clock.now(),
            "expires_at": box.clock.now() + box.settings.link_lifetime,
            "url": f"{box.base_url}/setup/e/{account['id']}/{token}",
            "_account": account["id"],
            "_type": call.params["type"],
            "_refresh_url": call.params["refresh_url"],
            "_return_url": call.params["return_url"],
            "_visited": False,
            "_submitted": False,
        },
        box.platform,
    )


@renders("account_link")
@renders("login_link")
@renders("account_session")
def _without_id(_box: Box, link: Doc) -> Doc:
    link.pop("id")
    return link


@route("POST", "/v1/accounts/{ident}/login_links")
def create_login(box: Box, call: Call, ident: str) -> Doc:
    """Create a link to the account's own dashboard, for Express dashboards only."""
    account = reachable(box, call, ident)
    if account["controller"]["stripe_dashboard"]["type"] != "express":
        raise refused("Login links can be created only for accounts with an Express dashboard.")
    if not box.render(account)["details_submitted"]:
        raise refused("Cannot create a login link for an account that has not completed onboarding.")
    token = box.ids.new("", 20)
    return box.add(
        {
            "id": f"login_{token}",
            "object": "login_link",
            "created": box.clock.now(),
            "url": f"{box.base_url}/express/{ident}/{token}",
            "_account": ident,
            "_visited": False,
        },
        box.platform,
    )


@route("POST", "/v1/account_sessions", {"account": Str(required=True), "components": AnyHash(required=True)})
def create_session(box: Box, call: Call) -> Doc:
    """Create a session for embedded components."""
    account = reachable(box, call, call.params["account"])
    known = (shape("account_session") or {})["components"]
    asked = call.params["components"]
    for name in asked.keys() - known.keys():
        raise unknown_params([f"components[{name}]"])
    components = {name: _component(name, fields, asked.get(name)) for name, fields in known.items()}
    return {
        "id": "",
        "object": "account_session",
        "account": account["id"],
        "client_secret": box.ids.new("accs_secret__", 56),
        "components": components,
        "expires_at": box.clock.now() + 3600,
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

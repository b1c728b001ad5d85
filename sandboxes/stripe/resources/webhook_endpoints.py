"""`/v1/webhook_endpoints`."""

from __future__ import annotations

from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.kit.params import Array, Bool, Choice, Str, Url
from sandboxes.kit.routing import route
from sandboxes.stripe import listing, params
from sandboxes.stripe.objects import webhook_endpoint as endpoints
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import API_VERSION
from sandboxes.stripe.shaping import event_types


class EventType(Str):
    """An existing type of event, or `*` for all."""

    def typed(self, value: Any, path: str) -> str:
        """Return the type."""
        text = super().typed(value, path)
        if text not in event_types():
            raise bad_param(f"Invalid {path}: there is no event type {text}", path)
        return text


class WebUrl(Url):
    """An address that events can be posted to."""

    def typed(self, value: Any, path: str) -> str:
        """Return the address."""
        text = super().typed(value, path)
        if not text.startswith(("http://", "https://")):
            raise bad_param("Invalid URL: URL must be http or https", path, "url_invalid")
        return text


UPDATE = {
    "description": Str(),
    "enabled_events": Array(EventType(), most=300, unset=False),
    "metadata": Metadata(),
    "url": WebUrl(unset=False),
}


@route(
    "POST",
    "/v1/webhook_endpoints",
    {
        **UPDATE,
        "api_version": Choice(API_VERSION),
        "connect": Bool(),
        "enabled_events": Array(EventType(), most=300, required=True),
        "url": WebUrl(required=True),
    },
)
def create(sandbox: Sandbox, call: Call) -> Doc:
    """Create an endpoint; its secret is in this answer alone."""
    endpoint = endpoints.new(
        sandbox, call.params["url"], call.params["enabled_events"], connect=bool(call.get("connect"))
    )
    call.taken(endpoint, "description")
    endpoint["metadata"] = params.merge_metadata({}, call.get("metadata", {}))
    sandbox.add(endpoint, call.account)
    return {**endpoint, "secret": endpoint["_secret"]}


@route("GET", "/v1/webhook_endpoints", params.PAGE)
def list_all(sandbox: Sandbox, call: Call) -> Doc:
    """List endpoints."""
    return listing.page(sandbox, call, "webhook_endpoint")


@route("GET", "/v1/webhook_endpoints/{ident}")
def retrieve(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Read an endpoint."""
    return sandbox.find("webhook_endpoint", ident, account=call.account)


@route("POST", "/v1/webhook_endpoints/{ident}", {**UPDATE, "disabled": Bool()})
def update(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Change or disable an endpoint."""
    endpoint = sandbox.find("webhook_endpoint", ident, account=call.account)
    call.taken(endpoint, "description")
    for name in ("url", "enabled_events"):
        if call.get(name):
            endpoint[name] = call.params[name]
    if call.get("disabled") is not None:
        endpoint["status"] = "disabled" if call.params["disabled"] else "enabled"
    if "metadata" in call.params:
        endpoint["metadata"] = params.merge_metadata(endpoint["metadata"], call.params["metadata"])
    return sandbox.store.save(endpoint)


@route("DELETE", "/v1/webhook_endpoints/{ident}")
def delete(sandbox: Sandbox, call: Call, ident: str) -> Doc:
    """Delete an endpoint."""
    sandbox.find("webhook_endpoint", ident, account=call.account)
    sandbox.store.delete(ident)
    return {"id": ident, "object": "webhook_endpoint", "deleted": True}

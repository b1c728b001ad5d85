"""Webhook endpoints: where events go, signed with a secret that is shown once."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import API_VERSION, DAY, Webhook


def new(sandbox: Sandbox, url: str, kinds: list[str], *, connect: bool, secret: str | None = None) -> Doc:
    """Return a fresh endpoint document, not yet stored."""
    return {
        "id": sandbox.ids.new("we_1"),
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "created": sandbox.clock.now(),
        "description": None,
        "enabled_events": kinds,
        "livemode": False,
        "metadata": {},
        "secret": None,
        "status": "enabled",
        "url": url,
        "_connect": connect,
        "_secret": secret or sandbox.ids.new("whsec_", 32),
        "_old_secrets": [],
        "_given_at_start": secret is not None,
    }


def roll(sandbox: Sandbox, endpoint: Doc, keep_seconds: float) -> str:
    """Replace an endpoint's secret and return the new one; the old one also signs for up to a day."""
    until = sandbox.clock.exact() + min(keep_seconds, DAY)
    endpoint["_old_secrets"] = [*endpoint["_old_secrets"], {"secret": endpoint["_secret"], "until": until}]
    endpoint["_secret"] = sandbox.ids.new("whsec_", 32)
    sandbox.store.save(endpoint)
    return str(endpoint["_secret"])


def configure(sandbox: Sandbox, given: tuple[Webhook, ...]) -> None:
    """Synchronize the endpoints of the settings; endpoints created through the API stay."""
    kept = set()
    known = {
        (doc["url"], doc["_connect"]): doc for doc in sandbox.store.find("webhook_endpoint") if doc["_given_at_start"]
    }
    for webhook in given:
        endpoint = known.get((webhook.url, webhook.connect))
        if endpoint is None:
            endpoint = new(sandbox, webhook.url, ["*"], connect=webhook.connect, secret=webhook.secret)
            sandbox.add(endpoint, sandbox.platform)
        endpoint["_secret"] = webhook.secret
        sandbox.store.save(endpoint)
        kept.add(endpoint["id"])
    for endpoint in known.values():
        if given and endpoint["id"] not in kept:
            sandbox.store.delete(endpoint["id"])

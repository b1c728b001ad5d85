"""Webhook endpoints: where events go, signed with a secret that is shown once."""

from __future__ import annotations

from sandboxes.stripe.box import Box
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.settings import API_VERSION, DAY, Webhook


def new(box: Box, url: str, kinds: list[str], *, connect: bool, secret: str | None = None) -> Doc:
    """Return a fresh endpoint document, not yet stored."""
    return {
        "id": box.ids.new("we_1"),
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "created": box.clock.now(),
        "description": None,
        "enabled_events": kinds,
        "livemode": False,
        "metadata": {},
        "secret": None,
        "status": "enabled",
        "url": url,
        "_connect": connect,
        "_secret": secret or box.ids.new("whsec_", 32),
        "_old_secrets": [],
        "_given_at_start": secret is not None,
    }


def roll(box: Box, endpoint: Doc, keep_seconds: float) -> str:
    """Give an endpoint a new secret; the old one signs too for up to a day. Returns the new secret."""
    until = box.clock.exact() + min(keep_seconds, DAY)
    endpoint["_old_secrets"] = [*endpoint["_old_secrets"], {"secret": endpoint["_secret"], "until": until}]
    endpoint["_secret"] = box.ids.new("whsec_", 32)
    box.store.save(endpoint)
    return str(endpoint["_secret"])


def configure(box: Box, given: tuple[Webhook, ...]) -> None:
    """Make the endpoints given at start exactly those; endpoints created by call stay."""
    kept = set()
    known = {(doc["url"], doc["_connect"]): doc for doc in box.store.find("webhook_endpoint") if doc["_given_at_start"]}
    for webhook in given:
        endpoint = known.get((webhook.url, webhook.connect))
        if endpoint is None:
            endpoint = new(box, webhook.url, ["*"], connect=webhook.connect, secret=webhook.secret)
            box.add(endpoint, box.platform)
        endpoint["_secret"] = webhook.secret
        box.store.save(endpoint)
        kept.add(endpoint["id"])
    for endpoint in known.values():
        if given and endpoint["id"] not in kept:
            box.store.delete(endpoint["id"])

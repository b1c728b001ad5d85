"""The SDK's client, and the base that every part of the adapter shares."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import stripe

from multitask.payments.provider import Unknown
from multitask.providers.stripe.configuration import Configuration
from multitask.providers.stripe.errors import translated

# The SDK measures our calls and sends the figures to Stripe with the next one; nobody asked for that.
stripe.enable_telemetry = False

PAGE_SIZE = 100
SEARCH_LIMIT = 5_000

Raw = Mapping[str, Any]


def make_client(configuration: Configuration) -> stripe.StripeClient:
    """Make a client that tries once.

    The SDK would sleep and resend inside the call. Here every try belongs to an operation, which counts it,
    keeps its outcome, waits in the job queue rather than in a web process, and sees that an answer was a replay.
    """
    timeout = (configuration.connect_timeout_seconds, configuration.read_timeout_seconds)
    return stripe.StripeClient(
        configuration.secret_key,
        base_addresses={"api": configuration.api_base.rstrip("/")},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


class Caller:
    """Holds the client; the adapter's parts inherit it."""

    def __init__(self, configuration: Configuration) -> None:
        """Open no connection yet: the first call does."""
        self._configuration = configuration
        self._client = make_client(configuration)

    @staticmethod
    def _read(call: Callable[[], stripe.StripeObject], *, held: frozenset[str] = frozenset()) -> Raw:
        """Make one call and answer its object as plain data, in which a missing field is simply missing."""
        with translated(held=held):
            return call().to_dict()

    @staticmethod
    def _find(first_page: Callable[[], stripe.ListObject[Any]], reference: str) -> Raw | None:
        """Search a list, newest first, for our reference.

        Not the Search API, which may lag behind by a minute: "not found" here lets an operation be sent again.
        For the same reason a list that is too long to read whole proves nothing: `Unknown`, never "not found".
        """
        if not reference:
            raise ValueError("a search needs a reference")
        with translated():
            seen = 0
            for item in islice(first_page().auto_paging_iter(), SEARCH_LIMIT):
                raw: Raw = item.to_dict()
                if reference_of(raw) == reference:
                    return raw
                seen += 1
        if seen >= SEARCH_LIMIT:
            raise Unknown("search_incomplete", "There are too many objects at the payment provider to search them all.")
        return None


def reference_of(raw: Raw) -> str:
    """Our reference as Stripe keeps it for us in the metadata; empty when the object is not of our making."""
    value = (raw.get("metadata") or {}).get("reference")
    return value if isinstance(value, str) else ""

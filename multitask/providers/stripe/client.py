"""The SDK's client, and the base that every part of the adapter shares."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import stripe

from multitask.payments.operations import send_deadline
from multitask.payments.provider import ABSENT, CannotTell, Found, Rejected, Search
from multitask.providers import circuit_breaker
from multitask.providers.stripe import http
from multitask.providers.stripe.configuration import Configuration
from multitask.providers.stripe.errors import translated

# The SDK measures our calls and sends the figures to Stripe with the next one; nobody asked for that.
stripe.enable_telemetry = False

PAGE_SIZE = 100
# A person waits for the request, so a longer search is left to the job.
PAGES_IN_A_REQUEST = 3

Raw = Mapping[str, Any]


def make_client(configuration: Configuration, *, read_seconds: float) -> stripe.StripeClient:
    """Return a client that does not retry.

    The SDK would sleep and resend inside the call. Here every attempt belongs to an operation, which counts it,
    keeps its outcome, waits in the job queue rather than in a web process, and sees that an answer was a replay.
    """
    api_base = configuration.api_base.rstrip("/")
    # Stripe takes files at a host of their own; any other address takes both.
    files_base = stripe.DEFAULT_UPLOAD_API_BASE if api_base == stripe.DEFAULT_API_BASE else api_base
    return stripe.StripeClient(
        configuration.secret_key,
        base_addresses={"api": api_base, "files": files_base},
        max_network_retries=0,
        http_client=http.make_client(
            connect_seconds=configuration.connect_timeout_seconds,
            read_seconds=read_seconds,
            session=configuration.session,
        ),
    )


class Caller:
    """The base of the adapter's parts, with one client for requests and one for jobs."""

    def __init__(self, configuration: Configuration) -> None:
        """Store both clients; the first call opens a connection."""
        self._configuration = configuration
        self._for_requests = make_client(
            configuration, read_seconds=min(configuration.request_timeout_seconds, configuration.read_timeout_seconds)
        )
        self._for_jobs = make_client(configuration, read_seconds=configuration.read_timeout_seconds)
        self.guard = circuit_breaker.Guard("stripe", requests_at_once=configuration.requests_at_once)

    @property
    def _client(self) -> stripe.StripeClient:
        return self._for_requests if circuit_breaker.is_from_request() else self._for_jobs

    def _read(self, call: Callable[[], stripe.StripeObject], *, held: frozenset[str] = frozenset()) -> Raw:
        """Make one call and return its object as plain data."""
        with self._guarded(held=held):
            return call().to_dict()

    def _find(self, first_page: Callable[[], stripe.ListObject[Any]], reference: str) -> Search[Raw]:
        """Search a list, newest first, for our reference, to its end.

        Not the Search API, which may lag behind by a minute: `Absent` here lets an operation be sent again.
        For the same reason a search that is refused or that a request breaks off proves nothing.
        """
        if not reference:
            raise ValueError("a search needs a reference")
        try:
            for number, page in enumerate(self._pages(first_page)):
                for raw in page:
                    if reference_of(raw) == reference:
                        return Found(raw)
                if circuit_breaker.is_from_request() and number + 1 >= PAGES_IN_A_REQUEST:
                    message = "The search at the payment provider takes longer than a request."
                    return CannotTell("search_incomplete", message)
        except Rejected as error:
            return CannotTell(error.code, error.message)
        return ABSENT

    def _pages(self, first_page: Callable[[], stripe.ListObject[Any]]) -> Iterator[list[Raw]]:
        """Read the pages of a list one after the other, each by a guarded call."""
        with self._guarded():
            page = first_page()
        while True:
            yield [item.to_dict() for item in page.data]
            if not page.has_more or not page.data:
                return
            send_deadline.searched_a_page()
            with self._guarded():
                page = page.next_page()

    @contextmanager
    def _guarded(self, *, held: frozenset[str] = frozenset()) -> Iterator[None]:
        with self.guard.call(), translated(held=held):
            yield


def made_since(moment: datetime) -> stripe.params.TransferListParamsCreated:
    """Return the filter of a list for objects made at a moment or later."""
    return {"gte": int(moment.timestamp())}


def reference_of(raw: Raw) -> str:
    """Return our reference from an object's metadata; empty if we did not create the object."""
    value = (raw.get("metadata") or {}).get("reference")
    return value if isinstance(value, str) else ""

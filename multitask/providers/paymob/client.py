"""One HTTP call to Paymob, and the base that every part of the adapter shares."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import requests
from django.utils.module_loading import import_string

from multitask.providers import circuit_breaker, http
from multitask.providers.paymob import errors
from multitask.providers.paymob.configuration import Configuration

Raw = Mapping[str, Any]
LARGEST_ANSWER: Final = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response: its status, and its body, which is empty if it is not a JSON object. Numbers are int or Decimal."""

    status: int
    body: Raw
    text: str
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success and the body an object."""
        return 200 <= self.status < 300 and bool(self.body)


class Caller:
    """The base of the adapter's parts: the sessions, the limits and the circuit breaker."""

    def __init__(self, configuration: Configuration) -> None:
        """Make a session; the first call opens a connection."""
        self._configuration = configuration
        self._session = import_string(configuration.session)() if configuration.session else http.session()
        self.guard = circuit_breaker.Guard("paymob", requests_at_once=configuration.requests_at_once)

    def _call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Raw | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call; raise Unavailable or Unknown when there was no answer, or one that says that nobody knows.

        An answer of success, and a refusal with a status below 500, are for the caller to read.
        """
        with self.guard.call(), errors.connection_errors():
            answer = self._sent(method, url, headers, body, form)
            errors.require_decided(answer.status, url)
            return answer

    def _sent(
        self, method: str, url: str, headers: Mapping[str, str], body: Raw | None, form: Mapping[str, str] | None
    ) -> Answer:
        connect, read = self._configuration.connect_timeout_seconds, self._read_seconds()
        with http.TimedCall(connect + read):
            response = self._session.request(
                method,
                url,
                headers={"Accept": "application/json", **headers},
                json=body,
                data=form,
                timeout=(connect, read),
                allow_redirects=False,
            )
        return _answer(response)

    def _read_seconds(self) -> float:
        longest = self._configuration.read_timeout_seconds
        return (
            min(self._configuration.request_timeout_seconds, longest) if circuit_breaker.is_from_request() else longest
        )


def _answer(response: requests.Response) -> Answer:
    text = response.text[:LARGEST_ANSWER]
    try:
        body = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        body = None
    return Answer(
        status=response.status_code,
        body=body if isinstance(body, dict) else {},
        text=text,
        retry_after=response.headers.get("Retry-After", ""),
    )

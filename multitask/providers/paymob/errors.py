"""Translation of Paymob's errors to `payments.provider`, by effect and whether a retry is possible."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Protocol

import requests
import structlog
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from multitask.payments.operations import send_deadline
from multitask.payments.provider import ProviderError, Rejected, Unavailable, Unknown
from multitask.providers.circuit_breaker import NOT_CONNECTED
from multitask.text import masking

log = structlog.get_logger(__name__)

MISCONFIGURED: Final = "provider_misconfigured"
MISSING: Final = "resource_missing"
PROBLEM: Final = "The payment provider had a problem."
DEFAULT_WAIT: Final = timedelta(seconds=1)
LONGEST_MESSAGE: Final = 300


class Refusal(Protocol):
    """An answer without success."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> Mapping[str, Any]: ...
    @property
    def retry_after(self) -> str: ...


@contextmanager
def connection_errors() -> Iterator[None]:
    """Translate the errors of a call that was not answered.

    A connection that was never made has sent nothing. Whatever else is not proven to have had no effect is `Unknown`.
    """
    try:
        yield
    except ProviderError:
        raise
    except send_deadline.TooLate as error:
        raise Unavailable("sent_too_late", "The call was not sent, since too much time had passed.") from error
    except requests.RequestException as error:
        log.warning("paymob call failed", error=type(error).__name__)
        if _is_unconnected(error):
            message = "The payment provider cannot be reached."
            raise Unavailable(NOT_CONNECTED, message, retry_after=DEFAULT_WAIT, refuses_all=True) from error
        raise Unknown("connection_failed", "The payment provider did not answer in time.") from error
    except Exception as error:
        log.exception("paymob answered what cannot be read")
        raise Unknown("provider_error", PROBLEM) from error


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Translate the errors of calls that come before one that moves money, and move none themselves.

    What became of them does not matter: nothing was sent, so the whole may be repeated without a search.
    """
    try:
        yield
    except Unknown as error:
        raise Unavailable(error.code, error.message) from error


def _is_unconnected(error: requests.RequestException) -> bool:
    """Return whether no connection was made: refused, no such host, or no answer to the attempt to connect."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def require_decided(status: int, url: str) -> None:
    """Refuse answers that leave open what happened: a fault of the server, a redirect. Raises Unknown."""
    if 200 <= status < 300 or 400 <= status < 500:
        return
    log.warning("paymob call failed", http_status=status, url=url)
    raise Unknown("provider_error", PROBLEM)


def refusal(answer: Refusal) -> ProviderError:
    """Return what an answer of 4xx means; nothing was done. One of success that has no object is `Unknown`."""
    status = answer.status
    if status in {401, 403}:
        return misconfigured(status)
    if status == 404:
        return Rejected(MISSING, "The payment provider does not know this object.")
    if status in {408, 409, 425}:
        # Not documented; these may speak of a request that is being worked on.
        return Unknown("conflict", "The payment provider is still working on the request.")
    if status == 429:
        message = "The payment provider is busy."
        return Unavailable("rate_limited", message, retry_after=_wait(answer), refuses_all=True)
    if 400 <= status < 500:
        code, message = described(answer.body)
        log.warning("paymob refused", http_status=status, code=code)
        return Rejected(code, message)
    return unexpected("answer")


def misconfigured(status: int) -> Unavailable:
    """Return a temporary error, since the call succeeds once the keys are fixed; its text does not quote them."""
    log.critical("paymob refuses our keys or integrations", http_status=status)
    return Unavailable(MISCONFIGURED, "Payments are not available at the moment.", retry_after=timedelta(minutes=1))


def unexpected(what: str, found: object = "") -> Unknown:
    """Return the error for an answer in words that this adapter does not know; it must not move money."""
    log.error("paymob answered what is not known", what=what, found=str(found)[:LONGEST_MESSAGE])
    return Unknown(f"unexpected_{what}", "The payment provider answered in a way that is not known.")


def described(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return a code and a sentence for a refusal, whose body has one of many shapes.

    Seen are `detail`, `message`, and the name of a field with a text or a list of texts. Long numbers are masked, since
    the sentence is stored and may repeat the number of a wallet or an account.
    """
    for name in ("detail", "message"):
        if isinstance(body.get(name), str) and body[name].strip():
            return "refused", masking.sentence(body[name].strip())[:LONGEST_MESSAGE]
    for name, value in body.items():
        texts = _texts(value)
        if texts:
            return f"invalid_{name}"[:100], masking.sentence(texts[0])[:LONGEST_MESSAGE]
    return "refused", "The payment provider refused."


def everything_said(value: object) -> str:
    """Return all texts of a body, in lower case, to look for known words in any of its shapes."""
    return " ".join(_texts(value)).lower()


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, Mapping):
        return [text for name, inner in value.items() for text in (str(name), *_texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []


def _wait(answer: Refusal) -> timedelta:
    """Return `Retry-After`, if it is a number of seconds."""
    value = answer.retry_after.strip()
    return timedelta(seconds=min(int(value), 3600)) if value.isascii() and value.isdigit() else DEFAULT_WAIT

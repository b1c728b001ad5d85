"""Translation of Stripe's errors to `payments.provider`, by effect and whether a retry is possible."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import stripe
import structlog

from multitask.payments.operations import send_deadline
from multitask.payments.provider import CUSTOMER_GONE, ProviderError, Rejected, Unavailable, Unknown
from multitask.text import masking

log = structlog.get_logger(__name__)

ACCOUNT_INVALID = "account_invalid"
MISSING = "resource_missing"
LOCK_TIMEOUT = "lock_timeout"
DESTINATION_GONE = "destination_gone"
MISCONFIGURED = "provider_misconfigured"
PROBLEM = "The payment provider had a problem."
DEFAULT_WAIT = timedelta(seconds=1)


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for translation. Django's function would import the settings, which import this module."""
    return sentence


# Where Stripe's own sentence speaks to the developer, this one speaks to the person who is waiting. They are stored
# with a refused payment, refund or payout, and translated when they are shown.
SENTENCES = {
    "balance_insufficient": gettext_noop("There is not enough money available at the payment provider yet."),
    "insufficient_capabilities_for_transfer": gettext_noop(
        "The receiving account cannot take transfers at the moment."
    ),
    DESTINATION_GONE: gettext_noop("The receiving account is closed."),
    "charge_already_refunded": gettext_noop("This payment has already been refunded in full."),
    "charge_disputed": gettext_noop("The cardholder's bank has disputed this payment, so it cannot be refunded."),
    "payouts_not_allowed": gettext_noop("Payouts are not allowed for this account at the moment."),
    "no_external_account_in_currency": gettext_noop("There is no bank account for this currency."),
    "amount_too_small": gettext_noop("The amount is below the minimum that the payment provider accepts."),
    "amount_too_large": gettext_noop("The amount is above the maximum that the payment provider accepts."),
    "payment_intent_unexpected_state": gettext_noop("The payment's status has changed, so this is no longer possible."),
    MISSING: gettext_noop("The payment provider does not know this object."),
    CUSTOMER_GONE: gettext_noop("Your saved details were removed at the payment provider. Please try again."),
    ACCOUNT_INVALID: gettext_noop("The account is no longer connected to this platform."),
}


# The codes of objects that Stripe does not know any more, by the parameter that named them.
_MISSING_PARAMETERS = {"customer": CUSTOMER_GONE, "destination": DESTINATION_GONE}


@contextmanager
def translated(*, held: frozenset[str] = frozenset()) -> Iterator[None]:
    """Translate errors of the SDK inside the block; codes in `held` are temporary instead of permanent refusals."""
    try:
        yield
    except stripe.StripeError as error:
        ours = translate(error, held=held)
        log.warning(
            "stripe call failed",
            outcome=type(ours).__name__,
            code=ours.code,
            http_status=error.http_status,
            request_id=error.request_id,
        )
        raise ours from error
    except Exception as error:
        # The SDK raises on non-Stripe bodies, such as a proxy's; the call itself may have succeeded.
        log.exception("stripe answered what the SDK cannot read")
        raise Unknown("provider_error", PROBLEM) from error


def translate(error: stripe.StripeError, *, held: frozenset[str] = frozenset()) -> ProviderError:
    """Return what a failed call means. Whatever is not proven to have had no effect is `Unknown`."""
    status = error.http_status
    if isinstance(error, stripe.APIConnectionError):
        if isinstance(error.__cause__, send_deadline.TooLate):
            return Unavailable("sent_too_late", "The call was not sent, since too much time had passed.")
        return Unknown("connection_failed", "The payment provider did not answer in time.")
    if isinstance(error, stripe.AuthenticationError):
        return _misconfigured(error)
    if isinstance(error, stripe.PermissionError):
        return _forbidden(error)
    if isinstance(error, stripe.RateLimitError):
        # Stripe also answers 429 while another request holds a lock on the object.
        is_locked = _detail(error, "code") == LOCK_TIMEOUT
        message = "The payment provider is busy."
        return Unavailable("rate_limited", message, retry_after=_wait(error), refuses_all=not is_locked)
    if status == 409:
        code = _detail(error, "code") or "conflict"
        return Unavailable(code, "The same request is still being worked on.", retry_after=_wait(error))
    if isinstance(error, stripe.IdempotencyError):
        return _other_parameters()
    if status is not None and 400 <= status < 500:
        return _refused(error, held)
    return Unknown("provider_error", PROBLEM, replayed=is_replayed(error.headers))


def is_replayed(headers: Mapping[str, str] | None) -> bool:
    """Return whether the response is an idempotent replay."""
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    return lowered.get("idempotent-replayed", "").lower() == "true"


def _refused(error: stripe.StripeError, held: frozenset[str]) -> ProviderError:
    code = _detail(error, "decline_code") or _detail(error, "code") or _code_of_parameter(error)
    if code == MISSING:
        code = _MISSING_PARAMETERS.get(_detail(error, "param"), code)
    # Stripe's own sentence may repeat what was entered, and ours is stored.
    message = SENTENCES.get(code) or masking.sentence(_detail(error, "message")) or "The payment provider refused."
    if code in held:
        # Stripe replays a failed execution under its key, so a retry needs a new one.
        return Unavailable(code, message, key_spent=True)
    return Rejected(code, message, object_id=_object_id(error))


def _code_of_parameter(error: stripe.StripeError) -> str:
    """Return a code for refusals that only name a parameter, such as a refund above what is left."""
    parameter = _detail(error, "param")
    return f"invalid_{parameter}" if parameter else "refused"


def _forbidden(error: stripe.StripeError) -> ProviderError:
    """Return a refusal for an account that left the platform; any other 403 is about our key."""
    if _detail(error, "code") == ACCOUNT_INVALID:
        return Rejected(ACCOUNT_INVALID, SENTENCES[ACCOUNT_INVALID])
    return _misconfigured(error)


def _misconfigured(error: stripe.StripeError) -> Unavailable:
    """Return a temporary error, since the call succeeds once the key is fixed; its text does not quote the key."""
    log.critical("stripe refuses our key", http_status=error.http_status, request_id=error.request_id)
    return Unavailable(MISCONFIGURED, "Payments are not available at the moment.", retry_after=timedelta(minutes=1))


def _other_parameters() -> Unknown:
    """Return an unknown outcome: the key was used before with other parameters, so a call may have had an effect."""
    log.critical("an idempotency key was used twice with different parameters")
    return Unknown("idempotency_key_reused", "This request does not match its first attempt.", replayed=True)


def _wait(error: stripe.StripeError) -> timedelta:
    """Return `Retry-After`, if it is a number of seconds."""
    lowered = {name.lower(): value for name, value in (error.headers or {}).items()}
    value = lowered.get("retry-after", "").strip()
    return timedelta(seconds=min(int(value), 3600)) if value.isascii() and value.isdigit() else DEFAULT_WAIT


def _detail(error: stripe.StripeError, name: str) -> str:
    """Return a field of the error body, since the SDK's `code` is empty for most classes."""
    value = _body(error).get(name)
    return value if isinstance(value, str) else ""


def _object_id(error: stripe.StripeError) -> str:
    """Return the id of the payment of a declined card, or of its charge."""
    intent = _body(error).get("payment_intent")
    if isinstance(intent, dict):
        return str(intent.get("id", ""))
    return _detail(error, "charge")


def _body(error: stripe.StripeError) -> dict[str, Any]:
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}

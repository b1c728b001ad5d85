"""Translation of Stripe events: which object changed. Its new state is always read from Stripe."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from multitask.payments.provider import InboundEvent, InvalidSignature, Subject

PLATFORM: Final = "platform"
CONNECT: Final = "connect"

_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z0-9_.\[\]]{1,255}", re.ASCII)
_RELATED: Final = ("payment_intent", "charge", "customer", "destination")

Raw = Mapping[str, Any]


def _own_id(raw: Raw) -> str:
    return _text(raw, "id")


def _payment_of(raw: Raw) -> str:
    return _text(raw, "payment_intent")


# The first matching beginning decides; what matches none is kept and changes nothing.
_PLATFORM_SUBJECTS: Final[tuple[tuple[str, Subject, Callable[[Raw], str]], ...]] = (
    ("payment_intent.", Subject.PAYMENT, _own_id),
    ("charge.dispute.", Subject.DISPUTE, _own_id),
    ("charge.refund.", Subject.REFUND, _own_id),
    ("radar.early_fraud_warning.", Subject.FRAUD_WARNING, _own_id),
    ("charge.", Subject.PAYMENT, _payment_of),
    ("refund.", Subject.REFUND, _own_id),
    ("transfer.", Subject.TRANSFER, _own_id),
    ("payment_method.", Subject.PAYMENT_METHOD, _own_id),
    ("setup_intent.", Subject.SETUP, _own_id),
    # Only deletions matter: nothing else about a customer is kept here.
    ("customer.deleted", Subject.CUSTOMER, _own_id),
)
# Charges and payments inside a connected account mirror our transfers; only these are news.
_ACCOUNT_SUBJECTS: Final = (
    ("payout.", Subject.PAYOUT),
    ("account.", Subject.ACCOUNT),
    ("capability.", Subject.ACCOUNT),
    ("balance.", Subject.BALANCE),
)


def read(body: bytes, *, signed_by: frozenset[str], live: bool) -> InboundEvent:
    """Translate a signed body. Raises InvalidSignature for content that Stripe never sends."""
    raw = _parse(body)
    event_id, kind, account_id = _text(raw, "id"), raw.get("type"), _text(raw, "account")
    if not event_id or not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise _not_an_event()
    if raw.get("livemode") is not live:
        raise InvalidSignature("livemode_mismatch", "The event belongs to the other mode, live or test.")
    subject, object_id, changed = _changed(kind, account_id, raw)
    return InboundEvent(
        id=event_id,
        kind=kind,
        subject=subject,
        object_id=object_id,
        account_id=account_id,
        created_at=_created_at(raw.get("created")),
        live=live,
        related={name: _text(changed, name) for name in _RELATED if _text(changed, name)},
        quarantine_reason=_doubt(account_id, signed_by),
    )


def _changed(kind: str, account_id: str, raw: Raw) -> tuple[Subject, str, Raw]:
    """Return the changed object: subject, id and its content in the event."""
    data = raw.get("data")
    shown = data.get("object") if isinstance(data, dict) else None
    changed: Raw = shown if isinstance(shown, dict) else {}
    subject, object_id = _in_account(kind, account_id, changed) if account_id else _in_platform(kind, changed)
    return (subject, object_id, changed) if object_id else (Subject.NOTHING, "", changed)


def _in_platform(kind: str, changed: Raw) -> tuple[Subject, str]:
    for beginning, subject, find_id in _PLATFORM_SUBJECTS:
        if kind.startswith(beginning):
            return subject, find_id(changed)
    return Subject.NOTHING, ""


def _in_account(kind: str, account_id: str, changed: Raw) -> tuple[Subject, str]:
    for beginning, subject in _ACCOUNT_SUBJECTS:
        if kind.startswith(beginning):
            return subject, _own_id(changed) if subject is Subject.PAYOUT else account_id
    return Subject.NOTHING, ""


def _doubt(account_id: str, signed_by: frozenset[str]) -> str:
    """Return why an event is suspicious (signed with the secret of the other webhook endpoint), or ""."""
    expected = CONNECT if account_id else PLATFORM
    if expected in signed_by:
        return ""
    found = "names a connected account" if account_id else "names no connected account"
    return f"The event {found} but was signed with the {' and '.join(sorted(signed_by))} endpoint's secret."


def _parse(body: bytes) -> Raw:
    try:
        raw = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise _not_an_event() from None
    if not isinstance(raw, dict):
        raise _not_an_event()
    return raw


def _text(raw: Raw, name: str) -> str:
    """Return a field as an id: of an expanded object its id, of any other type an empty string."""
    value = raw.get(name)
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _created_at(value: object) -> datetime:
    try:
        if type(value) is int:
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise _not_an_event()


def _not_an_event() -> InvalidSignature:
    return InvalidSignature("not_an_event", "The signed body is not a Stripe event.")

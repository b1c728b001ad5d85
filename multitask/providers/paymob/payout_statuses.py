"""What Paymob's words about a payout mean. The words and codes are known from programs that call it (secondary)."""

from collections.abc import Mapping
from typing import Any, Final

from multitask.money import Money
from multitask.payments.provider import PayoutState, PayoutStatus
from multitask.providers.paymob import amounts, errors

Raw = Mapping[str, Any]

_RETURNED: Final = "returned"
_WORDS: Final = {
    "success": PayoutStatus.PAID,
    "successful": PayoutStatus.PAID,
    "pending": PayoutStatus.PENDING,
    "failed": PayoutStatus.FAILED,
    _RETURNED: PayoutStatus.FAILED,
}
# Received, processing, and awaiting the receiving bank, which is not final whatever the word beside it.
_ON_THE_WAY: Final = {
    "8000": PayoutStatus.PENDING,
    "8111": PayoutStatus.IN_TRANSIT,
    "8222": PayoutStatus.IN_TRANSIT,
}
_SETTLED: Final = frozenset({"200", "8333"})


def status_of(raw: Raw) -> PayoutStatus:
    """Return the status of a payout. Raises Unknown for unknown words, and for a word and a code that contradict."""
    word = raw.get("disbursement_status")
    code = code_of(raw)
    known = _WORDS.get(word.strip().lower()) if isinstance(word, str) else None
    if known is None:
        raise errors.unexpected("status", word)
    if known is PayoutStatus.FAILED:
        if code in _ON_THE_WAY or code in _SETTLED:
            raise errors.unexpected("status", f"{word} {code}")
        return known
    if code in _ON_THE_WAY:
        return _ON_THE_WAY[code]
    if known is PayoutStatus.PAID and code and code not in _SETTLED:
        raise errors.unexpected("status", f"{word} {code}")
    return known


def code_of(raw: Raw) -> str:
    """Return the status code as a text; empty without one."""
    code = raw.get("status_code")
    return str(code).strip()[:100] if isinstance(code, str | int) and not isinstance(code, bool) else ""


def description_of(raw: Raw) -> str:
    """Return what an answer says, which is a text or, by the name of a field, texts about it."""
    said = raw.get("status_description")
    return errors.described(said if isinstance(said, Mapping) else {"message": said})[1]


def is_failure(raw: Raw) -> bool:
    """Return whether an answer, of any HTTP status, says in so many words that the payout failed."""
    word = raw.get("disbursement_status")
    return isinstance(word, str) and _WORDS.get(word.strip().lower()) is PayoutStatus.FAILED


def state(raw: Raw) -> PayoutState:
    """Translate a payout. Raises Unknown for what this adapter does not know; the money stays reserved then."""
    payout_id = raw.get("transaction_id")
    amount = amounts.from_pounds(raw.get("amount"))
    if not isinstance(payout_id, str | int) or isinstance(payout_id, bool) or not str(payout_id) or amount is None:
        raise errors.unexpected("payout", payout_id)
    status = status_of(raw)
    failed = status is PayoutStatus.FAILED
    # What came back after success has kept its costs; what failed before has none.
    is_free = failed and str(raw.get("disbursement_status")).strip().lower() != _RETURNED
    return PayoutState(
        id=str(payout_id),
        status=status,
        amount=amount,
        account_id="",
        reference=reference_of(raw),
        failure_code=(code_of(raw) or "failed") if failed else "",
        failure_message=description_of(raw) if failed else "",
        fee=None if is_free else _cost(raw, "fees", amount),
        tax=None if is_free else _cost(raw, "vat", amount),
    )


def reference_of(raw: Raw) -> str:
    """Return our reference of a payout; empty if the answer has none."""
    for name in ("client_transaction_reference", "client_reference_id", "client_reference"):
        value = raw.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _cost(raw: Raw, name: str, amount: Money) -> Money | None:
    """Return a part of what the payout cost; None while it is not known."""
    value = raw.get(name)
    if value is None or value == "":
        return None
    cost = amounts.from_pounds(value)
    if cost is None or cost.amount_minor < 0:
        raise errors.unexpected(name, value)
    return cost

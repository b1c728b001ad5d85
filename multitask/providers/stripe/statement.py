"""The statement of an account: Stripe's balance transactions, and its balance."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import stripe
import structlog

from multitask.money import MoneyError
from multitask.payments.provider import AccountBalance, LineKind, Rejected, StatementEntry, Subject
from multitask.providers.stripe import currencies
from multitask.providers.stripe.accounts import balance_of
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw, made_since

log = structlog.get_logger(__name__)

_KINDS: Final = {
    "charge": LineKind.PAYMENT,
    "payment": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "payment_refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILURE,
    "payment_failure_refund": LineKind.REFUND_FAILURE,
    "transfer": LineKind.TRANSFER,
    "transfer_refund": LineKind.REVERSAL,
    "transfer_cancel": LineKind.REVERSAL,
    "transfer_failure": LineKind.REVERSAL,
    "payout": LineKind.PAYOUT,
    "payout_failure": LineKind.PAYOUT_FAILURE,
    "payout_cancel": LineKind.PAYOUT_CANCELLED,
    "stripe_fee": LineKind.FEE,
    "stripe_fx_fee": LineKind.FEE,
    "tax_fee": LineKind.FEE,
    "topup": LineKind.TOPUP,
    "topup_reversal": LineKind.TOPUP,
    "adjustment": LineKind.ADJUSTMENT,
}
# These move money between the parts of one balance, whose sum stays the same.
_INSIDE: Final = frozenset({"reserve_transaction", "reserved_funds", "reserve_hold", "reserve_release"})
# What to read to learn about a line of a kind, unless its source names another object.
_SUBJECTS: Final = {
    LineKind.REFUND: Subject.REFUND,
    LineKind.REFUND_FAILURE: Subject.REFUND,
    LineKind.TRANSFER: Subject.TRANSFER,
    LineKind.PAYOUT: Subject.PAYOUT,
    LineKind.PAYOUT_FAILURE: Subject.PAYOUT,
    LineKind.PAYOUT_CANCELLED: Subject.PAYOUT,
    LineKind.CHARGEBACK: Subject.DISPUTE,
    LineKind.CHARGEBACK_REVERSAL: Subject.DISPUTE,
}


class Statements(Caller):
    """Calls about balances and the movements behind them."""

    def read_balances(self, account_id: str) -> list[AccountBalance]:
        """Read the balance of an account in each of its currencies that is known here."""
        raw = self._read(lambda: self._client.v1.balance.retrieve(None, _options(account_id)))
        parts = ("available", "pending", "connect_reserved")
        codes = sorted({fund["currency"].upper() for part in parts for fund in raw.get(part) or ()})
        return [found for code in codes if (found := _balance(raw, code)) is not None]

    def read_statement(self, *, account_id: str, after: str, since: datetime) -> Iterator[Sequence[StatementEntry]]:
        """Read the lines behind one, or those since a moment; one call for each page."""
        params: stripe.params.BalanceTransactionListParams = {"limit": PAGE_SIZE, "expand": ["data.source"]}
        if after:
            params["ending_before"] = after
        else:
            params["created"] = made_since(since)
        while True:
            page = self._read(lambda: self._client.v1.balance_transactions.list(params, _options(account_id)))
            # Stripe's lists are newest first in both directions.
            rows = list(reversed(page["data"]))
            yield [entry for raw in rows if (entry := _understood(raw)) is not None]
            if not page["has_more"] or not rows:
                return
            params["ending_before" if after else "starting_after"] = rows[-1 if after else 0]["id"]


def _options(account_id: str) -> stripe.RequestOptions:
    return {"stripe_account": account_id} if account_id else {}


def _balance(raw: Raw, currency: str) -> AccountBalance | None:
    try:
        return balance_of(raw, currency)
    except (Rejected, MoneyError):
        log.warning("balance not representable", currency=currency)
        return None


def _understood(raw: Raw) -> StatementEntry | None:
    """Return the line; None for one that moves nothing, or whose currency or amount is not known here."""
    if raw["type"] in _INSIDE:
        return None
    try:
        return statement_entry(raw)
    except (Rejected, MoneyError):
        log.error("statement line not representable", line=raw["id"], amount=raw["amount"], currency=raw["currency"])
        return None


def statement_entry(raw: Raw) -> StatementEntry:
    """Translate a balance transaction whose source is expanded."""
    source = _source(raw)
    kind = _kind(raw, source)
    subject, object_id = _subject(kind, source)
    available = raw.get("available_on")
    return StatementEntry(
        id=raw["id"],
        kind=kind,
        source_id=_moved_by(source),
        subject=subject,
        object_id=object_id,
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        fee=currencies.from_stripe(raw.get("fee") or 0, raw["currency"]),
        created_at=datetime.fromtimestamp(raw["created"], UTC),
        available_at=datetime.fromtimestamp(available, UTC) if available is not None else None,
        description=(raw.get("description") or "")[:300],
    )


def _source(raw: Raw) -> dict[str, Any]:
    source = raw.get("source")
    return source if isinstance(source, dict) else {"id": source or ""}


def _moved_by(source: Raw) -> str:
    """Return the id of the object that moved the money: on a payee's account that is the platform's transfer."""
    for name in ("source_transfer", "source_transfer_reversal"):
        if source.get(name):
            return _id(source[name])
    return str(source["id"])


def _kind(raw: Raw, source: Raw) -> LineKind:
    if source.get("source_transfer"):
        return LineKind.TRANSFER
    if source.get("source_transfer_reversal"):
        return LineKind.REVERSAL
    if source.get("object") == "dispute":
        # Besides the amount itself, fees and their return.
        return LineKind.CHARGEBACK if raw["amount"] - (raw.get("fee") or 0) < 0 else LineKind.CHARGEBACK_REVERSAL
    return _KINDS.get(raw["type"], LineKind.OTHER)


def _subject(kind: LineKind, source: Raw) -> tuple[Subject, str]:
    if kind is LineKind.PAYMENT and source.get("payment_intent"):
        return Subject.PAYMENT, _id(source["payment_intent"])
    if kind is LineKind.REVERSAL and source.get("transfer"):
        return Subject.TRANSFER, _id(source["transfer"])
    subject = _SUBJECTS.get(kind, Subject.NOTHING)
    return (subject, _moved_by(source)) if subject is not Subject.NOTHING else (subject, "")


def _id(value: Any) -> str:
    """Return an object's id, whether the object is expanded or not."""
    return str(value["id"] if isinstance(value, dict) else value)

"""Chargebacks, which Stripe calls disputes."""

from datetime import UTC, datetime
from typing import Final

import stripe
import structlog

from multitask.money import MoneyError
from multitask.payments.provider import ChargebackMovement, ChargebackState, ChargebackStatus, Rejected
from multitask.providers.stripe import currencies
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw

log = structlog.get_logger(__name__)

_CLOSED: Final = frozenset({ChargebackStatus.WON, ChargebackStatus.LOST, ChargebackStatus.WARNING_CLOSED})


class Disputes(Caller):
    """Calls about chargebacks."""

    def read_dispute(self, dispute_id: str) -> ChargebackState:
        """Read a chargeback; its reason is Stripe's code."""
        return dispute_state(self._read(lambda: self._client.v1.disputes.retrieve(dispute_id)))

    def accept_dispute(self, *, dispute_id: str, key: str) -> ChargebackState:
        """Accept a chargeback as lost; one that is closed already is returned as it is."""
        try:
            return dispute_state(
                self._read(lambda: self._client.v1.disputes.close(dispute_id, None, {"idempotency_key": key}))
            )
        except Rejected as refusal:
            state = self.read_dispute(dispute_id)
            if state.status not in _CLOSED:
                raise refusal from None
            return state

    def list_disputes(self, *, since: datetime) -> list[ChargebackState]:
        """List all chargebacks opened since then, newest first."""
        params: stripe.params.DisputeListParams = {"limit": PAGE_SIZE, "created": {"gte": int(since.timestamp())}}
        pages = self._pages(lambda: self._client.v1.disputes.list(params))
        found = [raw for page in pages for raw in page]
        return [state for raw in found if (state := _understood(raw))]


def dispute_state(raw: Raw) -> ChargebackState:
    """Translate a chargeback."""
    details = raw.get("evidence_details") or {}
    due = details.get("due_by")
    return ChargebackState(
        id=raw["id"],
        status=_dispute_status(raw),
        reason=raw.get("reason") or "",
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        payment_id=raw.get("payment_intent") or "",
        collection_id=raw.get("charge") or "",
        movements=[_movement(line) for line in raw.get("balance_transactions") or ()],
        evidence_due_at=datetime.fromtimestamp(due, UTC) if due else None,
        is_submitted=bool(details.get("submission_count")),
    )


def _movement(line: Raw) -> ChargebackMovement:
    return ChargebackMovement(
        id=line["id"],
        amount=currencies.from_stripe(line["amount"], line["currency"]),
        fee=currencies.from_stripe(line["fee"], line["currency"]),
    )


def _dispute_status(raw: Raw) -> ChargebackStatus:
    """Return the status of a chargeback; an unknown status counts as under review, so the money stays held."""
    try:
        return ChargebackStatus(raw["status"])
    except ValueError:
        log.warning("unknown dispute status", dispute=raw["id"], status=raw["status"])
        return ChargebackStatus.UNDER_REVIEW


def _understood(raw: Raw) -> ChargebackState | None:
    """Return the chargeback; None if its currency is unsupported, since such a payment is not ours."""
    try:
        return dispute_state(raw)
    except (Rejected, MoneyError):
        log.warning("dispute not representable", dispute=raw["id"], amount=raw["amount"], currency=raw["currency"])
        return None

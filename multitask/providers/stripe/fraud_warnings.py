"""Early fraud warnings of Stripe Radar."""

from datetime import datetime

import stripe

from multitask.payments.provider import FraudWarningState
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw


class FraudWarnings(Caller):
    """Calls about early fraud warnings."""

    def read_fraud_warning(self, warning_id: str) -> FraudWarningState:
        """Read a warning; its reason is Stripe's code."""
        return warning_state(self._read(lambda: self._client.v1.radar.early_fraud_warnings.retrieve(warning_id)))

    def list_fraud_warnings(self, *, since: datetime) -> list[FraudWarningState]:
        """List all warnings since then, newest first."""
        params: stripe.params.radar.EarlyFraudWarningListParams = {
            "limit": PAGE_SIZE,
            "created": {"gte": int(since.timestamp())},
        }
        pages = self._pages(lambda: self._client.v1.radar.early_fraud_warnings.list(params))
        return [warning_state(raw) for page in pages for raw in page]


def warning_state(raw: Raw) -> FraudWarningState:
    """Translate a warning."""
    return FraudWarningState(
        id=raw["id"],
        reason=raw["fraud_type"],
        payment_id=raw.get("payment_intent") or "",
        collection_id=raw.get("charge") or "",
        is_actionable=bool(raw["actionable"]),
    )

"""Transfers to connected accounts and their reversals, and payouts to banks."""

from datetime import UTC, datetime

import stripe

from multitask.money import Money
from multitask.payments.provider import (
    Failure,
    PayoutState,
    PayoutStatus,
    ReversalState,
    Search,
    TransferState,
    TransferStatus,
    Unknown,
    converted,
)
from multitask.providers.stripe import currencies, failure_messages
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw, made_since, reference_of
from multitask.providers.stripe.errors import DESTINATION_GONE
from multitask.text import masking

# These pass: the platform's funds settle, the account's owner answers what Stripe asks, or opens another account.
HELD_TRANSFERS = frozenset({"balance_insufficient", "insufficient_capabilities_for_transfer", DESTINATION_GONE})
# The account's owner has paid the money out, and earns again or not.
HELD_REVERSALS = frozenset({"balance_insufficient"})

_PAYOUT_STATUSES = {
    "pending": PayoutStatus.PENDING,
    "in_transit": PayoutStatus.IN_TRANSIT,
    "paid": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "canceled": PayoutStatus.CANCELLED,
}


class Transfers(Caller):
    """Calls about transfers, their reversals and payouts."""

    def create_transfer(
        self, *, reference: str, amount: Money, account_id: str, collection_id: str, key: str
    ) -> TransferState:
        """Transfer money to a connected account; with a charge as its source, even before the charge has settled."""
        params: stripe.params.TransferCreateParams = {
            "amount": currencies.to_stripe(amount),
            "currency": amount.currency.lower(),
            "destination": account_id,
            "metadata": {"reference": reference},
        }
        if collection_id:
            # Stripe copies the charge's transfer group, which is the payment's reference.
            params["source_transaction"] = collection_id
        else:
            params["transfer_group"] = reference
        return transfer_state(
            self._read(lambda: self._client.v1.transfers.create(params, {"idempotency_key": key}), held=HELD_TRANSFERS)
        )

    def read_transfer(self, transfer_id: str) -> TransferState:
        """Read a transfer with all its reversals."""
        return self._with_reversals(self._read(lambda: self._client.v1.transfers.retrieve(transfer_id)))

    def find_transfer(self, *, reference: str, account_id: str, since: datetime) -> Search[TransferState]:
        """Find the transfer to an account made for a reference."""
        params: stripe.params.TransferListParams = {
            "destination": account_id,
            "limit": PAGE_SIZE,
            "created": made_since(since),
        }
        return converted(self._find(lambda: self._client.v1.transfers.list(params), reference), transfer_state)

    def reverse_transfer(self, *, reference: str, transfer_id: str, amount: Money, key: str) -> TransferState:
        """Reverse a transfer or part of it; return the transfer as it is afterwards."""
        raw = self._read(
            lambda: self._client.v1.transfers.reversals.create(
                transfer_id,
                {
                    "amount": currencies.to_stripe(amount),
                    "metadata": {"reference": reference},
                    "expand": ["transfer"],
                },
                {"idempotency_key": key},
            ),
            held=HELD_REVERSALS,
        )
        return self._with_reversals(raw["transfer"])

    def _with_reversals(self, raw: Raw) -> TransferState:
        """Translate a transfer; those reversals that Stripe does not embed are listed."""
        embedded = raw.get("reversals") or {}
        if not embedded.get("has_more"):
            return transfer_state(raw)
        transfer_id = raw["id"]
        pages = self._pages(lambda: self._client.v1.transfers.reversals.list(transfer_id, {"limit": PAGE_SIZE}))
        return transfer_state({**raw, "reversals": {"data": [reversal for page in pages for reversal in page]}})

    def find_reversal(self, *, reference: str, transfer_id: str) -> Search[TransferState]:
        """Find the transfer of which a reversal was made for a reference."""
        first_page = lambda: self._client.v1.transfers.reversals.list(transfer_id, {"limit": PAGE_SIZE})  # noqa: E731
        return converted(self._find(first_page, reference), lambda _: self.read_transfer(transfer_id))

    def create_payout(self, *, reference: str, account_id: str, amount: Money, key: str) -> PayoutState:
        """Send money from a connected account to its owner's bank."""
        params: stripe.params.PayoutCreateParams = {
            "amount": currencies.payout_to_stripe(amount),
            "currency": amount.currency.lower(),
            "metadata": {"reference": reference},
        }
        options: stripe.RequestOptions = {"idempotency_key": key, "stripe_account": account_id}
        return payout_state(self._read(lambda: self._client.v1.payouts.create(params, options)), account_id)

    def cancel_payout(self, *, account_id: str, payout_id: str, key: str) -> PayoutState:
        """Cancel a payout that is still pending."""
        options: stripe.RequestOptions = {"idempotency_key": key, "stripe_account": account_id}
        return payout_state(self._read(lambda: self._client.v1.payouts.cancel(payout_id, None, options)), account_id)

    def read_payout(self, *, account_id: str, payout_id: str) -> PayoutState:
        """Read a payout of a connected account."""
        options: stripe.RequestOptions = {"stripe_account": account_id}
        return payout_state(self._read(lambda: self._client.v1.payouts.retrieve(payout_id, None, options)), account_id)

    def find_payout(self, *, reference: str, account_id: str, since: datetime) -> Search[PayoutState]:
        """Find the payout of a connected account made for a reference."""
        params: stripe.params.PayoutListParams = {"limit": PAGE_SIZE, "created": made_since(since)}
        options: stripe.RequestOptions = {"stripe_account": account_id}
        found = self._find(lambda: self._client.v1.payouts.list(params, options), reference)
        return converted(found, lambda raw: payout_state(raw, account_id))

    def payout_failure(self, code: str, message: str) -> Failure:
        """Explain a failed payout."""
        return failure_messages.payout(code, message)


def transfer_state(raw: Raw) -> TransferState:
    """Translate a transfer; Stripe gives it no status, so it has succeeded unless it was reversed."""
    return TransferState(
        id=raw["id"],
        status=TransferStatus.REVERSED if raw.get("reversed") else TransferStatus.SUCCEEDED,
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        reversed=currencies.from_stripe(raw.get("amount_reversed") or 0, raw["currency"]),
        account_id=raw.get("destination") or "",
        reference=reference_of(raw),
        reversals=[_reversal_state(reversal) for reversal in (raw.get("reversals") or {}).get("data") or ()],
    )


def _reversal_state(raw: Raw) -> ReversalState:
    return ReversalState(
        id=raw["id"],
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        reference=reference_of(raw),
    )


def payout_state(raw: Raw, account_id: str) -> PayoutState:
    """Translate a payout of a connected account."""
    status = _PAYOUT_STATUSES.get(raw["status"])
    if status is None:
        raise Unknown("unexpected_status", f"The payout {raw['id']} has the unknown status {raw['status']!r}.")
    code = raw.get("failure_code") or ""
    arrives = raw.get("arrival_date")
    return PayoutState(
        id=raw["id"],
        status=status,
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        account_id=account_id,
        reference=reference_of(raw),
        arrival_at=datetime.fromtimestamp(arrives, UTC) if arrives is not None else None,
        failure_code=code,
        failure_message=masking.sentence(raw.get("failure_message") or "")
        or (f"The bank said: {code.replace('_', ' ')}." if code else ""),
    )

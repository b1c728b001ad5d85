"""Fundings: payments that are exactly what their escrows wait for, written for one escrow or for many at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from multitask import ledger
from multitask.database import Statement
from multitask.money import Money
from multitask.payments.books import audit, postings
from multitask.payments.funding import payment_facts
from multitask.payments.models import Escrow, Payment
from multitask.payments.operations import references, routes
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider import PaymentStatus
from multitask.payments.states import EscrowState, PaymentState, require
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")
_WRITE: Final = Statement("SELECT payments_fund(%(at)s, %(funded)s::jsonb, %(audit)s::jsonb)")
# The columns of a payment that `payments_fund` writes, and its key.
_COLUMNS: Final = (
    "id",
    "provider_payment_id",
    "payer_token",
    "provider_collection_id",
    "provider_status",
    "received_minor",
    "received_currency",
    "fee_minor",
    "fee_currency",
    "available_at",
    "is_refundable",
    "failure_code",
    "failure_reason",
)


@dataclass(frozen=True, slots=True)
class Funding:
    """An escrow and its payment with their new values, and the postings: the money, and the provider's fee if known."""

    escrow: Escrow
    payment: Payment
    postings: list[ledger.Request]


def is_due(escrow: Escrow, payment: Payment, state: ProviderPayment) -> bool:
    """Return whether a payment funds its escrow: it was waited for, and the expected amount arrived, not converted."""
    received = state.received if state.received is not None else state.amount
    return (
        state.status is PaymentStatus.SUCCEEDED
        and payment.state == PaymentState.PENDING.value
        and escrow.escrow_state is EscrowState.PENDING_PAYMENT
        and received == Money(payment.amount_minor, payment.currency)
        and (state.settled is None or state.settled.currency == received.currency)
        and references.charge_id(payment, state) == state.id
    )


def decide(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> Funding:
    """Return the funding of a locked escrow by a locked payment of which `is_due` is true."""
    require(escrow.escrow_state, EscrowState.FUNDED)
    payment_facts.note(payment, state)
    payment.state = PaymentState.SUCCEEDED.value
    payment.received_minor, payment.received_currency = payment.amount_minor, payment.currency
    payment.succeeded_at = now
    payment.failure_code, payment.failure_reason = state.failure_code, state.failure_message
    escrow.state = EscrowState.FUNDED.value
    escrow.provider_payment_id = state.id
    escrow.funded_at = now
    longest = routes.longest_hold(escrow.currency, escrow.provider)
    escrow.hold_until_at = None if longest is None else now + longest
    posting = postings.fund(escrow, payment, _received(payment), now)
    return Funding(escrow, payment, [posting, *payment_facts.note_fee(payment, state, now)])


def write(fundings: Sequence[Funding], now: datetime) -> None:
    """Write fundings in two statements, all or none; the caller holds the locks of their escrows and payments."""
    if not fundings:
        return
    events = [
        audit.values("funded", actor=_SYSTEM, escrow=funding.escrow, amount=_received(funding.payment))
        for funding in fundings
    ]
    funded = json.dumps([_values(funding) for funding in fundings], default=str)
    _WRITE.rows({"at": now, "funded": funded, "audit": json.dumps(events)})
    ledger.post_many([posting for funding in fundings for posting in funding.postings])


def _values(funding: Funding) -> dict[str, Any]:
    escrow, payment = funding.escrow, funding.payment
    return {
        "escrow": escrow.pk,
        "milestone": escrow.milestone_id,
        "client": escrow.client_id,
        "reference": f"payment:{payment.pk}",
        "hold_until_at": escrow.hold_until_at,
        "payment": {name: getattr(payment, name) for name in _COLUMNS},
    }


def _received(payment: Payment) -> Money:
    return Money(payment.received_minor, payment.received_currency)

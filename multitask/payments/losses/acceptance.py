"""Accepting a chargeback: we tell the bank that we do not answer it, and it is lost, for good."""

from datetime import datetime
from typing import Any, Final

from multitask import database
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.losses import chargebacks
from multitask.payments.models import Approval, Chargeback, Escrow, Evidence, Operation
from multitask.payments.operations import engine
from multitask.payments.provider import (
    ABSENT,
    ChargebackState,
    ChargebackStatus,
    Disputes,
    Found,
    Provider,
    ProviderError,
    Search,
    supporting,
)
from multitask.users import powers
from multitask.users.actor import Actor, Power

ACCEPT_CHARGEBACK: Final = approvals.ACCEPT_CHARGEBACK
_SYSTEM: Final = Actor.system("provider")


@database.transactional
def accept(
    *, actor: Actor, chargeback_id: int, now: datetime, note: str = "", request_key: str = ""
) -> Chargeback | Approval:
    """Accept a chargeback that waits for an answer, as finance staff; a large one creates and returns an approval.

    A repeated call returns the chargeback. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ANSWER_CHARGEBACK, Forbidden("Only finance staff accepts chargebacks."))
    seen = Chargeback.objects.filter(pk=chargeback_id).first()
    if seen is None:
        raise NotFound("There is no such chargeback.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    chargeback = Chargeback.objects.select_for_update(no_key=True).get(pk=chargeback_id)
    if chargeback.accepted_at is not None:
        return chargeback
    _require_acceptable(chargeback)
    if approvals.is_large(escrow, chargeback.amount):
        arguments = {"chargeback_id": chargeback.pk, "amount_minor": chargeback.amount_minor, "note": note}
        return approvals.ask(
            approvals.ACCEPT_CHARGEBACK, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    return _begin(escrow, chargeback, actor, note, now)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Accept a chargeback after approval; the caller has locked the escrow."""
    chargeback = Chargeback.objects.select_for_update(no_key=True).get(pk=arguments["chargeback_id"], escrow=escrow)
    approvals.require_same_amount(arguments["amount_minor"], chargeback.amount)
    _require_acceptable(chargeback)
    if chargeback.accepted_at is None:
        _begin(escrow, chargeback, actor, arguments["note"], now)


def _require_acceptable(chargeback: Chargeback) -> None:
    if chargeback.status != ChargebackStatus.NEEDS_RESPONSE.value:
        raise WrongState("Only a chargeback that waits for our answer can be accepted.")
    if Evidence.objects.filter(chargeback=chargeback, is_submitting=True).exists():
        raise WrongState("The evidence is on its way to the bank.")


def _begin(escrow: Escrow, chargeback: Chargeback, actor: Actor, note: str, now: datetime) -> Chargeback:
    chargeback.accepted_at = now
    chargeback.save(update_fields=["accepted_at"])
    audit.record("chargeback_accepted", actor=actor, now=now, escrow=escrow, amount=chargeback.amount, note=note)
    latest = engine.latest(ACCEPT_CHARGEBACK, chargeback.pk)
    engine.begin(
        ACCEPT_CHARGEBACK,
        subject_id=chargeback.pk,
        provider=chargeback.provider,
        escrow=escrow,
        sequence=1 if latest is None else latest.sequence + 1,
        now=now,
        arguments={"dispute_id": chargeback.provider_dispute_id},
    )
    return chargeback


class AcceptChargeback:
    """Performs `accept_chargeback`."""

    def call(self, provider: Provider, operation: Operation) -> ChargebackState:
        """Close the chargeback as lost."""
        disputes = supporting(provider, Disputes)
        return disputes.accept_dispute(dispute_id=operation.arguments["dispute_id"], key=operation.key)

    def find(self, provider: Provider, operation: Operation) -> Search[ChargebackState]:
        """Return the chargeback if it is closed."""
        state = supporting(provider, Disputes).read_dispute(operation.arguments["dispute_id"])
        return Found(state) if state.status in chargebacks.CLOSED else ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Apply the chargeback's new state."""
        chargebacks.confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Let the chargeback be answered again."""
        assert operation.escrow_id is not None  # noqa: S101
        escrow = locks.lock_by_id(operation.escrow_id)
        Chargeback.objects.filter(pk=operation.subject_id).update(accepted_at=None)
        note = f"{error.code}: {error.message}"
        audit.record("chargeback_not_accepted", actor=_SYSTEM, now=now, escrow=escrow, note=note)

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""

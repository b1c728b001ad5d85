"""Retries of transfers that the provider refused, by finance staff."""

from datetime import datetime
from typing import Any

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.authorization.access import require_neutral
from multitask.payments.authorization.locks import lock_by_id
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, WrongState
from multitask.payments.models import Approval, Escrow, Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import transfers
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import OperationState
from multitask.users import powers
from multitask.users.actor import Actor, Power


@database.transactional
def retry(*, actor: Actor, escrow_id: int, now: datetime, note: str = "") -> bool | Approval:
    """Retry a transfer that the provider refused permanently, as finance staff; return False if none was refused.

    A large transfer creates and returns an approval instead. Raises NotFound, Forbidden, ProofNeeded or WrongState.
    """
    powers.require(actor, Power.RELEASE, Forbidden("Only finance staff can retry a transfer."))
    escrow = lock_by_id(escrow_id)
    require_neutral(actor, escrow)
    refused = _refused(escrow)
    if refused is None:
        return False
    share = transfers.outstanding(escrow)
    if not share.amount_minor:
        raise WrongState("Nothing is left to be transferred.")
    if approvals.is_large(escrow, share):
        arguments = {"amount_minor": share.amount_minor, "note": note}
        return approvals.ask(approvals.RETRY_TRANSFER, escrow, actor=actor, arguments=arguments, now=now)
    approvals.require_none_open(escrow)
    _retry(escrow, refused, actor, note, now)
    return True


def refused_share(escrow: Escrow) -> Money | None:
    """Return the amount of the transfer that the provider refused permanently, or None."""
    return None if _refused(escrow) is None else transfers.outstanding(escrow)


def _refused(escrow: Escrow) -> Operation | None:
    latest = engine.latest(CREATE_TRANSFER, escrow.pk)
    return latest if latest is not None and latest.state == OperationState.FAILED.value else None


def _retry(escrow: Escrow, refused: Operation, actor: Actor, note: str, now: datetime) -> None:
    audit.record("transfer_retried", actor=actor, now=now, escrow=escrow, note=note)
    # A payment of which something went back to the client may not cover the transfer any more.
    has_come_back = escrow.chargebacks.exists() or escrow.refunds.filter(source="released").exists()
    share = transfers.outstanding(escrow)
    transfers.begin(
        escrow,
        share,
        sequence=refused.sequence + 1,
        now=now,
        held=min(transfers.held_until(refused), share),
        is_from_balance=has_come_back,
    )


def carry_out_retry(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved retry of a transfer. Raises WrongState."""
    refused = _refused(escrow)
    if refused is None:
        raise WrongState("No transfer of this escrow was refused.")
    approvals.require_same_amount(arguments["amount_minor"], transfers.outstanding(escrow))
    _retry(escrow, refused, actor, arguments["note"], now)

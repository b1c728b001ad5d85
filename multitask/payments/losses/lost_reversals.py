"""Reversals that will never be made: what they should have brought back stays with the payee, and finance gives it up.

The loss behind such a reversal has taken the payee's share here, while the money still lies in their account at the
provider, or was paid out of it ahead. Finance decides who bears it: the payee owes it from then on, or it is a loss of
the platform.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit, loss_postings, postings, shares
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.losses import adjustments
from multitask.payments.models import Approval, Escrow, Loss, Receivable, Reversal
from multitask.payments.operations import engine
from multitask.payments.payouts import account_balances
from multitask.payments.payouts.transfers import CREATE_REVERSAL
from multitask.payments.states import OperationState, ReversalState
from multitask.users import powers
from multitask.users.actor import Actor, Power

GIVEN_UP: Final = "given_up"


class Bearer(StrEnum):
    """Who bears what a reversal should have brought back."""

    PAYEE = "payee"
    PLATFORM = "platform"
    # It was on its way to the payee's new account, is theirs, and stays in the former one.
    NOBODY = "nobody"


def choices(reversal: Reversal) -> tuple[Bearer, ...]:
    """Return who may be chosen to bear a reversal."""
    return (Bearer.NOBODY,) if reversal.is_move else (Bearer.PAYEE, Bearer.PLATFORM)


@database.transactional
def give_up(
    *, actor: Actor, reversal_id: int, bearer: Bearer, note: str, now: datetime, request_key: str = ""
) -> Reversal | Approval:
    """Give up a reversal that the provider refuses, as finance staff; a large one creates and returns an approval.

    One that is given up is returned. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff gives up a reversal."))
    seen = Reversal.objects.filter(pk=reversal_id).first()
    if seen is None:
        raise NotFound("There is no such reversal.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    earlier = approvals.asked(escrow, request_key)
    if earlier is not None:
        return earlier
    reversal = _locked(escrow, reversal_id)
    if reversal.given_up_at is not None:
        return reversal
    _require_possible(reversal, bearer, note)
    arguments = {
        "reversal_id": reversal.pk, "amount_minor": reversal.amount_minor, "bearer": bearer.value, "note": note
    }  # fmt: skip
    if approvals.is_large(escrow, reversal.amount):
        return approvals.ask(
            approvals.GIVE_UP_REVERSAL, escrow, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    approvals.require_none_open(escrow)
    return _give_up(escrow, reversal, bearer, actor, note, now)


def carry_out(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Give up a reversal after approval; the caller has locked the escrow. Raises WrongState."""
    reversal, bearer = _locked(escrow, arguments["reversal_id"]), Bearer(arguments["bearer"])
    _require_possible(reversal, bearer, arguments["note"])
    _give_up(escrow, reversal, bearer, actor, arguments["note"], now)


def can_be_given_up(reversal: Reversal) -> bool:
    """Return whether a reversal is refused, for good or for now, still has a reason, and its money is found."""
    try:
        _require_open(reversal)
        paid_ahead(reversal)
    except WrongState:
        return False
    return reversal.given_up_at is None


def _locked(escrow: Escrow, reversal_id: int) -> Reversal:
    rows = Reversal.objects.select_for_update(no_key=True, of=("self",)).select_related("transfer", "loss", "account")
    reversal = rows.get(pk=reversal_id)
    reversal.escrow = escrow
    return reversal


def _require_possible(reversal: Reversal, bearer: Bearer, note: str) -> None:
    if reversal.given_up_at is not None:
        raise WrongState("This reversal was given up already.")
    if not note.strip():
        raise WrongState("Giving up a reversal needs a reason.")
    if bearer not in choices(reversal):
        raise WrongState("Nobody bears money that stays the payee's; anything else is borne by somebody.")
    _require_open(reversal)
    # No withdrawal takes what the account holds meanwhile.
    shares.lock_accounts(reversal.escrow.freelancer_id)
    paid_ahead(reversal)


def paid_ahead(reversal: Reversal) -> Money:
    """Return how much of a reversal was paid out ahead, so that it does not lie in the account any more.

    What is the payee's own in the account stays theirs as long as what was paid out ahead is enough. Raises WrongState
    if the rest does not lie there.
    """
    zero = Money.zero(reversal.currency)
    if reversal.is_move:
        return zero
    own = ledger.balance(postings.available_account(reversal.escrow.freelancer_id).code, reversal.currency)
    beyond = account_balances.payable_from(reversal.account, reversal.currency, besides=reversal) - own
    missing = reversal.amount - max(min(beyond, reversal.amount), zero)
    ahead = min(missing, shares.all_paid_ahead(reversal.escrow.freelancer_id, reversal.currency))
    free = account_balances.free_in(reversal.account, reversal.currency, besides=reversal)
    if reversal.amount - ahead > free:
        raise WrongState("By our books the account holds less than this, and no more was paid out of it ahead.")
    return ahead


def _require_open(reversal: Reversal) -> None:
    if reversal.loss is not None and reversal.loss.reversed_at is not None:
        raise WrongState("The loss was reversed, so the payee keeps this money.")
    if reversal.transfer.state == OperationState.FAILED.value:
        raise WrongState("The transfer was never made, so there is nothing to give up.")
    latest = engine.latest(CREATE_REVERSAL, reversal.pk)
    # One that is still tried was refused for now: the money has left the account.
    is_refused_now = latest is not None and latest.state == OperationState.PENDING.value and latest.last_error_code
    if reversal.state != ReversalState.FAILED.value and not is_refused_now:
        raise WrongState("Only a reversal that the provider refuses can be given up.")


def _give_up(escrow: Escrow, reversal: Reversal, bearer: Bearer, actor: Actor, note: str, now: datetime) -> Reversal:
    reversal.ahead_minor = paid_ahead(reversal).amount_minor
    if reversal.state == ReversalState.PENDING.value:
        latest = engine.latest(CREATE_REVERSAL, reversal.pk)
        if latest is None or not engine.withdraw(latest, code=GIVEN_UP, now=now):
            raise WrongState("The reversal is being tried at this moment.")
        reversal.state, reversal.processed_at = ReversalState.FAILED.value, now
    reversal.given_up_at = now
    reversal.save(update_fields=["state", "processed_at", "given_up_at", "ahead_minor"])
    if bearer is Bearer.PAYEE:
        Receivable.objects.create(
            user_id=escrow.freelancer_id,
            reversal=reversal,
            currency=reversal.currency,
            amount_minor=reversal.amount_minor,
            created_at=now,
        )
    details = {"bearer": bearer.value}
    audit.record(
        "reversal_given_up", actor=actor, now=now, escrow=escrow, amount=reversal.amount, note=note, details=details
    )
    if bearer is not Bearer.NOBODY:
        loss_postings.give_up_reversal(reversal, is_owed=bearer is Bearer.PAYEE, now=now)
    return reversal


def undo(escrow: Escrow, loss: Loss, now: datetime) -> None:
    """Undo what was given up for a loss that did not last: the payee keeps what lies in their account or was paid out.

    What was recovered from later releases goes back to them. It comes before their share is freed, which pays what was
    paid out ahead. The caller holds the locks of escrow and payee.
    """
    for reversal in loss.reversals.exclude(given_up_at=None).order_by("pk"):
        row = Receivable.objects.select_for_update(no_key=True).filter(reversal=reversal).first()
        owed = recovered = Money.zero(reversal.currency)
        if row is not None:
            owed, recovered = row.owed, Money(row.recovered_minor, row.currency)
            row.cancelled_minor += owed.amount_minor
            row.save(update_fields=["cancelled_minor"])
        loss_postings.take_reversal_up(reversal, owed, recovered, now)
        reversal.ahead_minor = 0
        reversal.save(update_fields=["ahead_minor"])
        if recovered.amount_minor:
            adjustments.return_recovered(loss, escrow, recovered, now=now)

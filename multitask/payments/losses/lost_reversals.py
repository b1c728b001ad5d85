"""Reversals that will never be made: what they should have brought back stays with the payee, and finance gives it up.

The loss behind such a reversal has taken the payee's share here, while the money still lies in their account at the
provider, or was paid out of it ahead. Finance decides who bears it: the payee owes it from then on, or it is a loss of
the platform.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit, loss_postings, postings, shares
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import Approval, Escrow, Loss, Receivable, Reversal
from multitask.payments.operations import engine
from multitask.payments.payouts import account_balances, made_outside
from multitask.payments.payouts.transfers import CREATE_REVERSAL
from multitask.payments.states import OperationState, ReversalState
from multitask.users import powers
from multitask.users.actor import Actor, Power

GIVEN_UP: Final = "given_up"
_SYSTEM: Final = Actor.system("provider")


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
    if made_outside.replaces(reversal):
        raise WrongState("The money came back by a reversal that was made at the provider.")
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
    _book(escrow, reversal, bearer, actor, note, owed_since=now, now=now)
    return reversal


def _book(
    escrow: Escrow,
    reversal: Reversal,
    bearer: Bearer,
    actor: Actor,
    note: str,
    *,
    owed_since: datetime,
    now: datetime,
) -> Receivable | None:
    """Book who bears a reversal that was given up; return what the payee owes from then on."""
    debt = None
    if bearer is Bearer.PAYEE:
        debt = Receivable.objects.create(
            user_id=escrow.freelancer_id,
            reversal=reversal,
            currency=reversal.currency,
            amount_minor=reversal.amount_minor,
            created_at=owed_since,
        )
    details = {"bearer": bearer.value}
    audit.record(
        "reversal_given_up", actor=actor, now=now, escrow=escrow, amount=reversal.amount, note=note, details=details
    )
    if bearer is not Bearer.NOBODY:
        loss_postings.give_up_reversal(reversal, is_owed=bearer is Bearer.PAYEE, now=now)
    return debt


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """A given-up reversal whose loss did not last: what of it had been paid out ahead, and what the payee owed."""

    reversal: Reversal
    ahead: Money
    debt: Receivable | None

    @property
    def recovered(self) -> Money:
        """What later releases have paid of the debt."""
        return Money(self.debt.recovered_minor if self.debt is not None else 0, self.reversal.currency)


def given_up_of(escrow: Escrow, loss: Loss) -> Money:
    """Return how much of the payee's part of a loss was given up, in the escrow's currency.

    A loss in another currency is that of a converted payment, in which a payee has no part.
    """
    rows = loss.reversals.exclude(given_up_at=None)
    return Money(min(sum(rows.values_list("amount_minor", flat=True)), loss.payee_minor), escrow.currency)


def take_up(loss: Loss, now: datetime) -> list[TakenUp]:
    """Undo what was given up for a loss that did not last: the payee keeps what lies in their account or was paid out.

    What was recovered from later releases is pending for them. It comes before the share is freed, which pays what was
    paid out ahead. The caller holds the locks of escrow and payee.
    """
    return [_take_up(reversal, now) for reversal in loss.reversals.exclude(given_up_at=None).order_by("pk")]


def _take_up(reversal: Reversal, now: datetime) -> TakenUp:
    row = Receivable.objects.select_for_update(no_key=True).filter(reversal=reversal).first()
    owed = Money.zero(reversal.currency)
    if row is not None:
        owed = row.owed
        row.cancelled_minor += owed.amount_minor
        row.save(update_fields=["cancelled_minor"])
    taken_up = TakenUp(reversal=reversal, ahead=Money(reversal.ahead_minor, reversal.currency), debt=row)
    loss_postings.take_reversal_up(reversal, owed, taken_up.recovered, now)
    reversal.ahead_minor = 0
    reversal.save(update_fields=["ahead_minor"])
    return taken_up


def book_anew(
    escrow: Escrow, loss: Loss, former: Sequence[TakenUp], returned: Money, now: datetime
) -> list[tuple[Receivable, Receivable]]:
    """Give up for the loss that is booked anew what was given up for the former one, less what came back.

    Nobody decides again: it has the same bearer, is as old, and the reversal is not tried. What came back goes to the
    platform before the payee. Return each former debt with the one that replaces it.
    """
    debts, left = [], returned
    for each in sorted(former, key=lambda each: (each.debt is not None, -each.reversal.pk)):
        back = min(left, each.reversal.amount)
        left = left - back
        if back == each.reversal.amount:
            continue
        debt = _give_up_again(escrow, loss, each, each.reversal.amount - back, now)
        if each.debt is not None and debt is not None:
            debts.append((each.debt, debt))
    return debts


def _give_up_again(escrow: Escrow, loss: Loss, former: TakenUp, amount: Money, now: datetime) -> Receivable | None:
    before, debt = former.reversal, former.debt
    reversal = Reversal.objects.create(
        escrow=escrow,
        transfer=before.transfer,
        account=before.account,
        loss=loss,
        provider=before.provider,
        amount_minor=amount.amount_minor,
        currency=before.currency,
        state=ReversalState.FAILED.value,
        created_at=before.created_at,
        processed_at=before.processed_at,
        given_up_at=before.given_up_at,
        # What lies in the account goes back to the payee first, since only that can be theirs again.
        ahead_minor=min(former.ahead, amount).amount_minor,
    )
    bearer, since = (Bearer.PLATFORM, now) if debt is None else (Bearer.PAYEE, debt.created_at)
    note = "Given up before the loss was booked anew"
    return _book(escrow, reversal, bearer, _SYSTEM, note, owed_since=since, now=now)

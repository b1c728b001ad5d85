"""Explanations of open statement lines by finance staff: from suspense to the account that they belong to.

Every one needs a second person, whatever the amount: nothing at the provider says whose money it was.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db.models.functions import Now

from multitask import database, ledger
from multitask.ledger import AccountRef
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import audit, loss_postings, postings, statement_postings
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import Approval, StatementLine
from multitask.payments.states import LineState, require
from multitask.users import powers
from multitask.users.actor import Actor, Power


class Explanation(StrEnum):
    """What an unexplained line turned out to be."""

    PROCESSING_COST = "processing_cost"
    PLATFORM_LOSS = "platform_loss"
    OWN_MONEY = "own_money"
    EXCHANGE = "exchange"
    ADJUSTMENT = "adjustment"


ACCOUNTS: Final[Mapping[Explanation, Callable[[], AccountRef]]] = {
    Explanation.PROCESSING_COST: postings.costs_account,
    Explanation.PLATFORM_LOSS: loss_postings.losses_account,
    Explanation.OWN_MONEY: postings.own_bank_account,
    Explanation.EXCHANGE: postings.exchange_account,
    Explanation.ADJUSTMENT: loss_postings.adjustments_account,
}


@database.transactional
def explain(
    *, actor: Actor, line_id: int, explanation: Explanation, note: str, now: datetime, request_key: str = ""
) -> Approval:
    """Ask for the explanation of an open line, which a second member of the finance staff has to approve.

    A repeated `request_key` returns the same approval. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff can explain a line of the statement."))
    line = _locked(line_id)
    subject = f"statement_line:{line.pk}"
    earlier = approvals.asked_about(subject, request_key)
    if earlier is not None:
        return earlier
    _require_possible(actor, line, note)
    arguments = {
        "line_id": line.pk,
        "explanation": explanation.value,
        "note": note,
        "amount_minor": line.suspense_minor,
        "currency": line.currency,
    }
    return approvals.ask_about(
        approvals.EXPLAIN_LINE, subject, actor=actor, arguments=arguments, now=now, request_key=request_key
    )


def carry_out(arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved explanation. Raises WrongState if the line is not open any more or its amount changed."""
    line = _locked(arguments["line_id"])
    _require_possible(actor, line, arguments["note"])
    amount = Money(line.suspense_minor, line.currency)
    approvals.require_same_amount(arguments["amount_minor"], amount)
    explanation = Explanation(arguments["explanation"])
    require(LineState(line.state), LineState.EXPLAINED)
    ledger.post_many([statement_postings.explain(line.account, line, ACCOUNTS[explanation](), now)])
    line.state, line.note = LineState.EXPLAINED.value, arguments["note"]
    line.save()
    StatementLine.objects.filter(pk=line.pk).update(matched_at=Now())
    details = {"line": line.provider_line_id, "explanation": explanation.value}
    audit.record("line_explained", actor=actor, now=now, amount=amount, note=line.note, details=details)


def _locked(line_id: int) -> StatementLine:
    locked = StatementLine.objects.select_for_update(no_key=True, of=("self",)).select_related("account__account")
    line = locked.filter(pk=line_id).first()
    if line is None:
        raise NotFound("There is no such line.")
    return line


def _require_possible(actor: Actor, line: StatementLine, note: str) -> None:
    owner = line.account.account
    if owner is not None and actor.is_user(owner.user_id):
        raise Forbidden("You cannot explain a line of your own account.")
    if not note.strip():
        raise WrongState("An explanation needs a reason.")
    if line.state != LineState.OPEN.value:
        raise WrongState(f"This line is {line.state}: only an open one can be explained.")

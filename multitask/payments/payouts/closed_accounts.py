"""What becomes of money in closed accounts, of which the provider reports nothing: finance records it, with a reason.

Whoever records it has asked the account's owner or the provider's support. Above the limit for one member of the staff
a second person has to approve.
"""

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Now

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import audit, history, matching, postings, statement
from multitask.payments.errors import AmountTooLarge, Forbidden, NotFound, WrongState
from multitask.payments.models import Approval, ConnectedAccount, ProviderAccount, StatementLine, Withdrawal
from multitask.payments.operations import held_calls
from multitask.payments.payouts import account_balances, withdrawal_outcomes
from multitask.payments.payouts.withdrawal_outcomes import CREATE_PAYOUT
from multitask.payments.provider import LineKind
from multitask.payments.states import LineState, WithdrawalState
from multitask.users import powers
from multitask.users.actor import Actor, Power

NOT_MADE: Final = "payout_not_made"
RECORDED: Final = "payout_recorded"
_UNREPORTED: Final = "Recorded by finance staff: the provider does not report on a closed account"


@database.transactional
def decide(
    *, actor: Actor, withdrawal_id: int, is_paid: bool, note: str, now: datetime, request_key: str = ""
) -> Withdrawal | Approval:
    """Decide whether a withdrawal that is under way from a closed account was paid, as finance staff.

    If it was not, its money is in the owner's wallet again, and lies in the closed account. Return the withdrawal, or
    the approval that a second person has to give. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff decides about withdrawals."))
    withdrawal = _locked_withdrawal(withdrawal_id)
    subject = f"withdrawal:{withdrawal.pk}"
    earlier = approvals.asked_about(subject, request_key)
    if earlier is not None:
        return earlier
    _require_undecided(actor, withdrawal, note)
    arguments = {
        "withdrawal_id": withdrawal.pk,
        "is_paid": is_paid,
        "amount_minor": withdrawal.amount_minor,
        "currency": withdrawal.currency,
        "note": note,
    }
    if is_large(withdrawal.amount):
        return approvals.ask_about(
            approvals.DECIDE_WITHDRAWAL, subject, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    _decide(withdrawal, arguments, actor, now)
    return withdrawal


def carry_out_decision(arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved decision about a withdrawal. Raises WrongState if its outcome became known meanwhile."""
    withdrawal = _locked_withdrawal(arguments["withdrawal_id"])
    _require_undecided(actor, withdrawal, arguments["note"])
    _decide(withdrawal, arguments, actor, now)


def is_large(amount: Money) -> bool:
    """Return whether a second person has to approve."""
    return amount.amount_minor > settings.SECOND_PERSON_ABOVE_MINOR


def is_undecided(withdrawal: Withdrawal) -> bool:
    """Return whether a withdrawal is under way from an account that was closed."""
    account = withdrawal.account
    return account is not None and account.closed and withdrawal_outcomes.is_open(withdrawal)


def _locked_withdrawal(withdrawal_id: int) -> Withdrawal:
    if not Withdrawal.objects.filter(pk=withdrawal_id, account__closed=True).exists():
        raise NotFound("There is no such withdrawal from a closed account.")
    return withdrawal_outcomes.lock(withdrawal_id)


def _require_undecided(actor: Actor, withdrawal: Withdrawal, note: str) -> None:
    if actor.is_user(withdrawal.user_id):
        raise Forbidden("You cannot decide about your own withdrawal.")
    if not note.strip():
        raise WrongState("A decision needs a reason.")
    if not is_undecided(withdrawal):
        raise WrongState("The outcome of this withdrawal is known.")


def _decide(withdrawal: Withdrawal, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    _record("withdrawal_found_paid" if arguments["is_paid"] else "withdrawal_found_unpaid", withdrawal, actor, now,
            arguments["note"])  # fmt: skip
    if arguments["is_paid"]:
        withdrawal_outcomes.paid(withdrawal, now)
    else:
        withdrawal_outcomes.fail(withdrawal, NOT_MADE, "", now)
    withdrawal.save()
    reference = withdrawal.provider_payout_id or ""
    if not held_calls.end(
        CREATE_PAYOUT, withdrawal.pk, is_success=arguments["is_paid"], reference=reference, code=NOT_MADE, now=now
    ):
        raise WrongState("The payout is being tried at this moment.")
    found = _statement_of(withdrawal)
    if found is not None and reference:
        _match(found, withdrawal, reference, now)


def _statement_of(withdrawal: Withdrawal) -> ProviderAccount | None:
    """Return the account at the provider of a withdrawal, if its statement was ever read."""
    rows = ProviderAccount.objects.select_related("account").exclude(read_at=None)
    return rows.filter(account_id=withdrawal.account_id).first()


def _match(account: ProviderAccount, withdrawal: Withdrawal, source: str, now: datetime) -> None:
    """Match the lines of a withdrawal in its account's statement, which is not read any more.

    One that was not paid has come back to the account, of which the provider reports no line.
    """
    lines = statement.lines_of(account, [source])
    moved = sum((line.net for line in lines), Money.zero(withdrawal.currency))
    if withdrawal.state == WithdrawalState.FAILED.value and moved.amount_minor:
        statement.store_unreported(
            account, kind=LineKind.PAYOUT_FAILURE, source=source, amount=-moved, description=_UNREPORTED, now=now
        )
    matching.match(account=account, sources=[source], read=[source], now=now)


@database.transactional
def record_payout(
    *, actor: Actor, account_id: int, amount: Money, note: str, now: datetime, request_key: str = ""
) -> Withdrawal | Approval:
    """Record that the provider has paid out money that lay in a closed account to its owner, as finance staff.

    Return the payout, which its owner sees among the withdrawals, or the approval that a second person has to give.
    Raises Forbidden, ProofNeeded, NotFound, WrongState or AmountTooLarge.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff records payouts."))
    account = _locked_account(account_id)
    subject = f"account:{account.pk}"
    earlier = approvals.asked_about(subject, request_key)
    if earlier is not None:
        return earlier
    known = Withdrawal.objects.filter(user_id=account.user_id, request_key=f"recorded:{request_key}").first()
    if request_key and known is not None:
        return known
    _require_recordable(actor, account, amount, note)
    arguments = {
        "account_id": account.pk,
        "amount_minor": amount.amount_minor,
        "currency": amount.currency,
        "note": note,
        "request_key": f"recorded:{request_key}" if request_key else "",
    }
    if is_large(_recorded(account, amount.currency) + amount):
        return approvals.ask_about(
            approvals.RECORD_PAYOUT, subject, actor=actor, arguments=arguments, now=now, request_key=request_key
        )
    return _record_payout(account, arguments, actor, now)


def _recorded(account: ConnectedAccount, currency: str) -> Money:
    """Return what was recorded for an account so far, so that a large payout cannot be split into small ones.

    The caller holds the account's lock. The audit event marks a recorded payout among those made at the provider.
    """
    rows = Withdrawal.objects.filter(account=account, currency=currency, audit_events__event=RECORDED)
    return Money(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0, currency)


def carry_out_record(arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Record an approved payout. Raises WrongState or AmountTooLarge if the account holds less by now."""
    account = _locked_account(arguments["account_id"])
    _require_recordable(actor, account, Money(arguments["amount_minor"], arguments["currency"]), arguments["note"])
    _record_payout(account, arguments, actor, now)


def held(account: ConnectedAccount) -> list[Money]:
    """Return what lies in an account by our books and is not on its way out, one amount per currency."""
    code = postings.connected_account(account.provider, account.pk).code
    found = [account_balances.free_in(account, currency) for currency in sorted(ledger.currencies(code))]
    return [amount for amount in found if amount.amount_minor]


def _locked_account(account_id: int) -> ConnectedAccount:
    found = ConnectedAccount.objects.select_for_update(no_key=True).filter(pk=account_id).first()
    if found is None:
        raise NotFound("There is no such payout account.")
    return found


def _require_recordable(actor: Actor, account: ConnectedAccount, amount: Money, note: str) -> None:
    if actor.is_user(account.user_id):
        raise Forbidden("You cannot record a payout to yourself.")
    if not note.strip():
        raise WrongState("A record needs a reason.")
    if not account.closed:
        raise WrongState("The provider still reports the payouts of this account.")
    if amount.amount_minor <= 0:
        raise WrongState("Nothing was paid out.")
    there = account_balances.free_in(account, amount.currency)
    if amount > there:
        raise AmountTooLarge(fields={"amount": f"At most {there} lies in this account by our books."})


def _record_payout(account: ConnectedAccount, arguments: dict[str, Any], actor: Actor, now: datetime) -> Withdrawal:
    """Book a payout like one that was made at the provider; what was not available here was paid out ahead."""
    amount = Money(arguments["amount_minor"], arguments["currency"])
    available = ledger.balance(postings.available_account(account.user_id).code, amount.currency)
    ahead = max(amount - available, Money.zero(amount.currency))
    withdrawal = Withdrawal.objects.create(
        user_id=account.user_id,
        account=account,
        provider=account.provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        is_outside=True,
        ahead_minor=ahead.amount_minor,
        request_key=arguments["request_key"],
        created_at=now,
    )
    history.write(history.withdrawal_rows(withdrawal, now))
    _record(RECORDED, withdrawal, actor, now, arguments["note"])
    postings.reserve_withdrawal(withdrawal, now)
    withdrawal_outcomes.paid(withdrawal, now)
    withdrawal.save()
    found = _statement_of(withdrawal)
    if found is not None:
        line = statement.store_unreported(
            found, kind=LineKind.PAYOUT, source=f"withdrawal:{withdrawal.pk}", amount=-amount, description=_UNREPORTED,
            now=now,
        )  # fmt: skip
        StatementLine.objects.filter(pk=line.pk).update(state=LineState.MATCHED.value, matched_at=Now())
    return withdrawal


def _record(event: str, withdrawal: Withdrawal, actor: Actor, now: datetime, note: str) -> None:
    audit.record(
        event,
        actor=actor,
        now=now,
        withdrawal=withdrawal,
        user_id=withdrawal.user_id,
        amount=withdrawal.amount,
        note=note,
    )

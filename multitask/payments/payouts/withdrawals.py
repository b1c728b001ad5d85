"""Withdrawals: from the available balance to the freelancer's bank."""

import json
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from multitask import database, ledger
from multitask.database import Statement
from multitask.money import Money
from multitask.payments.authorization import locks, rate_limits
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import (
    AccountEnded,
    Forbidden,
    FundsInFormerAccount,
    InsufficientFunds,
    KeyReused,
    NoBankInCurrency,
    OnboardingIncomplete,
)
from multitask.payments.models import ConnectedAccount, Operation, Withdrawal
from multitask.payments.operations import amounts, queue, references, routes
from multitask.payments.payouts import account_balances, disbursements, withdrawal_outcomes
from multitask.payments.payouts.withdrawal_outcomes import CREATE_PAYOUT
from multitask.payments.provider import PayoutState as ProviderPayout
from multitask.payments.provider import PaysOut, Provider, ProviderError, RouteKind, Search, supporting
from multitask.users.actor import Actor

# The function is called once the account is locked, so it sees what the lock waited for.
_LOCK: Final = """
SELECT locked.*, next.earlier_id, next.new_id
  FROM (SELECT * FROM payments_connectedaccount
         WHERE user_id = %s AND provider = %s AND provider_account_id IS NOT NULL AND retired_at IS NULL
           FOR NO KEY UPDATE) AS locked
 CROSS JOIN LATERAL payments_next_withdrawal(locked.user_id, %s) AS next
"""
_WITHDRAW: Final = Statement("""
SELECT payments_withdraw(
    %(id)s, %(public_id)s, %(user)s, %(account)s, %(provider)s, %(amount)s, %(currency)s, %(request_key)s, %(at)s,
    %(history)s::jsonb, %(audit)s::jsonb, %(payout)s::jsonb)
""")


def create(*, actor: Actor, amount: Money, now: datetime, request_key: str = "") -> Withdrawal:
    """Withdraw from the available balance. A repeated `request_key` returns the same withdrawal.

    The route of the currency decides how: from the payee's account at the provider, or out of the budget. Raises
    Forbidden, InsufficientFunds, TooManyRequests, KeyReused or what `require_possible` or
    `disbursements.require_possible` raises.
    """
    try:
        return _create(actor, amount, now, request_key)
    except ledger.InsufficientBalance as error:
        raise InsufficientFunds from error


@database.transactional
def _create(actor: Actor, amount: Money, now: datetime, request_key: str) -> Withdrawal:
    if not actor.is_freelancer or actor.user_id is None:
        raise Forbidden("Only a freelancer can withdraw.")
    route = routes.find(amount.currency)
    if route is not None and route.kind is RouteKind.PLATFORM:
        return _create_from_budget(actor, actor.user_id, route.provider, amount, now, request_key)
    account = _locked_account(actor.user_id, request_key)
    if account.earlier_id is not None:
        return _same(Withdrawal.objects.get(pk=account.earlier_id), amount)
    require_possible(account, amount)
    require_in_account(account, amount)
    withdrawal = Withdrawal(
        pk=account.new_id,
        user_id=actor.user_id,
        account=account,
        provider=account.provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        request_key=request_key,
        created_at=now,
    )
    _count(withdrawal, now)
    _write(withdrawal, account, actor, now)
    postings.reserve_withdrawal(withdrawal, now)
    return withdrawal


def _write(withdrawal: Withdrawal, account: ConnectedAccount, actor: Actor, now: datetime) -> None:
    """Write everything but the posting in one statement: the withdrawal, the operation of its payout with its job."""
    payout = queue.first_operation(
        CREATE_PAYOUT,
        subject_id=withdrawal.pk,
        provider=withdrawal.provider,
        user_id=withdrawal.user_id,
        now=now,
        arguments={
            "account_id": account.provider_account_id,
            "amount_minor": withdrawal.amount_minor,
            "currency": withdrawal.currency,
        },
    )
    values = {
        "id": withdrawal.pk,
        "public_id": withdrawal.public_id,
        "user": withdrawal.user_id,
        "account": account.pk,
        "provider": withdrawal.provider,
        "amount": withdrawal.amount_minor,
        "currency": withdrawal.currency,
        "request_key": withdrawal.request_key,
        "at": now,
        "history": history.as_json(history.withdrawal_rows(withdrawal, now)),
        "audit": json.dumps([_requested(withdrawal, actor)]),
        "payout": json.dumps(payout),
    }
    _WITHDRAW.rows(values)
    withdrawal._state.adding = False


def _requested(withdrawal: Withdrawal, actor: Actor) -> dict[str, Any]:
    return audit.values(
        "withdrawal_requested",
        actor=actor,
        withdrawal_id=withdrawal.pk,
        user_id=withdrawal.user_id,
        amount=withdrawal.amount,
    )


def _create_from_budget(
    actor: Actor, user_id: int, provider: str, amount: Money, now: datetime, request_key: str
) -> Withdrawal:
    """Withdraw on a platform route: to the payee's destination, out of the budget."""
    locks.lock_payee(user_id, provider, is_on_platform=True)
    earlier = Withdrawal.objects.filter(user_id=user_id, request_key=request_key).first() if request_key else None
    if earlier is not None:
        return _same(earlier, amount)
    destination = disbursements.require_possible(user_id=user_id, provider=provider, amount=amount, now=now)
    withdrawal = Withdrawal.objects.create(
        user_id=user_id,
        provider=provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        request_key=request_key,
        created_at=now,
    )
    _count(withdrawal, now)
    disbursements.begin(destination, amount, provider=provider, withdrawal=withdrawal, user_id=user_id, now=now)
    history.write(history.withdrawal_rows(withdrawal, now))
    audit.write(_requested(withdrawal, actor), now)
    postings.reserve_withdrawal(withdrawal, now)
    return withdrawal


def _count(withdrawal: Withdrawal, now: datetime) -> None:
    purpose, key = rate_limits.Purpose.WITHDRAWAL, str(withdrawal.pk)
    rate_limits.count(user_id=withdrawal.user_id, purpose=purpose, key=key, now=now)


def _locked_account(user_id: int, request_key: str) -> Any:
    """Lock the user's account, so that concurrent requests with the same key run one after the other.

    It is a ConnectedAccount with two more attributes: `earlier_id`, the withdrawal that this key made, and `new_id`,
    the id of a new one. Raises OnboardingIncomplete.
    """
    values = [user_id, settings.PAYMENT_PROVIDER, request_key]
    # Again, since another account may have replaced the one that the first statement waited for.
    for _ in range(2):
        for account in ConnectedAccount.objects.raw(_LOCK, values):
            return account
    raise OnboardingIncomplete


def _same(earlier: Withdrawal, amount: Money) -> Withdrawal:
    """Return what the same request made before. Raises KeyReused for another amount."""
    if earlier.amount != amount:
        raise KeyReused
    return earlier


def require_possible(account: ConnectedAccount, amount: Money) -> None:
    """Require that an account can pay this amount out now.

    Raises AccountEnded, OnboardingIncomplete, NoBankInCurrency, AmountTooSmall or AmountTooPrecise.
    """
    if account.is_final:
        raise AccountEnded
    if not account.onboarding_completed:
        raise OnboardingIncomplete
    if not account.has_bank_for(amount.currency):
        raise NoBankInCurrency(f"Add a bank account in {amount.currency} to your payout account first.")
    amounts.require_payout(account.provider, amount)


def require_in_account(account: ConnectedAccount, amount: Money) -> None:
    """Require that the money lies in this account, not still in one that it has replaced.

    Raises FundsInFormerAccount. Only an account with a predecessor is asked for its balance.
    """
    if account.replaces_id is None:
        return
    payable = account_balances.payable_from(account, amount.currency)
    if amount > payable:
        raise FundsInFormerAccount(
            f"Only {payable} lies in your present payout account; the rest follows from your former one."
        )


class CreatePayout:
    """Performs `create_payout`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayout:
        """Create the payout."""
        wanted = operation.arguments
        return supporting(provider, PaysOut).create_payout(
            reference=operation.reference,
            account_id=wanted["account_id"],
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayout]:
        """Look for the payout of an earlier attempt."""
        return supporting(provider, PaysOut).find_payout(
            reference=operation.reference,
            account_id=operation.arguments["account_id"],
            since=references.earliest(operation),
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it; the payout is usually not paid yet."""
        withdrawal_outcomes.confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Make the money available again and record the reason."""
        withdrawal = withdrawal_outcomes.lock(operation.subject_id)
        withdrawal_outcomes.fail(withdrawal, error.code, error.message, now)
        withdrawal.save()

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""

"""Payouts that were made in a payee's account at the provider without a withdrawal of ours."""

from datetime import datetime
from typing import Final

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import UnknownObject
from multitask.payments.models import ConnectedAccount, Withdrawal
from multitask.payments.payouts import withdrawal_outcomes
from multitask.payments.provider import PayoutState as ProviderPayout
from multitask.payments.provider import PayoutStatus
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")


@database.transactional
def confirm(provider: str, state: ProviderPayout, now: datetime) -> None:
    """Apply the provider's state of a payout; one that we did not make is recorded first. Raises UnknownObject."""
    try:
        withdrawal_outcomes.confirm(provider, state, now)
    except UnknownObject:
        if not _record(provider, state, now):
            raise
        withdrawal_outcomes.confirm(provider, state, now)


def _record(provider: str, state: ProviderPayout, now: datetime) -> bool:
    """Record a payout from an account of ours that carries no reference of ours; return whether it was one.

    What was not available here counts as paid out ahead, and is netted when money becomes available.
    """
    if state.reference or state.status in {PayoutStatus.FAILED, PayoutStatus.CANCELLED}:
        return False
    accounts = ConnectedAccount.objects.select_for_update(no_key=True)
    account = accounts.filter(provider=provider, provider_account_id=state.account_id).first()
    if account is None:
        return False
    if Withdrawal.objects.filter(provider=provider, provider_payout_id=state.id).exists():
        return True
    available = ledger.balance(postings.available_account(account.user_id).code, state.amount.currency)
    ahead = max(state.amount - available, Money.zero(state.amount.currency))
    withdrawal = Withdrawal.objects.create(
        user_id=account.user_id,
        account=account,
        provider=provider,
        provider_payout_id=state.id,
        amount_minor=state.amount.amount_minor,
        currency=state.amount.currency,
        is_outside=True,
        ahead_minor=ahead.amount_minor,
        created_at=now,
    )
    history.write(history.withdrawal_rows(withdrawal, now))
    audit.record(
        "paid_out_outside",
        actor=_SYSTEM,
        now=now,
        withdrawal=withdrawal,
        user_id=account.user_id,
        amount=withdrawal.amount,
    )
    postings.reserve_withdrawal(withdrawal, now)
    return True

"""Previews of a withdrawal, before it is requested; the command itself decides."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.errors import InsufficientFunds, OnboardingIncomplete
from multitask.payments.models import ConnectedAccount
from multitask.payments.operations import amounts
from multitask.payments.payouts import onboarding, withdrawals
from multitask.users.actor import Actor

# How many business days a payout usually takes; the provider names the day once it is on its way.
_FASTEST: Final = 1
_SLOWEST: Final = 3
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Preview:
    """Amount, the fee taken from it, what reaches the bank and what stays, and between which days it arrives."""

    amount: Money
    fee: Money
    arrives: Money
    remaining: Money
    earliest: date
    latest: date


def available(user_id: int, currency: str) -> Money:
    """Return the available balance of a freelancer."""
    return ledger.balance(postings.available_account(user_id).code, currency)


def payable(account: ConnectedAccount | None, amount: Money) -> Money:
    """Return the most of `amount` that can be paid out: nothing without a bank account in its currency."""
    if account is None or not account.has_bank_for(amount.currency):
        return Money.zero(amount.currency)
    return amounts.largest_payout(account.provider, amount)


def withdrawal(*, actor: Actor, amount: Money, now: datetime, zone: ZoneInfo) -> Preview:
    """Return the preview of a withdrawal. Raises what the command would raise."""
    user_id = actor.user_id
    account = None if user_id is None else onboarding.account_of(user_id)
    if user_id is None or account is None:
        raise OnboardingIncomplete
    withdrawals.require_possible(account, amount)
    held = available(user_id, amount.currency)
    if amount > held:
        raise InsufficientFunds
    today = now.astimezone(zone).date()
    return Preview(
        amount=amount,
        fee=Money.zero(amount.currency),  # Payouts cost the freelancer nothing: the platform's share covers them.
        arrives=amount,
        remaining=held - amount,
        earliest=_business_days_after(today, _FASTEST),
        latest=_business_days_after(today, _SLOWEST),
    )


def _business_days_after(day: date, count: int) -> date:
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < _SATURDAY
    return day

"""What a withdrawal would do, shown before it is asked for; the command itself decides."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.errors import InsufficientFunds, OnboardingIncomplete
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
    """What a freelancer may withdraw."""
    return ledger.balance(postings.available_account(user_id).code, currency)


def payable(amount: Money) -> Money:
    """The most of `amount` that the provider can pay out to a bank."""
    return amounts.largest_payout(settings.PAYMENT_PROVIDER, amount)


def withdrawal(*, actor: Actor, amount: Money, now: datetime, zone: ZoneInfo) -> Preview:
    """Show what a withdrawal would do. Raises what stands against it, as the command would."""
    user_id = actor.user_id
    account = None if user_id is None else onboarding.account_of(user_id)
    if user_id is None or account is None or not account.onboarding_completed:
        raise OnboardingIncomplete
    withdrawals.require_undisputed(user_id)
    amounts.require_payout(account.provider, amount)
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

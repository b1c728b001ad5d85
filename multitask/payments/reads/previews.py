"""Previews of a withdrawal, before it is requested; the command itself decides."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.errors import InsufficientFunds, OnboardingIncomplete
from multitask.payments.models import ConnectedAccount, PayoutDestination
from multitask.payments.operations import amounts, routes
from multitask.payments.payouts import account_balances, disbursements, former_accounts, onboarding, withdrawals
from multitask.payments.provider import DestinationKind
from multitask.payments.reads import waiting_payouts
from multitask.users.actor import Actor

# How many business days a payout usually takes; the provider names the day once it is on its way.
_FASTEST: Final = 1
_SLOWEST: Final = 3
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Preview:
    """Amount, the fee taken from it, what reaches the bank and what stays, and between which days it arrives.

    On a platform route `destination` is where it goes, and `leaves_at` when its cool-down ends, None if it is over; the
    days are not known there.
    """

    amount: Money
    fee: Money
    arrives: Money
    remaining: Money
    earliest: date | None = None
    latest: date | None = None
    destination: PayoutDestination | None = None
    leaves_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """What of the available balance cannot be withdrawn now: it lies in a former account, or in one that is closed."""

    amount: Money
    is_former: bool
    is_closed: bool


def available(user_id: int, currency: str) -> Money:
    """Return the available balance of a freelancer."""
    return ledger.balance(postings.available_account(user_id).code, currency)


def payable(account: ConnectedAccount | None, amount: Money) -> Money:
    """Return the most of `amount` that can be paid out: nothing without a bank account in its currency."""
    if account is None or not account.has_bank_for(amount.currency):
        return Money.zero(amount.currency)
    return amounts.largest_payout(account.provider, amount - in_former_account(account, amount))


def payable_to(destination: PayoutDestination | None, provider: str, amount: Money) -> Money:
    """Return the most of `amount` that can be paid to a destination: nothing without one."""
    if destination is None or amount < least_payable_to(destination, provider):
        return Money.zero(amount.currency)
    most = amounts.most_disbursement(provider, DestinationKind(destination.kind), amount.currency)
    return amount if most is None else min(amount, most)


def least_payable_to(destination: PayoutDestination, provider: str) -> Money:
    """Return the least that can be paid to a destination."""
    return amounts.least_disbursement(provider, DestinationKind(destination.kind), destination.currency)


def unreachable(account: ConnectedAccount | None, available: Money) -> Unreachable | None:
    """Return what of the available balance cannot be withdrawn because of the account in which it lies, or None."""
    if account is None or not available.amount_minor:
        return None
    if account.closed:
        amount = min(available, account_balances.free_in(account, available.currency))
        return Unreachable(amount, is_former=False, is_closed=True) if amount.amount_minor else None
    amount = in_former_account(account, available)
    if not amount.amount_minor:
        return None
    return Unreachable(amount, is_former=True, is_closed=former_accounts.are_closed(account))


def in_former_account(account: ConnectedAccount, available: Money) -> Money:
    """Return how much of the available balance lies in an account that this one has replaced."""
    zero = Money.zero(available.currency)
    if not available.amount_minor or account.replaces_id is None:
        return zero
    return max(available - account_balances.payable_from(account, available.currency), zero)


def withdrawal(*, actor: Actor, amount: Money, now: datetime, zone: ZoneInfo) -> Preview:
    """Return the preview of a withdrawal. Raises what the command would raise."""
    user_id = actor.user_id
    if user_id is not None and waiting_payouts.is_on_platform(amount.currency):
        return _from_budget(user_id, amount, now)
    account = None if user_id is None else onboarding.account_of(user_id)
    if user_id is None or account is None:
        raise OnboardingIncomplete
    withdrawals.require_possible(account, amount)
    withdrawals.require_in_account(account, amount)
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


def _from_budget(user_id: int, amount: Money, now: datetime) -> Preview:
    """Return the preview of a withdrawal on a platform route."""
    destination = disbursements.require_possible(
        user_id=user_id, provider=routes.of(amount.currency).provider, amount=amount, now=now
    )
    held = available(user_id, amount.currency)
    if amount > held:
        raise InsufficientFunds
    return Preview(
        amount=amount,
        fee=Money.zero(amount.currency),
        arrives=amount,
        remaining=held - amount,
        destination=destination,
        leaves_at=destination.usable_from if destination.is_cooling_down(now) else None,
    )


def _business_days_after(day: date, count: int) -> date:
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < _SATURDAY
    return day

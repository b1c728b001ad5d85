"""What may be withdrawn in a currency, by the rules of its route, and what has to be done first."""

from dataclasses import dataclass
from datetime import datetime

from multitask.money import Money
from multitask.payments.models import ConnectedAccount, PayoutDestination
from multitask.payments.operations import amounts, routes
from multitask.payments.payouts import destination_choice, onboarding, refund_destinations
from multitask.payments.reads import previews, waiting_payouts


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalRules:
    """What may be withdrawn of the available balance.

    `missing` is what has to be done first: `ended`, `account` or `bank` where the payee has an account at the provider,
    else a reason of `destinations`; empty if nothing. `waits_until` is when a new destination can be paid to. `least`
    and `most` are None while something is missing. `needs_other_kind` is true where the destination takes nothing of
    the balance and one of another kind would.
    """

    available: Money
    missing: str
    is_on_platform: bool
    account: ConnectedAccount | None = None
    destination: PayoutDestination | None = None
    waits_until: datetime | None = None
    least: Money | None = None
    most: Money | None = None
    needs_other_kind: bool = False

    def largest(self, amount: Money) -> Money:
        """Return the most of an amount that can be paid out: banks take some currencies in whole steps only."""
        return amount if self.is_on_platform else previews.payable(self.account, amount)


def of(user_id: int, currency: str, now: datetime) -> WithdrawalRules:
    """Return the rules for a payee's available balance in a currency."""
    available = previews.available(user_id, currency)
    if waiting_payouts.is_on_platform(currency):
        return _from_budget(user_id, available, now)
    account = onboarding.account_of(user_id)
    if account is not None and account.is_final:
        return WithdrawalRules(available=available, missing="ended", is_on_platform=False, account=account)
    if account is None or not account.onboarding_completed:
        return WithdrawalRules(available=available, missing="account", is_on_platform=False, account=account)
    if not account.has_bank_for(currency):
        return WithdrawalRules(available=available, missing="bank", is_on_platform=False, account=account)
    return WithdrawalRules(
        available=available,
        missing="",
        is_on_platform=False,
        account=account,
        least=amounts.least_payout(account.provider, currency),
        most=previews.payable(account, available),
    )


def _from_budget(user_id: int, available: Money, now: datetime) -> WithdrawalRules:
    currency = available.currency
    missing = waiting_payouts.first_missing(user_id, currency, now)
    destination = destination_choice.of(user_id=user_id, currency=currency, now=now)
    if missing is not None or destination is None:
        return WithdrawalRules(available=available, missing=str(missing or "destination_missing"), is_on_platform=True)
    provider = routes.of(currency).provider
    least = previews.least_payable_to(destination, provider)
    return WithdrawalRules(
        available=available,
        missing="",
        is_on_platform=True,
        destination=destination,
        waits_until=destination.usable_from if destination.is_cooling_down(now) else None,
        least=least,
        most=previews.payable_to(destination, provider, available),
        needs_other_kind=refund_destinations.least(provider, currency) <= available < least,
    )

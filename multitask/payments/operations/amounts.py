"""Which amounts the route of a currency can move: checked before anything is promised, so that no money gets stuck."""

from multitask.money import Money
from multitask.payments.errors import (
    AmountTooLarge,
    AmountTooPrecise,
    AmountTooSmall,
    CurrencyUnsupported,
    PaymentError,
)
from multitask.payments.models import Escrow
from multitask.payments.operations import engine, routes
from multitask.payments.provider import AmountRules, DestinationKind, Disburses


def require_payable(price: Money) -> None:
    """Check that a price can be collected. Raises CurrencyUnsupported, AmountTooLarge, -TooSmall or -TooPrecise."""
    refusal = _refusal(price)
    if refusal is not None:
        raise refusal


def complaint(price: Money) -> str | None:
    """Return why a task cannot be priced at this amount, or None. Raises CurrencyUnsupported."""
    refusal = _refusal(price)
    if isinstance(refusal, CurrencyUnsupported):
        raise refusal
    return None if refusal is None else refusal.message


def _refusal(price: Money) -> PaymentError | None:
    route = routes.find(price.currency)
    if route is None:
        found = _unrouted(price.currency)
        return CurrencyUnsupported(found, fields={"currency": found})
    if route.maximum is not None and price > route.maximum:
        return AmountTooLarge(f"This can be at most {route.maximum}.")
    if price < route.minimum:
        return AmountTooSmall(f"This has to be at least {route.minimum}.")
    step = _rules(route.provider, price.currency).step
    return None if price.amount_minor % step == 0 else AmountTooPrecise(_whole_steps(price, step))


def _unrouted(currency: str) -> str:
    return f"Payments in {currency} are not possible here; use one of {', '.join(routes.currencies())}."


def share_step(currency: str) -> int:
    """Return what the shares of a new escrow are multiples of, in minor units. Raises CurrencyUnsupported."""
    return _rules(routes.of(currency).provider, currency).step


def require_movable(escrow: Escrow, amount: Money) -> None:
    """Check that a part of an escrow can leave it alone. Raises AmountTooPrecise."""
    if amount.amount_minor % escrow.share_step:
        found = _whole_steps(amount, escrow.share_step)
        raise AmountTooPrecise(found, fields={"amount": found})


def require_transferable(provider: str, amount: Money) -> None:
    """Check that the provider can transfer it to a payee's account. Raises AmountTooPrecise."""
    step = _rules(provider, amount.currency).step
    if amount.amount_minor % step:
        found = _whole_steps(amount, step)
        raise AmountTooPrecise(found, fields={"amount": found})


def require_payout(provider: str, amount: Money) -> None:
    """Check that the provider can pay it out to a bank.

    Raises AmountTooSmall, which names the minimum, or AmountTooPrecise, which names the nearest amount below.
    """
    rules = _rules(provider, amount.currency)
    if amount.amount_minor < rules.least_payout:
        found = f"The least that can be paid out is {Money(rules.least_payout, amount.currency)}."
        raise AmountTooSmall(found, fields={"amount": found})
    if amount.amount_minor % rules.payout_step:
        found = _whole_steps(amount, rules.payout_step)
        raise AmountTooPrecise(found, fields={"amount": found})


def require_disbursement(provider: str, kind: DestinationKind, amount: Money) -> None:
    """Check that the provider can pay it out to a destination of this kind. Raises AmountTooSmall or AmountTooLarge."""
    least = least_disbursement(provider, kind, amount.currency)
    if amount < least:
        found = f"The least that can be paid out there is {least}."
        raise AmountTooSmall(found, fields={"amount": found})
    most = most_disbursement(provider, kind, amount.currency)
    if most is not None and amount > most:
        found = f"The most that can be paid out there at once is {most}."
        raise AmountTooLarge(found, fields={"amount": found})


def least_disbursement(provider: str, kind: DestinationKind, currency: str) -> Money:
    """Return the least that the provider pays out to a destination of a kind."""
    return engine.provider_for(provider, Disburses).least_disbursement(kind, currency)


def most_disbursement(provider: str, kind: DestinationKind, currency: str) -> Money | None:
    """Return the most that the provider pays out at once to a destination of a kind; None without a known limit."""
    return engine.provider_for(provider, Disburses).most_disbursement(kind, currency)


def largest_payout(provider: str, amount: Money) -> Money:
    """Return the most of `amount` that the provider can pay out to a bank; zero when it is too little."""
    rules = _rules(provider, amount.currency)
    most = amount.amount_minor - amount.amount_minor % rules.payout_step
    return Money(most if most >= rules.least_payout else 0, amount.currency)


def least_payout(provider: str, currency: str) -> Money:
    """Return the least that the provider pays out to a bank."""
    return Money(_rules(provider, currency).least_payout, currency)


def _rules(provider: str, currency: str) -> AmountRules:
    return engine.provider_named(provider).amount_rules(currency)


def _whole_steps(amount: Money, step: int) -> str:
    below = Money(amount.amount_minor - amount.amount_minor % step, amount.currency)
    return f"The payment provider moves multiples of {Money(step, amount.currency)}; the nearest below is {below}."

"""What the provider can move: asked before anything is promised, so that no money gets stuck on its way."""

from django.conf import settings

from multitask.money import Money
from multitask.payments.errors import AmountTooLarge, AmountTooPrecise, AmountTooSmall, CurrencyUnsupported
from multitask.payments.models import Escrow
from multitask.payments.operations import engine


def complaint(price: Money) -> str | None:
    """Say why a task could not be paid at this price, or None."""
    rules = engine.default_provider().amount_rules(price.currency)
    if not rules.is_supported:
        return f"{price.currency} cannot be paid by card."
    if rules.most_charge is not None and price.amount_minor > rules.most_charge:
        return f"This can be at most {Money(rules.most_charge, price.currency)}."
    if price.amount_minor < rules.least_charge:
        return f"This has to be at least {Money(rules.least_charge, price.currency)}."
    return None if price.amount_minor % rules.step == 0 else _whole_steps(price, rules.step)


def share_step(currency: str) -> int:
    """What the shares of a new escrow are multiples of, in minor units."""
    return engine.provider_named(settings.PAYMENT_PROVIDER).amount_rules(currency).step


def require_payable(price: Money) -> None:
    """Insist that the provider can charge it. Raises CurrencyUnsupported or what is wrong with the amount."""
    told = complaint(price)
    if told is None:
        return
    rules = engine.default_provider().amount_rules(price.currency)
    if not rules.is_supported:
        raise CurrencyUnsupported(told)
    if rules.most_charge is not None and price.amount_minor > rules.most_charge:
        raise AmountTooLarge(told)
    raise (AmountTooSmall if price.amount_minor < rules.least_charge else AmountTooPrecise)(told)


def require_movable(escrow: Escrow, amount: Money) -> None:
    """Insist that a part of an escrow can leave it alone. Raises AmountTooPrecise."""
    if amount.amount_minor % escrow.share_step:
        told = _whole_steps(amount, escrow.share_step)
        raise AmountTooPrecise(told, fields={"amount": told})


def require_payout(provider: str, amount: Money) -> None:
    """Insist that the provider can pay it out to a bank. Raises AmountTooPrecise, which names the nearest below."""
    step = engine.provider_named(provider).amount_rules(amount.currency).payout_step
    if amount.amount_minor % step:
        told = _whole_steps(amount, step)
        raise AmountTooPrecise(told, fields={"amount": told})


def largest_payout(provider: str, amount: Money) -> Money:
    """The most of `amount` that the provider can pay out to a bank."""
    step = engine.provider_named(provider).amount_rules(amount.currency).payout_step
    return Money(amount.amount_minor - amount.amount_minor % step, amount.currency)


def _whole_steps(amount: Money, step: int) -> str:
    below = Money(amount.amount_minor - amount.amount_minor % step, amount.currency)
    return f"The payment provider moves multiples of {Money(step, amount.currency)}; the nearest below is {below}."

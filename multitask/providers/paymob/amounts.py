"""The only conversion of amounts: collecting counts piastres, payouts count pounds with two decimals.

A mistake between the two is a hundredfold one, so no other module of the adapter converts. Everything is exact: what
cannot be read as piastres is refused, never rounded, and a payout's answer has to repeat the amount that was asked for.
"""

import re
from decimal import Decimal
from typing import Final

from multitask.money import Money
from multitask.payments.provider import AmountRules, DestinationKind, Rejected, Unknown

CURRENCY: Final = "EGP"
# The least that can be paid out, in piastres, by the way of paying out.
LEAST_PAYOUT: Final = {
    DestinationKind.WALLET: 100,
    DestinationKind.BANK: 500,
    DestinationKind.INSTAPAY: 11_200,
}
# The most that can be paid out at once; for banks no limit is known.
MOST_PAYOUT: Final = {DestinationKind.WALLET: 6_000_000}
# Which of them programs of others know, while Paymob's documentation does not have them (secondary). What rests on
# them, docs/providers.md included, is marked from here.
SECONDARY_LEAST: Final = frozenset({DestinationKind.WALLET, DestinationKind.BANK})
SECONDARY_MOST: Final = frozenset({DestinationKind.WALLET})

_POUNDS: Final = re.compile(r"(?P<sign>-?)(?P<whole>[0-9]{1,15})(?:\.(?P<fraction>[0-9]{1,2})0*)?", re.ASCII)
_BUDGET: Final = re.compile(r"your current budget is (-?[0-9][0-9,]*(?:\.[0-9]+)?) (?:LE|EGP)\.?", re.ASCII | re.I)
_GROUPED: Final = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", re.ASCII)


def rules(currency: str) -> AmountRules:
    """Return the rules for amounts; Paymob publishes no bounds for charges, so the least is ours.

    `least_payout` is that of the way with the smallest one; `require_payout` checks those of each way.
    """
    if currency != CURRENCY:
        return AmountRules(is_supported=False)
    smallest = min(LEAST_PAYOUT, key=LEAST_PAYOUT.__getitem__)
    secondary = {"least_payout"} if smallest in SECONDARY_LEAST else set[str]()
    return AmountRules(least_charge=100, least_payout=LEAST_PAYOUT[smallest], secondary=frozenset(secondary))


def to_piastres(amount: Money) -> int:
    """Return a positive amount as collecting writes it. Raises Rejected."""
    _require_egyptian(amount)
    if amount.amount_minor < 1:
        raise Rejected("amount_too_small", "The amount has to be positive.")
    return amount.amount_minor


def charge_to_piastres(amount: Money) -> int:
    """Return an amount to charge as collecting writes it. Raises Rejected."""
    _require_egyptian(amount)
    least = rules(CURRENCY).least_charge
    if amount.amount_minor < least:
        raise Rejected("amount_too_small", f"A payment must be at least {Money(least, CURRENCY)}.")
    return amount.amount_minor


def from_piastres(value: object) -> Money | None:
    """Return an amount of collecting, a whole number of piastres as a number or a text; None for anything else."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        value = int(value)
    return Money(value, CURRENCY) if type(value) is int else None


def require_payout(amount: Money, kind: DestinationKind) -> None:
    """Check the bounds of a payout. Raises Rejected with `amount_too_small` or `amount_too_large`."""
    _require_egyptian(amount)
    least, most = LEAST_PAYOUT[kind], MOST_PAYOUT.get(kind)
    if amount.amount_minor < least:
        raise Rejected("amount_too_small", f"A payout of this kind must be at least {Money(least, CURRENCY)}.")
    if most is not None and amount.amount_minor > most:
        raise Rejected("amount_too_large", f"A payout of this kind can be at most {Money(most, CURRENCY)}.")


def to_pounds(amount: Money) -> str:
    """Return a positive amount as payouts write it: 12345 piastres are "123.45". Raises Rejected."""
    piastres = to_piastres(amount)
    return f"{piastres // 100}.{piastres % 100:02}"


def from_pounds(value: object) -> Money | None:
    """Return an amount of payouts, pounds as a number or a text; None for anything else, fractions of piastres too.

    Numbers of a JSON body have to be read as `int` and `Decimal`: a float is refused.
    """
    if type(value) is int or isinstance(value, Decimal):
        value = f"{value:f}" if isinstance(value, Decimal) else str(value)
    found = _POUNDS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    piastres = int(found["whole"]) * 100 + int((found["fraction"] or "").ljust(2, "0"))
    return Money(-piastres if found["sign"] else piastres, CURRENCY)


def from_budget(sentence: object) -> Money:
    """Return the amount in the sentence "Your current budget is 888.25 LE". Raises Unknown for any other sentence."""
    found = _BUDGET.fullmatch(sentence.strip()) if isinstance(sentence, str) else None
    written = found.group(1) if found else ""
    if "," in written:
        written = written.replace(",", "") if _GROUPED.fullmatch(written) else ""
    amount = from_pounds(written)
    if amount is None:
        raise Unknown("unexpected_budget", "The payment provider described the budget in words that are not known.")
    return amount


def _require_egyptian(amount: Money) -> None:
    if amount.currency != CURRENCY:
        raise Rejected("amount_not_representable", f"The payment provider cannot move exactly {amount}.")

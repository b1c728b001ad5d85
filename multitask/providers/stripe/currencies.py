"""Stripe's integers and our ISO 4217 minor units, which differ for a dozen currencies.

Everything is exact: what the other side cannot represent is refused, never rounded.
"""

from fractions import Fraction
from typing import Final

from multitask.money import Currency, Money
from multitask.payments.provider import AmountRules, Rejected

# Stripe counts these in whole units; ISO 4217 gives the ariary (MGA) two decimals.
_ZERO_DECIMAL: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
# ISO 4217 gives these none, Stripe counts them in hundredths that are always zero.
_COUNTED_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
# The last of three decimals must be zero.
_THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Paid out by hand in whole units only.
_WHOLE_UNIT_PAYOUTS: Final = frozenset({"HUF", "TWD"})
_OTHERS_WORDS: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC
    CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR
    KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK
    PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX USD
    UYU UZS WST XCD YER ZAR ZMW
"""
_CHARGED: Final = _ZERO_DECIMAL | _THREE_DECIMAL | frozenset(_OTHERS_WORDS.split())
# The least charge, in our minor units, of the currencies for which Stripe publishes one.
_LEAST_CHARGE: Final = {
    **dict.fromkeys(("USD", "EUR", "CAD", "AUD", "CHF", "BRL", "INR", "NZD", "SGD"), 50),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("AED", "PLN", "RON", "MYR"), 200),
    "BGN": 100,
    "CZK": 1500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
    "JPY": 50,
    "MXN": 1000,
    "THB": 1000,
}
# Stripe takes charges of eight digits at most, in its own integers; of rupiah twelve.
_MOST_CHARGE: Final = 99_999_999
_MOST_CHARGE_OF: Final = {"IDR": 999_999_999_999}


def to_stripe(amount: Money) -> int:
    """Return a positive amount in Stripe's integers.

    Raises Rejected with code `amount_not_representable` when Stripe has no such amount.
    """
    scaled, rest = divmod(amount.amount_minor * _stripe_unit(amount.currency), _our_unit(amount.currency))
    if rest or scaled % _step(amount.currency):
        raise _not_representable(amount)
    return scaled


def charge_to_stripe(amount: Money) -> int:
    """Return an amount to charge in Stripe's integers. Raises Rejected with code `amount_too_small`."""
    least = _LEAST_CHARGE.get(amount.currency, 1)
    if amount.amount_minor < least:
        raise Rejected("amount_too_small", f"A payment must be at least {Money(least, amount.currency)}.")
    return to_stripe(amount)


def payout_to_stripe(amount: Money) -> int:
    """Return an amount to pay out in Stripe's integers; two currencies are paid out in whole units only."""
    least = _least_payout(amount.currency)
    if amount.amount_minor < least:
        raise Rejected("amount_too_small", f"A payout must be at least {Money(least, amount.currency)}.")
    scaled = to_stripe(amount)
    if amount.currency in _WHOLE_UNIT_PAYOUTS and scaled % 100:
        raise _not_representable(amount)
    return scaled


def rules(currency: str) -> AmountRules:
    """Return the same rules in our minor units, for checks before a call."""
    step = Fraction(_step(currency) * _our_unit(currency), _stripe_unit(currency))
    ours = max(1, step.numerator)
    whole = _our_unit(currency) if currency in _WHOLE_UNIT_PAYOUTS else ours
    return AmountRules(
        is_supported=currency in _CHARGED,
        least_charge=_LEAST_CHARGE.get(currency, 1),
        most_charge=_MOST_CHARGE_OF.get(currency, _MOST_CHARGE) * _our_unit(currency) // _stripe_unit(currency),
        step=ours,
        least_payout=_least_payout(currency),
        payout_step=whole,
    )


def _least_payout(currency: str) -> int:
    """Return the least payout from a connected account: one major unit."""
    return max(1, _our_unit(currency))


def from_stripe(amount: int, currency: str) -> Money:
    """Convert Stripe's integer, which may be negative, to our minor units; `currency` in any case."""
    code = currency.upper()
    scaled, rest = divmod(amount * _our_unit(code), _stripe_unit(code))
    if rest:
        raise Rejected("amount_not_representable", f"The payment provider named a fraction of the least {code}.")
    return Money(scaled, code)


def _our_unit(currency: str) -> int:
    """Return the number of our minor units per major unit."""
    unit: int = 10 ** Currency.of(currency).decimals
    return unit


def _stripe_unit(currency: str) -> int:
    """Return the number of Stripe's units per major unit."""
    if currency in _ZERO_DECIMAL:
        return 1
    if currency in _COUNTED_IN_HUNDREDTHS:
        return 100
    return _our_unit(currency)


def _step(currency: str) -> int:
    """Return the step that Stripe's integer must be a multiple of."""
    if currency in _COUNTED_IN_HUNDREDTHS:
        return 100
    return 10 if currency in _THREE_DECIMAL else 1


def _not_representable(amount: Money) -> Rejected:
    return Rejected("amount_not_representable", f"The payment provider cannot move exactly {amount}.")

"""Money: an exact amount of one currency, counted in its minor unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final, Self

from babel.core import Locale, get_global
from babel.numbers import format_currency

from multitask.errors import DomainError

# The database keeps amounts as bigint; the range is symmetric so that every amount has a negative.
MAX_MINOR: Final = 2**63 - 1

# ISO 4217 minor units; every currency that is not listed has two. CLDR's own digits (what Babel
# formats with) differ for a dozen currencies whose small coins are out of use, so they do not serve.
_MINOR_DIGITS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# A currency that went out of use later stays known, since old books are still read.
_KNOWN_SINCE_YEAR: Final = 2020

# The most digits that an amount within bounds can have before its point.
_MAX_WHOLE_DIGITS: Final = 19
_MOST_DECIMALS: Final = 4
_DECIMAL: Final = re.compile(r"(?P<sign>-?)(?P<whole>0|[1-9][0-9]*)(?:\.(?P<fraction>[0-9]+))?", re.ASCII)


_TO_THE_RIGHT, _TO_THE_LEFT = "\u200e", "\u200f"


def _held_together(sign: str, written: str) -> str:
    """Keep "-" before its digits and "US$" in one piece where text runs from the right to the left."""
    number, space, symbol = written.strip(_TO_THE_RIGHT + _TO_THE_LEFT).partition("\xa0")
    return f"{_TO_THE_LEFT}{_TO_THE_RIGHT}{sign}{number}{_TO_THE_LEFT}{space}{symbol}{_TO_THE_RIGHT}"


class MoneyError(DomainError):
    """An amount or a currency that cannot be used as money."""

    code = "amount_invalid"
    message = "The amount is not valid."


class AmountInvalid(MoneyError):
    """Not written as a plain decimal number."""

    message = 'Write the amount as a plain decimal number, like "85.00".'


class AmountTooPrecise(MoneyError):
    """More decimals than the currency has."""

    code = "amount_too_precise"
    message = "The amount has more decimals than its currency."


class AmountTooSmall(MoneyError):
    """Less than the smallest amount that is accepted."""

    code = "amount_too_small"
    message = "The amount is too small."


class AmountTooLarge(MoneyError):
    """More than can be kept."""

    code = "amount_too_large"
    message = "The amount is too large."


class CurrencyUnknown(MoneyError):
    """Not the code of a currency in use."""

    code = "currency_unknown"
    message = "The currency is not a known ISO 4217 code."


class CurrencyMismatch(MoneyError):
    """Two currencies where one is needed."""

    code = "currency_mismatch"
    message = "The amounts are in different currencies."


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 currency: its three-letter code and how many decimals its minor unit has."""

    code: str
    decimals: int

    @classmethod
    def of(cls, code: str) -> "Currency":
        """Look up a currency by its code in capitals; raise CurrencyUnknown for anything else."""
        known = _currencies().get(code) if isinstance(code, str) else None
        if known is None:
            raise CurrencyUnknown
        return known

    @classmethod
    def all(cls) -> tuple["Currency", ...]:
        """Every known currency, by code."""
        return tuple(_currencies().values())


@cache
def _currencies() -> dict[str, Currency]:
    """The currencies that are legal tender somewhere, or were in recent years, and ISO's units of account."""
    tender = {
        code
        for periods in get_global("territory_currencies").values()
        for code, _start, end, is_tender in periods
        if is_tender and (end is None or end[0] >= _KNOWN_SINCE_YEAR)
    }
    codes = sorted(tender | _MINOR_DIGITS.keys())
    return {code: Currency(code, _MINOR_DIGITS.get(code, 2)) for code in codes}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents for USD, yen for JPY) of one currency; may be negative."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse what is not a whole number of minor units, within bounds, of a known currency."""
        if type(self.amount_minor) is not int:
            raise AmountInvalid("An amount of money is a whole number of minor units.")
        if abs(self.amount_minor) > MAX_MINOR:
            raise AmountTooLarge
        Currency.of(self.currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in a currency."""
        return cls(0, currency)

    @classmethod
    def parse(cls, value: str | Decimal | int, currency: str, *, minimum_minor: int = 1) -> Self:
        """Read an amount in major units exactly as written, at least `minimum_minor`.

        A string or Decimal such as "85.00", or a whole number of major units. Raises a MoneyError
        for signs, exponents, spaces, separators, NaN, booleans and floats, for more decimals than
        the currency has (zeros too), and for amounts out of range.
        """
        decimals = Currency.of(currency).decimals
        sign, whole, fraction = _digits(value)
        if len(fraction) > decimals:
            raise AmountTooPrecise(f"{currency} amounts have at most {decimals} decimals.")
        if len(whole) > _MAX_WHOLE_DIGITS:
            raise AmountTooSmall if sign else AmountTooLarge
        amount_minor = int(whole + fraction.ljust(decimals, "0"))
        if sign or amount_minor < minimum_minor:
            raise AmountTooSmall
        return cls(amount_minor, currency)

    @property
    def decimals(self) -> int:
        """How many decimals the amount has in major units."""
        return Currency.of(self.currency).decimals

    def to_major_string(self) -> str:
        """Write the amount in major units with all decimals of its currency, like "85.00"."""
        digits = str(abs(self.amount_minor)).zfill(self.decimals + 1)
        point = len(digits) - self.decimals
        text = f"{digits[:point]}.{digits[point:]}" if self.decimals else digits
        return f"-{text}" if self.amount_minor < 0 else text

    def localized(self, locale: str, sign: str = "") -> str:
        """Write the amount with its currency as a language does: "$1,250.00", all decimals shown.

        A sign that is given stands before the number.
        """
        spelled = Locale.parse(locale, sep="-" if "-" in locale else "_")
        exact = Decimal(self.to_major_string())
        written = str(format_currency(exact, self.currency, locale=spelled, decimal_quantization=False))
        return _held_together(sign, written) if spelled.text_direction == "rtl" else sign + written

    def allocate(self, weights: Sequence[int]) -> tuple[Self, ...]:
        """Split by whole-number weights into parts that add up exactly.

        Each part gets its share rounded towards zero; the units left over go, one each, to the
        parts that lost most by rounding, the earlier first. Raises ValueError for weights that
        are negative, not whole, or all zero.
        """
        if any(type(weight) is not int or weight < 0 for weight in weights) or sum(weights) == 0:
            raise ValueError("weights are whole numbers, none negative and not all zero")
        total, units = sum(weights), abs(self.amount_minor)
        shares = [units * weight // total for weight in weights]
        by_loss = sorted(range(len(weights)), key=lambda part: -(units * weights[part] % total))
        for part in by_loss[: units - sum(shares)]:
            shares[part] += 1
        sign = -1 if self.amount_minor < 0 else 1
        return tuple(type(self)(sign * share, self.currency) for share in shares)

    def __add__(self, other: "Money") -> "Money":
        """Add an amount of the same currency."""
        return Money(self.amount_minor + self._same_currency(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """Take away an amount of the same currency."""
        return Money(self.amount_minor - self._same_currency(other), self.currency)

    def __neg__(self) -> "Money":
        """The same amount the other way."""
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        """Whether this is less; raises CurrencyMismatch across currencies, as all comparisons of size do."""
        return self.amount_minor < self._same_currency(other)

    def __le__(self, other: "Money") -> bool:
        """Whether this is at most the other."""
        return self.amount_minor <= self._same_currency(other)

    def __gt__(self, other: "Money") -> bool:
        """Whether this is more."""
        return self.amount_minor > self._same_currency(other)

    def __ge__(self, other: "Money") -> bool:
        """Whether this is at least the other."""
        return self.amount_minor >= self._same_currency(other)

    def __str__(self) -> str:
        """For logs and messages, like "85.00 USD"."""
        return f"{self.to_major_string()} {self.currency}"

    def _same_currency(self, other: "Money") -> int:
        """The minor units of another amount of this currency."""
        if not isinstance(other, Money):
            raise TypeError(f"money cannot be combined with {type(other).__name__}")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix.")
        return other.amount_minor


def _digits(value: str | Decimal | int) -> tuple[str, str, str]:
    """Sign, whole digits and decimals of a number as it was written; raise AmountInvalid otherwise."""
    if type(value) is int:
        if abs(value) > MAX_MINOR:  # Before it is written out: Python refuses to print huge integers.
            raise AmountTooSmall if value < 0 else AmountTooLarge
        return _digits(str(value))
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or exponent > 0:  # NaN and infinities; 1E+2
            raise AmountInvalid
        if exponent < -_MOST_DECIMALS:  # Before it is written out: 1E-999999 is a megabyte of zeros.
            raise AmountTooPrecise
        return _digits(format(value, "f"))
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise AmountInvalid
    return match["sign"], match["whole"], match["fraction"] or ""

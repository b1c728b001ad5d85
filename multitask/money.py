"""Money: an exact amount in one currency, counted in minor units."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final, Self

from babel.core import Locale, get_global
from babel.numbers import format_currency

from multitask.errors import DomainError
from multitask.text import amounts

# The database keeps amounts as bigint; the range is symmetric so that every amount has a negative.
MAX_MINOR: Final = 2**63 - 1

# The number of decimals by ISO 4217; every currency that is not listed has two. The digits of CLDR, which Babel uses,
# cannot be used: they differ for a dozen currencies whose small coins are no longer in circulation.
_MINOR_DIGITS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# Currencies that were still in use in this year stay known, since old entries are still read.
_KNOWN_SINCE_YEAR: Final = 2020

# The largest number of digits before the decimal point.
_MAX_WHOLE_DIGITS: Final = 19
_MOST_DECIMALS: Final = 4
_DECIMAL: Final = re.compile(r"(?P<sign>-?)(?P<whole>0|[1-9][0-9]*)(?:\.(?P<fraction>[0-9]+))?", re.ASCII)


_TO_THE_RIGHT, _TO_THE_LEFT = "\u200e", "\u200f"
# Around an amount in right-to-left text, so that what stands beside it does not move its parts.
_ISOLATE, _END = "\u2067", "\u2069"


def _held_together(sign: str, written: str) -> str:
    """In right-to-left text, keep "-" before the digits and "US$" together, apart from the text around.

    An abbreviation loses the full stop at its end, which would double that of a sentence.
    """
    number, space, symbol = written.strip(_TO_THE_RIGHT + _TO_THE_LEFT).partition("\xa0")
    symbol = symbol.rstrip(".")
    amount = f"{_TO_THE_LEFT}{_TO_THE_RIGHT}{sign}{number}{_TO_THE_LEFT}{space}{symbol}{_TO_THE_RIGHT}"
    return f"{_ISOLATE}{amount}{_END}"


class MoneyError(DomainError):
    """An invalid amount or currency."""

    code = "amount_invalid"
    message = "The amount is not valid."


class AmountInvalid(MoneyError):
    """The amount is not a plain decimal number."""

    message = 'Write the amount as a plain decimal number, like "85.00".'


class AmountTooPrecise(MoneyError):
    """The amount has more decimals than the currency."""

    code = "amount_too_precise"
    message = "The amount has more decimals than its currency."


class AmountTooSmall(MoneyError):
    """The amount is below the minimum."""

    code = "amount_too_small"
    message = "The amount is too small."


class AmountTooLarge(MoneyError):
    """The amount is above the largest that the database can store."""

    code = "amount_too_large"
    message = "The amount is too large."


class CurrencyUnknown(MoneyError):
    """The code is not one of a known currency."""

    code = "currency_unknown"
    message = "The currency is not a known ISO 4217 code."


class CurrencyMismatch(MoneyError):
    """Amounts in different currencies cannot be combined."""

    code = "currency_mismatch"
    message = "The amounts are in different currencies."


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 currency: its three-letter code, and the number of decimals of an amount in major units."""

    code: str
    decimals: int

    @classmethod
    def of(cls, code: str) -> "Currency":
        """Return the currency with this code, in capital letters. Raises CurrencyUnknown."""
        known = _currencies().get(code) if isinstance(code, str) else None
        if known is None:
            raise CurrencyUnknown
        return known

    @classmethod
    def all(cls) -> tuple["Currency", ...]:
        """Return all known currencies, sorted by code."""
        return tuple(_currencies().values())


@cache
def _currencies() -> dict[str, Currency]:
    """Return the currencies that are, or were in recent years, legal tender, and those that `_MINOR_DIGITS` lists."""
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
        """Refuse an amount that is not an integer or is out of range, and an unknown currency."""
        if type(self.amount_minor) is not int:
            raise AmountInvalid("An amount of money is a whole number of minor units.")
        if abs(self.amount_minor) > MAX_MINOR:
            raise AmountTooLarge
        Currency.of(self.currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return a zero amount."""
        return cls(0, currency)

    @classmethod
    def parse(cls, value: str | Decimal | int, currency: str, *, minimum_minor: int = 1) -> Self:
        """Parse an amount in major units exactly as written; it must be at least `minimum_minor`.

        A string or Decimal such as "85.00", or a whole number of major units. Raises a MoneyError
        for signs, exponents, spaces, separators, NaN, booleans and floats, for more decimals than
        the currency has (even zeros), and for amounts out of range.
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

    @classmethod
    def read(cls, written: str, currency: str, *, minimum_minor: int = 1) -> Self:
        """Parse an amount that a person typed, in Arabic digits, with thousands or with the currency beside it.

        What has one meaning alone is read (`text.amounts`); everything else is parsed, and refused, as `parse` does.
        """
        plain = amounts.plain(written, Currency.of(currency).code)
        return cls.parse(written.strip() if plain is None else plain, currency, minimum_minor=minimum_minor)

    @property
    def decimals(self) -> int:
        """The number of decimals of the amount in major units."""
        return Currency.of(self.currency).decimals

    def to_major_string(self) -> str:
        """Return the amount in major units with all decimals of its currency, like "85.00"."""
        digits = str(abs(self.amount_minor)).zfill(self.decimals + 1)
        point = len(digits) - self.decimals
        text = f"{digits[:point]}.{digits[point:]}" if self.decimals else digits
        return f"-{text}" if self.amount_minor < 0 else text

    def localized(self, locale: str, sign: str = "") -> str:
        """Format the amount with its currency for a locale, with all decimals: "$1,250.00".

        `sign` is put before the number.
        """
        spelled = Locale.parse(locale, sep="-" if "-" in locale else "_")
        exact = Decimal(self.to_major_string())
        written = str(format_currency(exact, self.currency, locale=spelled, decimal_quantization=False))
        return _held_together(sign, written) if spelled.text_direction == "rtl" else sign + written

    def allocate(self, weights: Sequence[int]) -> tuple[Self, ...]:
        """Split by integer weights into parts that add up exactly to this amount (largest remainder).

        Each part is its share rounded towards zero; the remaining units go, one each, to the parts with the largest
        remainders, the earlier part first if they are equal. Raises ValueError for weights that are negative, not
        integers, or all zero.
        """
        if any(type(weight) is not int or weight < 0 for weight in weights) or sum(weights) == 0:
            raise ValueError("weights must be integers, not negative and not all zero")
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
        """Subtract an amount of the same currency."""
        return Money(self.amount_minor - self._same_currency(other), self.currency)

    def __neg__(self) -> "Money":
        """Return the amount with the opposite sign."""
        return Money(-self.amount_minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        """Return whether this is less; like all ordering comparisons, raises CurrencyMismatch across currencies."""
        return self.amount_minor < self._same_currency(other)

    def __le__(self, other: "Money") -> bool:
        """Return whether this is less or equal."""
        return self.amount_minor <= self._same_currency(other)

    def __gt__(self, other: "Money") -> bool:
        """Return whether this is more."""
        return self.amount_minor > self._same_currency(other)

    def __ge__(self, other: "Money") -> bool:
        """Return whether this is more or equal."""
        return self.amount_minor >= self._same_currency(other)

    def __str__(self) -> str:
        """Format for logs and messages, like "85.00 USD"."""
        return f"{self.to_major_string()} {self.currency}"

    def _same_currency(self, other: "Money") -> int:
        """Return the minor units of another amount, which must be in this currency."""
        if not isinstance(other, Money):
            raise TypeError(f"money cannot be combined with {type(other).__name__}")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be combined.")
        return other.amount_minor


def _digits(value: str | Decimal | int) -> tuple[str, str, str]:
    """Return the sign, the whole digits and the decimals of a number as written. Raises AmountInvalid."""
    if type(value) is int:
        if abs(value) > MAX_MINOR:  # Checked first, since Python refuses to convert huge integers to strings.
            raise AmountTooSmall if value < 0 else AmountTooLarge
        return _digits(str(value))
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or exponent > 0:  # NaN and infinities; 1E+2
            raise AmountInvalid
        if exponent < -_MOST_DECIMALS:  # Checked first, since 1E-999999 would become a megabyte of zeros.
            raise AmountTooPrecise
        return _digits(format(value, "f"))
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise AmountInvalid
    return match["sign"], match["whole"], match["fraction"] or ""

"""The parameters that only Paymob has: piastres, integrations, and amounts of payouts in pounds."""

from __future__ import annotations

import re
from typing import Any

from sandboxes.kit.errors import bad_param
from sandboxes.kit.params import Array, Int, Param, Str
from sandboxes.paymob import amounts


class Whole(Int):
    """A whole number, also when it is written with zeros behind a point, as Django REST framework takes it.

    Shops whose amounts are floating-point numbers send them so (secondary).
    """

    def typed(self, value: Any, path: str) -> int:
        """Return the number."""
        return super().typed(re.sub(r"\.0*$", "", value) if isinstance(value, str) else value, path)


class Text(Str):
    """Text, for which a number is taken too: a reference of the merchant is often the number of an order."""

    def typed(self, value: Any, path: str) -> str:
        """Return the text."""
        return super().typed(str(value) if isinstance(value, int) and not isinstance(value, bool) else value, path)


class Ignored(Param):
    """What programs of others send and Paymob takes without a documented effect (secondary)."""

    def read(self, value: Any, path: str) -> None:
        """Return nothing, whatever was sent."""


class Amount(Whole):
    """An amount of collecting, in piastres."""

    def __init__(self, **rest: bool) -> None:
        super().__init__(least=1, most=10**11, **rest)


class IntOrName(Param):
    """An integration: its number or its name."""

    def typed(self, value: Any, path: str) -> int | str:
        """Return the number or the name."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_param("A valid integer or name is required.", path)
        return value


class Pounds(Param):
    """An amount of payouts: pounds with at most two decimals, as text or as a number. It is read as piastres.

    A number with decimals comes as text, since the body is read so.
    """

    def typed(self, value: Any, path: str) -> int:
        """Return the piastres."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_param("A valid number is required.", path)
        found = amounts.piastres(str(value))
        if found is None or found <= 0:
            raise bad_param("A valid number with at most two decimal places is required.", path)
        return found


class Texts(Array):
    """A list of texts, in a body or repeated in a query."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__(Str(), most=1_000, required=required)

    def typed(self, value: Any, path: str) -> list[str]:
        """Return the texts."""
        return super().typed([value] if isinstance(value, str) else value, path)

"""Amounts: integer piastres inside and for collecting; Egyptian pounds with two decimals for payouts."""

from __future__ import annotations

import re

CURRENCY = "EGP"
_POUNDS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2})0*)?")


def pounds(piastres: int) -> str:
    """Return an amount as payouts write it: 12345 is 123.45."""
    sign, rest = ("-" if piastres < 0 else ""), abs(piastres)
    return f"{sign}{rest // 100}.{rest % 100:02}"


def piastres(text: str) -> int | None:
    """Return the piastres of an amount in pounds with at most two decimals, or None if it is none."""
    match = _POUNDS.fullmatch(text)
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else None


def share(amount: int, basis_points: int) -> int:
    """Return a share of an amount, rounded half up to the piastre."""
    return (amount * basis_points + 5_000) // 10_000

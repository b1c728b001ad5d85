"""The parameters that only Stripe has: amounts, currencies, metadata, pages of a list, `expand`."""

from __future__ import annotations

from typing import Any

from sandboxes.kit import params
from sandboxes.kit.errors import bad_param
from sandboxes.kit.params import Array, Choice, Either, Hash, Int, Param, Str
from sandboxes.stripe import currencies


class Amount(Int):
    """An amount in minor units, of at most twelve digits; what can be charged has limits per currency."""

    def __init__(self, *, least: int = 1, **rest: bool) -> None:
        super().__init__(least=least, most=10**12, **rest)

    def typed(self, value: Any, path: str) -> int:
        """Return the amount."""
        number = super().typed(value, path)
        if number > 999_999_999_999:
            raise bad_param("Amount must be no more than twelve digits", path, "amount_too_large")
        return number


class BoolOrWord(Choice):
    """`true`, `false` or one of some words, as off_session is."""

    def typed(self, value: Any, path: str) -> Any:
        """Return the flag or the word."""
        return value == "true" if value in ("true", "false") else super().typed(value, path)


class Currency(Param):
    """A supported currency, in lower case."""

    def typed(self, value: Any, path: str) -> str:
        """Return the lower-case code."""
        if not isinstance(value, str) or not currencies.known(value.lower()):
            raise bad_param(f"Invalid currency: {value}. Use a supported three-letter ISO code.", path)
        return value.lower()


class Metadata(Param):
    """Up to 50 keys of 40 characters with values of 500; an empty value deletes its key."""

    def typed(self, value: Any, path: str) -> dict[str, str]:
        """Return the pairs."""
        if not isinstance(value, dict):
            raise bad_param("Invalid object", path)
        for key, text in value.items():
            if not isinstance(text, str):
                raise bad_param("Metadata values must be strings.", f"{path}[{key}]")
            if len(key) > 40:
                raise bad_param("Metadata keys must be at most 40 characters long.", path)
            if len(text) > 500:
                raise bad_param("Metadata values must be at most 500 characters long.", f"{path}[{key}]")
        return value


def merge_metadata(current: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Merge: new keys are added, an empty value deletes its key, an empty parameter deletes all."""
    if given is None:
        return {}
    merged = {key: text for key, text in {**current, **given}.items() if text != ""}
    if len(merged) > 50:
        raise bad_param("You can store at most 50 keys in metadata.", "metadata")
    return merged


ADDRESS: dict[str, Param] = {name: Str() for name in ("city", "country", "line1", "line2", "postal_code", "state")}
PAGE: dict[str, Param] = {
    "limit": Int(least=1, most=100),
    "starting_after": Str(),
    "ending_before": Str(),
}
_RANGE: dict[str, Param] = {name: Int() for name in ("gt", "gte", "lt", "lte")}


def created() -> Param:
    """Return the filter by moment: one second, or a range."""
    return Either(Int(), Hash(_RANGE))


def read(fields: dict[str, Param], given: dict[str, Any]) -> dict[str, Any]:
    """Return the typed values of a request's parameters; each takes `expand` too. Raises 400."""
    return params.read({**fields, "expand": Array(Str())}, given)

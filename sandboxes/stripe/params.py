"""What an endpoint takes: typed parameters, unknown names refused, an empty string unsets."""

from __future__ import annotations

import re
from typing import Any

from sandboxes.stripe import currencies
from sandboxes.stripe.errors import bad_param, missing_param, unknown_params

MAX_TEXT = 5000


class Param:
    """One parameter. `required`: must be there; `unset`: may be emptied with an empty string."""

    def __init__(self, *, required: bool = False, unset: bool = True) -> None:
        self.required = required
        self.unset = unset and not required

    def read(self, value: Any, path: str) -> Any:
        """Return the typed value, or None for an empty one. Raises 400."""
        if value == "":
            if self.unset:
                return None
            raise bad_param(
                f"You passed an empty string for '{path}'. It cannot be empty.", path, "parameter_invalid_empty"
            )
        return self.typed(value, path)

    def typed(self, value: Any, path: str) -> Any:
        """Return the value in its type. Raises 400."""
        raise NotImplementedError


class Str(Param):
    """Text of at most `longest` characters."""

    def __init__(self, *, longest: int = MAX_TEXT, **rest: bool) -> None:
        super().__init__(**rest)
        self.longest = longest

    def typed(self, value: Any, path: str) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise bad_param(f"Invalid string: {path}", path, "parameter_invalid_string")
        if len(value) > self.longest:
            raise bad_param(f"Invalid {path}: must be at most {self.longest} characters", path)
        return value


class Int(Param):
    """A whole number between two bounds."""

    def __init__(self, *, least: int = 0, most: int = 10**15, **rest: bool) -> None:
        super().__init__(**rest)
        self.least, self.most = least, most

    def typed(self, value: Any, path: str) -> int:
        """Return the number."""
        if not isinstance(value, str) or not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            raise bad_param(f"Invalid integer: {value}", path, "parameter_invalid_integer")
        number = int(value)
        if number < self.least:
            least = "greater than or equal to 1" if self.least == 1 else f"greater than or equal to {self.least}"
            raise bad_param(f"This value must be {least}.", path, "parameter_invalid_integer")
        if number > self.most:
            raise bad_param(f"This value must be less than or equal to {self.most}.", path, "parameter_invalid_integer")
        return number


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


class Bool(Param):
    """`true` or `false`."""

    def typed(self, value: Any, path: str) -> bool:
        """Return the flag."""
        if value not in ("true", "false"):
            raise bad_param(f"Invalid boolean: {value}", path)
        return bool(value == "true")


class Choice(Param):
    """One word of several."""

    def __init__(self, *words: str, **rest: bool) -> None:
        super().__init__(**rest)
        self.words = words

    def typed(self, value: Any, path: str) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            allowed = ", ".join(self.words[:-1]) + f" or {self.words[-1]}" if len(self.words) > 1 else self.words[0]
            raise bad_param(f"Invalid {path}: must be one of {allowed}", path)
        return value


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


class Url(Str):
    """An http or https address."""

    def typed(self, value: Any, path: str) -> str:
        """Return the address."""
        text = super().typed(value, path)
        if not re.fullmatch(r"https?://[^\s/?#]+\S*", text) and not re.fullmatch(r"[a-z][a-z0-9+.-]+://\S+", text):
            raise bad_param("Not a valid URL", path, "url_invalid")
        return text


class Email(Str):
    """An e-mail address."""

    def typed(self, value: Any, path: str) -> str:
        """Return the address."""
        text = super().typed(value, path)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
            raise bad_param(f"Invalid email address: {text}", path, "email_invalid")
        return text


class Hash(Param):
    """A nested object with names of its own."""

    def __init__(
        self,
        fields: dict[str, Param] | None = None,
        /,
        *,
        required: bool = False,
        unset: bool = True,
        **named: Param,
    ) -> None:
        super().__init__(required=required, unset=unset)
        self.fields = {**(fields or {}), **named}

    def typed(self, value: Any, path: str) -> dict[str, Any]:
        """Return the object with typed values."""
        if not isinstance(value, dict):
            raise bad_param("Invalid object", path)
        return read(self.fields, value, path)


class AnyHash(Param):
    """An object whose names are free: values are text."""

    def typed(self, value: Any, path: str) -> dict[str, Any]:
        """Return the object."""
        if not isinstance(value, dict):
            raise bad_param("Invalid object", path)
        return value


class Array(Param):
    """A list of one kind of value."""

    def __init__(self, item: Param, *, most: int = 100, **rest: bool) -> None:
        super().__init__(**rest)
        self.item, self.most = item, most
        self.item.unset = False

    def typed(self, value: Any, path: str) -> list[Any]:
        """Return the list with typed values, in the order of their indexes."""
        if not isinstance(value, dict) or not all(re.fullmatch(r"[0-9]{1,4}", index) for index in value):
            raise bad_param("Invalid array", path)
        value = [value[index] for index in sorted(value, key=int)]
        if len(value) > self.most:
            raise bad_param(f"Array {path} exceeded maximum {self.most} allowed elements.", path)
        return [self.item.read(element, f"{path}[{index}]") for index, element in enumerate(value)]


class Either(Param):
    """An object or a plain value: `external_account`, `created`."""

    def __init__(self, plain: Param, nested: Param, *, required: bool = False) -> None:
        super().__init__(required=required)
        self.plain, self.nested = plain, nested

    def typed(self, value: Any, path: str) -> Any:
        """Return whichever was given."""
        chosen = self.plain if isinstance(value, str) else self.nested
        return chosen.read(value, path)


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


def read(fields: dict[str, Param], given: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the typed values of what was given. Raises 400 for what is unknown, missing or of the wrong type."""
    known = {**fields, "expand": Array(Str())} if not path else fields
    unknown = [_join(path, name) for name in given if name not in known]
    if unknown:
        raise unknown_params(unknown)
    for name, param in known.items():
        if param.required and name not in given:
            raise missing_param(_join(path, name))
    return {name: known[name].read(value, _join(path, name)) for name, value in given.items()}


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name

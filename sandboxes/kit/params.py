"""What an endpoint takes: typed parameters, unknown names refused, an empty string unsets.

Values come from a form, in which everything is text and a list has indexes for names, or from JSON.
"""

from __future__ import annotations

import re
from typing import Any

from sandboxes.kit import uploads
from sandboxes.kit.errors import bad_param, missing_param, unknown_params

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
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise bad_param(f"Invalid integer: {value}", path, "parameter_invalid_integer")
        number = int(text)
        if number < self.least:
            least = "greater than or equal to 1" if self.least == 1 else f"greater than or equal to {self.least}"
            raise bad_param(f"This value must be {least}.", path, "parameter_invalid_integer")
        if number > self.most:
            raise bad_param(f"This value must be less than or equal to {self.most}.", path, "parameter_invalid_integer")
        return number


class Bool(Param):
    """`true` or `false`."""

    def typed(self, value: Any, path: str) -> bool:
        """Return the flag."""
        if isinstance(value, bool):
            return value
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


class File(Param):
    """A file of a multipart body."""

    def typed(self, value: Any, path: str) -> uploads.Upload:
        """Return the file."""
        if not isinstance(value, uploads.Upload):
            raise bad_param("Invalid file: send it as multipart/form-data, with a filename.", path)
        return value


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
        if isinstance(value, dict) and all(re.fullmatch(r"[0-9]{1,4}", index) for index in value):
            value = [value[index] for index in sorted(value, key=int)]
        if not isinstance(value, list):
            raise bad_param("Invalid array", path)
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
        chosen = self.nested if isinstance(value, dict) else self.plain
        return chosen.read(value, path)


def read(fields: dict[str, Param], given: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the typed values of what was given. Raises 400 for what is unknown, missing or of the wrong type."""
    unknown = [_join(path, name) for name in given if name not in fields]
    if unknown:
        raise unknown_params(unknown)
    for name, param in fields.items():
        if param.required and name not in given:
            raise missing_param(_join(path, name))
    return {name: fields[name].read(value, _join(path, name)) for name, value in given.items()}


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name

"""Messages for requests that do not match their schema."""

from typing import Any, TypeVar

from ninja.errors import ValidationError
from pydantic_core import PydanticCustomError

T = TypeVar("T")

SENTENCES = {
    "missing": "This is required.",
    "extra_forbidden": "This field is not known.",
    "string_type": "This has to be text.",
    "bool_type": "This has to be true or false.",
    "int_type": "This has to be a whole number.",
    "int_parsing": "This has to be a whole number.",
    "datetime_type": "This has to be a date and time, such as 2030-01-31T12:00:00Z.",
    "model_type": "The body has to be a JSON object.",
    "model_attributes_type": "The body has to be a JSON object.",
    "date_from_datetime_parsing": "There is no such day.",
    "timezone_aware": "Say the time zone too, as in 2030-01-31T12:00:00Z.",
}
# The same for kinds that have a limit, named in the braces.
LIMITS = {
    "string_too_long": "At most {max_length} characters.",
    "string_too_short": "At least {min_length} characters.",
    "too_long": "At most {max_length} characters.",
    "too_short": "At least {min_length} characters.",
    "greater_than_equal": "This has to be {ge} or more.",
    "less_than_equal": "This has to be {le} or less.",
    "enum": "This has to be {expected}.",
}
PATTERNS = {
    r"^[A-Z]{3}$": "This has to be an ISO 4217 code of three capital letters, such as USD.",
    r"^[A-Z]{2}$": "This has to be an ISO 3166 code of two capital letters, such as US.",
}
# The code when all faults are of one kind; kinds of our own keep their name.
CODES = {"missing": "required", "extra_forbidden": "unknown_field"}
OWN_KINDS = frozenset({"amount_invalid", "amount_too_small", "invalid_text", "required"})


def own(kind: str, sentence: str) -> PydanticCustomError:
    """Make the error that a validator of ours raises; `kind` becomes the code of the answer."""
    # Braces in the message would be read as placeholders.
    return PydanticCustomError(kind, "{sentence}", {"sentence": sentence})


def same(value: T | None, other: T | None, other_name: str) -> T | None:
    """Return the value of a parameter that has two names. Raises when both are given and differ."""
    if value is not None and other is not None and value != other:
        raise own("invalid", f"This differs from `{other_name}`; send one of the two.")
    return value


def is_about_path(error: ValidationError) -> bool:
    """Return whether an id in the address is at fault."""
    return any(found["loc"][0] == "path" for found in error.errors)


def fields(error: ValidationError) -> dict[str, str]:
    """Return a message by field; the first fault of a field counts."""
    sentences: dict[str, str] = {}
    for found in error.errors:
        sentences.setdefault(_name(found["loc"]), _sentence(found))
    return sentences


def code(error: ValidationError) -> str:
    """Return the one code for all the faults."""
    codes = {_code(found["type"]) for found in error.errors}
    return codes.pop() if len(codes) == 1 else "invalid"


def _code(kind: str) -> str:
    return kind if kind in OWN_KINDS else CODES.get(kind, "invalid")


def _name(location: tuple[Any, ...]) -> str:
    # ("body", parameter, field, ...) and ("query", field): callers know only the field.
    parts = [str(part) for part in location[1:]]
    if location[0] == "body":
        parts = parts[1:]
    return ".".join(parts) or "body"


def _sentence(found: dict[str, Any]) -> str:
    kind, limits = found["type"], found.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(limits["pattern"], "This is not written as it has to be.")
    if kind in LIMITS:
        # Lists have their limits elsewhere, so only text is too long or too short here.
        is_empty = limits.get("min_length") == 1
        return "This may not be empty." if is_empty else LIMITS[kind].format(**limits)
    return SENTENCES.get(kind, f"{found['msg'].rstrip('.')}.")

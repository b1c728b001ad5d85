"""What is kept of a provider's body: the values that help support, everything else masked.

Bodies name payers, with their wallets, addresses and phones. Nothing of that is read, since the state of an object
comes from the provider, so it must not stand in the database and its dumps. Providers add fields without notice:
therefore the fields that are kept are listed (`Capabilities.shown_fields`), not those that are masked.
"""

import json
from typing import Any, Final

from multitask.payments.provider import Capabilities
from multitask.text import masking

# Bodies of providers are much flatter; what is deeper is masked, so that no body can exhaust the stack.
_DEEPEST: Final = 20
_LONGEST: Final = 300


def reduced(body: str, capabilities: Capabilities) -> str:
    """Return a body with each value masked that is not to be kept; empty for what is not JSON.

    Reducing a reduced body changes nothing. Names of fields and their order stay, as do flags, and what has no value.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return json.dumps(_kept(content, "", capabilities, 0))


def _kept(content: Any, name: str, capabilities: Capabilities, depth: int) -> Any:
    """Return a value of the field `name`; the values of a list count as values of its field."""
    if isinstance(content, dict | list) and depth >= _DEEPEST:
        return masking.MASK
    if isinstance(content, dict):
        return {inner: _kept(value, inner, capabilities, depth + 1) for inner, value in content.items()}
    if isinstance(content, list):
        return [_kept(value, name, capabilities, depth + 1) for value in content]
    return content if content is None or isinstance(content, bool) else _value(content, name, capabilities)


def _value(value: str | float, name: str, capabilities: Capabilities) -> str | float:
    if name in capabilities.last_four_fields:
        return masking.last_four(str(value))
    if name not in capabilities.shown_fields:
        return masking.MASK
    # A word or an id stays as it is; a sentence may repeat what somebody entered.
    is_sentence = isinstance(value, str) and any(character.isspace() for character in value)
    return masking.sentence(str(value))[:_LONGEST] if is_sentence else value

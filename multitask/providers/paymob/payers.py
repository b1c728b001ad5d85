"""The billing data that Paymob requires of every payer."""

from typing import Final

from multitask.payments.provider import Payer

_LONGEST: Final = 50
# Where a detail is not known this is what plugins send (secondary).
_NOT_KNOWN: Final = "NA"
_NOBODY: Final = {"first_name": _NOT_KNOWN, "last_name": _NOT_KNOWN, "email": "na@example.com", "phone_number": "NA"}


def billing(payer: Payer) -> dict[str, str]:
    """Return the billing data of an intention."""
    first, _, last = payer.name.strip().partition(" ")
    given = {"first_name": first, "last_name": last.strip(), "email": payer.email, "phone_number": payer.phone}
    return {name: given[name][:_LONGEST] if given[name] else missing for name, missing in _NOBODY.items()}

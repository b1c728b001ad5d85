"""Countries of connected accounts, the currency that a bank account there has, and how long money may be held."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

# Countries among which Stripe allows cross-border transfers without prior approval.
_EURO: Final = """
    AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK
"""
_CURRENCIES: Final = {
    **dict.fromkeys(_EURO.split(), "EUR"),
    "BG": "BGN",
    "CA": "CAD",
    "CH": "CHF",
    "CZ": "CZK",
    "DK": "DKK",
    "GB": "GBP",
    "HU": "HUF",
    "IS": "EUR",
    "LI": "CHF",
    "NO": "NOK",
    "PL": "PLN",
    "RO": "RON",
    "SE": "SEK",
    "US": "USD",
}
_SELF_SERVE: Final = frozenset(_CURRENCIES)
# A platform of one of these countries pays accounts of its own country.
_OWN_COUNTRY: Final = {
    "AE": "AED",
    "AU": "AUD",
    "BR": "BRL",
    "HK": "HKD",
    "JP": "JPY",
    "MX": "MXN",
    "MY": "MYR",
    "NZ": "NZD",
    "SG": "SGD",
    "TH": "THB",
}


# For how long Stripe lets a platform hold money with manual payouts.
_LONGEST_HOLD: Final = timedelta(days=90)
_LONGEST_HOLDS: Final[Mapping[str, timedelta]] = {"US": timedelta(days=730), "TH": timedelta(days=10)}


def longest_hold(platform: str) -> timedelta:
    """Return for how long a platform of this country may hold money."""
    return _LONGEST_HOLDS.get(platform, _LONGEST_HOLD)


def self_serve(platform: str) -> frozenset[str]:
    """Return the countries whose accounts a platform pays under the full service agreement."""
    return _SELF_SERVE if platform in _SELF_SERVE else frozenset({platform})


def of_country(country: str) -> str:
    """Return the currency of the banks in a country; empty for an unknown country."""
    return (_CURRENCIES | _OWN_COUNTRY).get(country, "")


def currencies(platform: str) -> frozenset[str]:
    """Return the currencies of the banks there: in these a payment can be collected, held and paid out."""
    known = _CURRENCIES | _OWN_COUNTRY
    return frozenset(known[country] for country in self_serve(platform) if country in known)

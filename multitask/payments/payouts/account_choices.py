"""The countries and currencies in which payees can be paid, as the routes and their provider allow."""

from dataclasses import dataclass

from django.conf import settings

from multitask.payments.errors import CountryUnsupported, CurrencyUnsupported
from multitask.payments.operations import direct_calls, engine, routes
from multitask.payments.provider import HoldsAccounts, RouteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What can be chosen for a new account: currencies, and countries with the currency of their banks."""

    countries: dict[str, str]
    currencies: list[str]


def offered() -> Choices:
    """Return what can be chosen, in alphabetical order. Raises ProviderRefused if there are no accounts to open."""
    name = settings.PAYMENT_PROVIDER
    with direct_calls.answered():
        accounts = engine.provider_for(name, HoldsAccounts)
    countries = sorted(engine.provider_named(name).capabilities.countries)
    return Choices(
        countries={country: accounts.bank_currency(country) for country in countries},
        currencies=[currency for currency in routes.currencies() if _is_paid_from_accounts(currency, name)],
    )


def _is_paid_from_accounts(currency: str, provider: str) -> bool:
    route = routes.find(currency)
    return route is not None and route.provider == provider and route.kind is RouteKind.CONNECTED


def require_offered(*, country: str, currency: str) -> None:
    """Raise CountryUnsupported or CurrencyUnsupported for a choice that cannot be paid."""
    choices = offered()
    if country not in choices.countries:
        raise CountryUnsupported(
            f"Payouts to {country} are not possible; choose one of {', '.join(choices.countries)}."
        )
    if currency not in choices.currencies:
        possible = ", ".join(choices.currencies)
        raise CurrencyUnsupported(f"Payouts in {currency} are not possible; choose one of {possible}.")

"""Routes: which provider collects, holds and pays out a currency, how, and between which amounts.

The setting `ROUTES` names one per currency. Without it each currency is routed through the first configured provider
that can collect, hold and pay it out, within that provider's own limits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from multitask.money import Currency, Money, MoneyError
from multitask.payments.errors import CurrencyUnsupported
from multitask.payments.operations import engine
from multitask.payments.provider import AmountRules, Collects, Disburses, HoldsAccounts, PaysOut, RouteKind, Transfers

_NEEDED: Mapping[RouteKind, tuple[type, ...]] = {
    RouteKind.CONNECTED: (Collects, HoldsAccounts, Transfers, PaysOut),
    RouteKind.PLATFORM: (Collects, Disburses),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one currency is collected, held and paid out; `minimum` and `maximum` bound a price."""

    currency: str
    provider: str
    kind: RouteKind
    minimum: Money
    maximum: Money | None


def of(currency: str) -> Route:
    """Return the route of a currency. Raises CurrencyUnsupported."""
    found = find(currency)
    if found is None:
        raise CurrencyUnsupported(f"Payments in {currency} are not possible here.")
    return found


def find(currency: str) -> Route | None:
    """Return the route of a currency, or None."""
    if not settings.ROUTES:
        return _default(currency)
    given = settings.ROUTES.get(currency)
    return None if given is None else _read(currency, given)


def currencies() -> list[str]:
    """Return the currencies that have a route, in alphabetical order."""
    if settings.ROUTES:
        return sorted(settings.ROUTES)
    return sorted(frozenset().union(*(each.capabilities.currencies for each in engine.configured_providers())))


def longest_hold(currency: str, provider: str) -> timedelta | None:
    """Return for how long a provider may hold money of a currency; None without a limit.

    `hold_days` of the currency's route goes before what the provider declares.
    """
    given = (settings.ROUTES or {}).get(currency, {})
    if given.get("provider") == provider and given.get("hold_days") is not None:
        return timedelta(days=given["hold_days"])
    return engine.provider_named(provider).capabilities.longest_hold


def _default(currency: str) -> Route | None:
    for provider in engine.configured_providers():
        capabilities = provider.capabilities
        if currency in capabilities.currencies:
            kind = RouteKind.CONNECTED if RouteKind.CONNECTED in capabilities.kinds else RouteKind.PLATFORM
            return _within(provider.amount_rules(currency), currency, provider.name, kind)
    return None


def _read(currency: str, given: Mapping[str, Any]) -> Route:
    """Complete a configured route with the limits of its provider."""
    provider = engine.provider_named(given["provider"])
    route = _within(provider.amount_rules(currency), currency, provider.name, RouteKind(given["kind"]))
    least, most = given.get("minimum"), given.get("maximum")
    return Route(
        currency=currency,
        provider=route.provider,
        kind=route.kind,
        minimum=route.minimum if least is None else Money.parse(least, currency),
        maximum=route.maximum if most is None else Money.parse(most, currency),
    )


def _within(rules: AmountRules, currency: str, provider: str, kind: RouteKind) -> Route:
    most = None if rules.most_charge is None else Money(rules.most_charge, currency)
    minimum = Money(rules.least_charge, currency)
    return Route(currency=currency, provider=provider, kind=kind, minimum=minimum, maximum=most)


def problems() -> Iterator[str]:
    """Return what is wrong with the configured routes, a sentence for each."""
    for currency, given in (settings.ROUTES or {}).items():
        found = _problem(currency, given)
        if found:
            yield f"ROUTES: {currency}: {found}"


def require_valid() -> None:
    """Refuse to start with routes that cannot work. Raises ImproperlyConfigured."""
    found = list(problems())
    if found:
        raise ImproperlyConfigured(" ".join(found))


def _problem(currency: str, given: Mapping[str, Any]) -> str:
    try:
        Currency.of(currency)
        route = _read(currency, given)
    except MoneyError as error:
        return f"{error}."
    except (ImproperlyConfigured, ValueError, KeyError) as error:
        return f"{error}."
    return _misfit(route) or _bad_bounds(route)


def _misfit(route: Route) -> str:
    """Return what the route asks of its provider that the provider cannot do."""
    capabilities = engine.provider_named(route.provider).capabilities
    if route.kind not in capabilities.kinds:
        return f"the provider {route.provider} has no {route.kind} routes."
    missing = [wanted.__name__ for wanted in _NEEDED[route.kind] if wanted not in capabilities.supports]
    if missing:
        return f"the provider {route.provider} lacks what a {route.kind} route needs: {', '.join(missing)}."
    if route.currency not in capabilities.currencies:
        return f"the provider {route.provider} cannot collect, hold and pay out this currency."
    return ""


def _bad_bounds(route: Route) -> str:
    rules = engine.provider_named(route.provider).amount_rules(route.currency)
    if route.minimum.amount_minor < rules.least_charge:
        return f"the minimum {route.minimum} is below the provider's of {Money(rules.least_charge, route.currency)}."
    if route.maximum is None:
        return ""
    if route.maximum < route.minimum:
        return f"the maximum {route.maximum} is below the minimum {route.minimum}."
    if rules.most_charge is not None and route.maximum.amount_minor > rules.most_charge:
        return f"the maximum {route.maximum} is above the provider's of {Money(rules.most_charge, route.currency)}."
    return ""

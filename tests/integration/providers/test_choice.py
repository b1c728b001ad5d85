"""Which provider the settings name."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from multitask import providers
from multitask.payments.operations import engine


def test_the_settings_name_the_provider() -> None:
    assert providers.default().name == "stripe"
    assert providers.get("stripe") is providers.get()
    assert engine.provider_named("stripe") is providers.get()


def test_all_providers_that_rows_may_name_are_known(settings: Settings) -> None:
    assert [provider.name for provider in providers.every()] == ["stripe", "paymob"]
    assert providers.get("paymob") is providers.get("paymob")

    settings.PAYMENT_PROVIDER = "paymob"
    assert [provider.name for provider in providers.every()] == ["paymob", "stripe"]
    settings.PAYMENT_PROVIDER, settings.PAYMOB_SECRET_KEY = "stripe", ""
    assert [provider.name for provider in providers.every()] == ["stripe"]
    settings.ROUTES = {"EGP": {"provider": "paymob", "kind": "platform"}}
    assert [provider.name for provider in providers.every()] == ["stripe", "paymob"]


def test_other_settings_make_another_provider(settings: Settings) -> None:
    before = providers.get()
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_other"

    assert providers.get() is not before
    assert providers.get().continuation("secret").key == "pk_test_other"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "paypal", "Stripe"])
def test_an_unknown_provider_is_refused_by_name(name: str, settings: Settings) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"named '{name}'; known: stripe"):
        providers.get(name)
    settings.PAYMENT_PROVIDER = "paypal"
    with pytest.raises(ImproperlyConfigured, match="paypal"):
        providers.default()


@pytest.mark.parametrize(("days", "open_for"), [(14, 15), (35, 36), (366, 36)])
def test_a_payment_page_of_paymob_is_open_as_long_as_paymob_allows(
    days: int, open_for: int, settings: Settings
) -> None:
    settings.UNFUNDED_CANCEL_DAYS = days
    assert providers.get("paymob").capabilities.payments_expire_after == timedelta(days=open_for)

"""The providers' sources in the content security policy."""

from pytest_django import Settings

from multitask.payments.provider import Embedded, Redirect
from multitask.providers.sources import BrowserSources
from multitask.providers.stripe import browser
from multitask.web import continuations


def test_stripe_itself_is_loaded_from_its_own_addresses() -> None:
    found = browser.sources(browser.API)
    assert found.scripts == found.frames == ("https://js.stripe.com", "https://hooks.stripe.com")
    assert (found.connections, found.pages) == (("https://api.stripe.com",), ("https://connect.stripe.com",))
    assert browser.library(browser.API) == "https://js.stripe.com/v3/"


def test_a_sandbox_is_loaded_from_its_address_alone() -> None:
    base = "http://127.0.0.1:12111"
    found = browser.sources(base)
    assert {*found.scripts, *found.frames, *found.connections, *found.pages} == {base}
    assert browser.library(base) == f"{base}/v1/stripe.js"


def test_several_providers_are_joined_without_repeats() -> None:
    one = BrowserSources(scripts=("https://a.example",), pages=("https://b.example",))
    two = BrowserSources(scripts=("https://a.example", "https://c.example"))
    assert BrowserSources.joined([one, two]) == BrowserSources(
        scripts=("https://a.example", "https://c.example"), pages=("https://b.example",)
    )


def test_the_policy_names_the_configured_provider(settings: Settings) -> None:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert settings.STRIPE_API_BASE in directives["script-src"]
    assert settings.STRIPE_API_BASE in directives["form-action"]


def test_the_api_shows_either_way_to_continue() -> None:
    embedded = continuations.api_fields(Embedded(client_secret="secret", key="pk_1"))
    assert (embedded.client_secret, embedded.publishable_key, embedded.redirect_url) == ("secret", "pk_1", "")
    redirect = continuations.api_fields(Redirect(url="https://pay.example/1"))
    assert (redirect.client_secret, redirect.redirect_url) == ("", "https://pay.example/1")

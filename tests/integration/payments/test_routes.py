"""Which currencies can be priced, and money whose owner has no bank for it."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from multitask.marketplace import applications, tasks
from multitask.marketplace.errors import InvalidTask
from multitask.money import Money
from multitask.payments.errors import AmountTooLarge, CurrencyUnsupported
from multitask.payments.operations import amounts, routes
from multitask.payments.payouts import availability, onboarding
from multitask.payments.provider import RouteKind
from multitask.payments.reads import pending_reasons, previews
from multitask.payments.reads.pending_reasons import Reason
from multitask.providers.checks import check_routes
from multitask.webhooks import poll_groups
from tests.payments_world import World, dollars, held, routed, user_id

STRIPE = {"provider": "stripe", "kind": "connected"}
PAYMOB = {"provider": "paymob", "kind": "platform"}


def test_by_default_all_is_routed_that_a_bank_of_a_reachable_country_takes() -> None:
    assert routes.currencies() == [
        "BGN", "CAD", "CHF", "CZK", "DKK", "EGP", "EUR", "GBP", "HUF", "NOK", "PLN", "RON", "SEK", "USD",
    ]  # fmt: skip
    route = routes.of("USD")
    assert (route.provider, route.kind) == ("stripe", RouteKind.CONNECTED)
    assert (route.minimum, route.maximum) == (dollars("0.50"), dollars("999999.99"))


def test_by_default_each_currency_goes_to_the_first_configured_provider_that_can_do_it(settings: Settings) -> None:
    route = routes.of("EGP")
    assert (route.provider, route.kind, route.minimum) == ("paymob", RouteKind.PLATFORM, Money(100, "EGP"))
    assert {routes.of(currency).provider for currency in ("USD", "EUR", "GBP")} == {"stripe"}

    settings.PAYMOB_SECRET_KEY = ""
    assert routes.find("EGP") is None
    assert "EGP" not in routes.currencies()


def test_what_is_configured_is_all_that_is_routed(settings: Settings) -> None:
    settings.ROUTES = {"EGP": PAYMOB}
    routes.require_valid()
    assert routes.currencies() == ["EGP"]
    assert routes.find("USD") is None


@pytest.mark.parametrize("price", [Money(5_000, "JPY"), Money(10_000, "KWD"), Money(100_000, "IQD")])
def test_a_price_in_a_currency_without_a_route_is_refused_when_it_is_named(world: World, price: Money) -> None:
    with pytest.raises(CurrencyUnsupported) as refusal:
        tasks.post_task(actor=world.client(), now=world.now, title="Logo", description="Draw one", budget=price)
    assert refusal.value.code == "currency_unsupported"
    assert refusal.value.fields["currency"].startswith(f"Payments in {price.currency} are not possible here")


def test_a_route_that_was_taken_away_ends_applications_and_agreements(world: World, settings: Settings) -> None:
    job = world.hired(Money(5_000, "EUR"))
    task = tasks.post_task(
        actor=world.client(), now=world.now, title="Logo", description="Draw one", budget=Money(5_000, "EUR")
    )
    settings.ROUTES = routed("USD")
    with pytest.raises(CurrencyUnsupported):
        applications.apply(actor=world.freelancer(onboarded=False), now=world.now, task_id=task.pk)
    with pytest.raises(CurrencyUnsupported):
        world.hired(Money(5_000, "EUR"))
    # The route is a term of an agreement, frozen when it was opened.
    assert world.ask_to_pay(job).escrow.provider == "stripe"


def test_the_bounds_of_a_route_bound_the_price(world: World, settings: Settings) -> None:
    settings.ROUTES = {"USD": STRIPE | {"minimum": "20.00", "maximum": "500"}}
    with pytest.raises(InvalidTask, match="not valid") as refusal:
        tasks.post_task(actor=world.client(), now=world.now, title="Logo", description="One", budget=dollars("19.99"))
    assert refusal.value.fields["budget"] == "This has to be at least 20.00 USD."
    with pytest.raises(AmountTooLarge, match=r"at most 500.00 USD"):
        amounts.require_payable(dollars("500.01"))


@pytest.mark.parametrize(
    ("currency", "changes", "words"),
    [
        ("USD", {"provider": "paypal"}, "there is no payment provider named 'paypal'"),
        ("JPY", {}, "the provider stripe cannot collect, hold and pay out this currency"),
        ("XXX", {}, "XXX"),
        ("USD", {"kind": "platform"}, "the provider stripe has no platform routes"),
        ("EGP", PAYMOB | {"kind": "connected"}, "the provider paymob has no connected routes"),
        ("USD", PAYMOB, "the provider paymob cannot collect, hold and pay out this currency"),
        ("USD", {"kind": "escrow"}, "escrow"),
        ("USD", {"minimum": "0.10"}, "the minimum 0.10 USD is below the provider's of 0.50 USD"),
        ("USD", {"maximum": "2000000.00"}, "above the provider's of 999999.99 USD"),
        ("USD", {"minimum": "5.00", "maximum": "4.00"}, "the maximum 4.00 USD is below the minimum 5.00 USD"),
        ("USD", {"minimum": "1.001"}, "ROUTES: USD"),
    ],
)
def test_routes_that_cannot_work_are_refused_at_the_start(
    settings: Settings, currency: str, changes: dict[str, Any], words: str
) -> None:
    settings.ROUTES = {currency: STRIPE | changes}
    (problem,) = check_routes()
    assert problem.id == "providers.E001"
    assert words in problem.msg
    with pytest.raises(ImproperlyConfigured, match="ROUTES"):
        routes.require_valid()


def test_routes_that_work_are_accepted(settings: Settings) -> None:
    routes.require_valid()
    settings.ROUTES = {"USD": STRIPE, "EUR": STRIPE | {"minimum": "10.00", "maximum": "100.00"}}
    routes.require_valid()
    assert check_routes() == []


def test_money_without_a_bank_in_its_currency_stays_pending_until_there_is_one(world: World) -> None:
    job = world.released(Money(20_000, "EUR"))
    world.work()
    world.wait(days=3)
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert job.escrow.pk not in availability.due(now=world.now)
    assert reasons(world, job.freelancer) == [(Reason.NO_BANK, Money(17_000, "EUR"))]
    account = onboarding.account_of(user_id(job.freelancer))
    assert previews.payable(account, Money(17_000, "EUR")) == Money(0, "EUR")

    world.add_bank(job.freelancer, "EUR")
    world.work()
    assert job.escrow.made_available_at is not None
    assert held(f"user:{user_id(job.freelancer)}:available", "EUR") == 17_000
    assert reasons(world, job.freelancer) == []


def reasons(world: World, freelancer: Any) -> list[tuple[Reason, Money]]:
    account = onboarding.account_of(user_id(freelancer))
    found = pending_reasons.pending_funds(
        user_id=user_id(freelancer), account=account, now=world.now, zone=ZoneInfo("UTC")
    )
    return [(hold.reason, hold.amount) for hold in found.amounts]


def test_a_bank_whose_news_was_lost_is_found_by_the_poll(world: World) -> None:
    job = world.released(Money(20_000, "EUR"))
    world.work()
    assert accounts_polled(world) == [world.account(job.freelancer).provider_account_id]
    world.add_bank(job.freelancer, "EUR")
    assert accounts_polled(world) == []


def accounts_polled(world: World) -> list[str]:
    (group,) = [group for group in poll_groups.groups(now=world.now) if group.name == "accounts:banks"]
    return list(group.rows.values_list("provider_account_id", flat=True))

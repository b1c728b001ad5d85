"""Freelancers' accounts."""

from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.provider import ABSENT, Found, HoldsAccounts, Rejected, ReportsMoney
from tests.contract.conftest import LONG_AGO, People
from tests.contract.rigs import AnyProvider, Rig

pytestmark = pytest.mark.needs.with_args(HoldsAccounts, ReportsMoney)


def test_a_new_account_can_do_nothing_yet(people: People) -> None:
    account = people.account()

    assert (account.country, account.currency) == ("US", "USD")
    assert not account.transfers_enabled
    assert not account.payouts_enabled
    assert not account.details_submitted
    assert account.requirements_due
    assert not account.closed


def test_the_same_key_makes_one_account(provider: AnyProvider, name: str) -> None:
    first, second = (
        provider.create_account(reference=name, email="", country="US", currency="USD", key=name) for _ in range(2)
    )

    assert first == second


def test_an_account_is_found_by_its_reference(provider: AnyProvider, name: str, people: People) -> None:
    made = provider.create_account(reference=name, email="a@example.com", country="US", currency="USD", key=name)
    people.account()

    found = provider.find_account(reference=name, since=LONG_AGO)

    assert found == Found(made)
    assert made.reference == name
    assert provider.find_account(reference=f"{name}0", since=LONG_AGO) == ABSENT


def test_onboarding_enables_an_account(people: People) -> None:
    account = people.freelancer()

    assert account.transfers_enabled
    assert account.payouts_enabled
    assert account.details_submitted
    assert account.requirements_due == ()


def test_an_onboarding_link_soon_expires(people: People, rig: Rig) -> None:
    link = rig.provider.create_onboarding_link(
        account_id=people.account().id, refresh_url="http://127.0.0.1/refresh", return_url="http://127.0.0.1/return"
    )

    assert link.url.startswith("http")
    assert timedelta(0) < link.expires_at - rig.now() <= timedelta(hours=1)


def test_a_country_without_accounts_is_refused(people: People) -> None:
    with pytest.raises(Rejected) as refusal:
        people.account(country="AQ", currency="USD")

    assert refusal.value.message


def test_a_freelancer_of_another_country_can_be_paid(people: People) -> None:
    account = people.account(country="DE", currency="EUR")

    assert (account.country, account.currency) == ("DE", "EUR")


def test_a_new_account_holds_nothing(people: People) -> None:
    balance = people.provider.read_account_balance(people.account().id, "USD")

    assert (balance.available, balance.pending) == (Money(0, "USD"), Money(0, "USD"))
    assert people.provider.read_account_balance(people.account().id, "JPY").available == Money(0, "JPY")


def test_an_account_that_does_not_exist_is_no_open_account(provider: AnyProvider) -> None:
    try:
        closed = provider.read_account("acct_1DoesNotExist").closed
    except Rejected:
        closed = True
    assert closed


def test_a_login_link_opens_a_complete_account(people: People, provider: AnyProvider) -> None:
    first, second = (provider.create_login_link(people.freelancer().id) for _ in range(2))

    assert first.startswith("http")
    assert first != second


def test_an_account_without_money_is_closed_for_good(people: People, provider: AnyProvider, name: str) -> None:
    account = people.freelancer()

    closed = provider.close_account(account_id=account.id, key=name)
    again = provider.close_account(account_id=account.id, key=f"{name}:again")

    assert closed.closed
    assert again.closed
    assert provider.read_account(account.id).closed


def test_an_account_that_holds_money_is_not_closed(people: People, provider: AnyProvider, name: str) -> None:
    account, payment = people.freelancer(), people.paid()
    provider.create_transfer(
        reference=name,
        amount=Money(8_500, "USD"),
        account_id=account.id,
        collection_id=payment.collection_id,
        key=name,
    )

    with pytest.raises(Rejected):
        provider.close_account(account_id=account.id, key=f"{name}:close")

    assert not provider.read_account(account.id).closed


def test_banks_have_a_currency_in_every_country_that_is_offered(provider: AnyProvider) -> None:
    for country in provider.capabilities.countries:
        assert provider.bank_currency(country) in provider.capabilities.currencies
    assert provider.bank_currency("AQ") == ""

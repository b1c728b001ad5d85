"""Translation of Stripe's statuses and codes."""

import pytest

from multitask.money import Money
from multitask.payments.provider import ChargebackStatus, Failure, IdKind, Requirement
from multitask.providers.stripe import currencies, failure_messages, identifiers, requirements, supported_currencies
from multitask.providers.stripe.disputes import dispute_state


@pytest.mark.parametrize(
    ("status", "known"),
    [("won", ChargebackStatus.WON), ("lost", ChargebackStatus.LOST), ("something_new", ChargebackStatus.UNDER_REVIEW)],
)
def test_a_chargeback_of_an_unknown_status_still_holds_the_money(status: str, known: ChargebackStatus) -> None:
    raw = {"id": "du_1", "status": status, "amount": 100, "currency": "usd", "charge": "ch_1"}
    assert dispute_state(raw).status is known


@pytest.mark.parametrize(
    ("field", "requirement"),
    [
        ("external_account", Requirement.BANK_ACCOUNT),
        ("individual.dob.day", Requirement.BIRTH_DATE),
        ("individual.verification.document", Requirement.IDENTITY_DOCUMENT),
        ("individual.verification", Requirement.IDENTITY_CHECK),
        ("individual.something_new", Requirement.PERSON),
        ("something_new", None),
        ("individuality", None),
    ],
)
def test_what_an_account_lacks_is_known_by_the_longest_beginning(field: str, requirement: Requirement | None) -> None:
    assert requirements.of(field) is requirement


@pytest.mark.parametrize(
    ("text", "kind"),
    [("pi_1", IdKind.PAYMENT), ("ch_1", IdKind.COLLECTION), ("pyr_1", IdKind.REFUND), ("x_pi_1", None), ("", None)],
)
def test_an_id_shows_what_it_is_the_id_of(text: str, kind: IdKind | None) -> None:
    assert identifiers.kind_of(text) is kind


def test_a_failure_says_whether_the_bank_details_have_to_change() -> None:
    assert failure_messages.payout("account_closed", "") == Failure("The bank account has been closed.", True)
    assert failure_messages.payout("could_not_process", "") == Failure("The bank could not process the payment.", False)
    assert failure_messages.payout("something_new", "Told so.") == Failure("Told so.", False)
    assert failure_messages.refund("something_new", "").sentence == "The card's bank could not take the refund."


def test_rupiah_have_twelve_digits_and_all_others_eight() -> None:
    assert currencies.rules("IDR").most_charge == 999_999_999_999
    assert currencies.rules("USD").most_charge == 99_999_999


@pytest.mark.parametrize("currency", ["USD", "HUF", "JPY"])
def test_the_least_payout_is_one_of_the_currency(currency: str) -> None:
    least = currencies.rules(currency).least_payout
    assert Money(least, currency) == Money.parse("1", currency)


@pytest.mark.parametrize(
    ("platform", "inside", "outside"),
    [("US", {"USD", "EUR"}, {"JPY"}), ("JP", {"JPY"}, {"USD"}), ("EG", set(), {"EGP"})],
)
def test_a_platform_pays_out_in_the_currencies_of_the_countries_that_it_reaches(
    platform: str, inside: set[str], outside: set[str]
) -> None:
    found = supported_currencies.currencies(platform)
    assert inside <= found
    assert not outside & found

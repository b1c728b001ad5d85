"""Destinations are added, replaced and removed with a fresh proof, and used after their cool-down."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import IntegrityError, connection
from pytest_django import Settings

from multitask.payments.errors import CurrencyUnsupported, Forbidden, NotFound, TooManyRequests
from multitask.payments.models import AuditEvent, Notice, PayoutDestination
from multitask.payments.notices import notices, wording
from multitask.payments.payouts import destination_details, destinations
from multitask.payments.payouts.payee_errors import IbanInvalid
from multitask.users.actor import Actor
from multitask.users.credentials import WrongPassword
from multitask.users.models import User
from multitask.users.owner_proof import EmailUnconfirmed, OwnerProof, PasswordNeeded
from multitask.users.powers import ProofNeeded
from multitask.users.throttle import TooManyAttempts
from tests import mailbag, staff
from tests.integration import races
from tests.integration.destinations import payees
from tests.integration.destinations.payees import BANK, IBAN, NOW, WALLET, add, id_of, missing, remove
from tests.integration.pages.codes import PASSWORD

pytestmark = pytest.mark.django_db

DAYS_3 = timedelta(hours=72)
MOMENT = timedelta(seconds=1)
OTHER = BANK | {"iban": "", "account_number": "1234567890"}


def listed(actor: Actor, at: datetime) -> list[PayoutDestination]:
    return destinations.listed(user_id=id_of(actor), currency="EGP", now=at)


def used(actor: Actor, at: datetime) -> str:
    """What may be shown of the destination that a withdrawal made at a moment goes to."""
    found = destinations.snapshot(user_id=id_of(actor), currency="EGP", now=at)
    return "" if found is None else PayoutDestination.objects.get(pk=found).masked


def test_the_first_destination_waits_for_its_cool_down() -> None:
    mona = payees.payee()
    destination = add(mona)

    assert destination.usable_from == NOW + DAYS_3
    (before,) = destinations.missing(user_id=id_of(mona), currency="EGP", now=NOW + DAYS_3 - MOMENT)[1:]
    assert (before.reason, before.until) == ("destination_cooling_down", NOW + DAYS_3)
    assert destinations.snapshot(user_id=id_of(mona), currency="EGP", now=NOW) == destination.pk
    assert missing(mona, NOW + DAYS_3) == ["identity_missing"]


def test_the_cool_down_is_a_setting_and_counts_for_later_destinations(settings: Settings) -> None:
    mona = payees.payee()
    first = add(mona)
    settings.DESTINATION_COOL_DOWN_HOURS = 1
    assert add(mona, OTHER).usable_from == NOW + timedelta(hours=1)
    first.refresh_from_db()
    assert first.usable_from == NOW + DAYS_3


def test_what_is_missing_is_listed_in_the_order_in_which_to_solve_it() -> None:
    mona = payees.payee()
    assert missing(mona) == ["identity_missing", "destination_missing"]
    submitted = payees.submit(mona)
    assert missing(mona) == ["identity_unconfirmed", "destination_missing"]
    add(mona)
    payees.confirm(payees.support(), submitted)
    assert missing(mona) == ["destination_cooling_down"]
    assert missing(mona, NOW + DAYS_3) == []


def test_what_is_missing_takes_two_queries(django_assert_num_queries: object) -> None:
    mona = payees.payee()
    add(mona)
    with django_assert_num_queries(2):  # type: ignore[operator]
        missing(mona)


def test_a_new_destination_replaces_the_present_one_after_its_cool_down() -> None:
    mona = payees.payee()
    add(mona)
    changed_at = NOW + 2 * DAYS_3
    add(mona, WALLET, kind="wallet", at=changed_at)

    assert used(mona, changed_at + DAYS_3 - MOMENT) == "•••• 0002"
    assert used(mona, changed_at + DAYS_3) == "•••• 678"
    assert missing(mona, changed_at) == missing(mona, changed_at + DAYS_3) == ["identity_missing"]
    live = [d.masked for d in listed(mona, changed_at)]
    assert live == ["•••• 0002", "•••• 678"]
    assert [d.masked for d in listed(mona, changed_at + DAYS_3)] == ["•••• 678"]


def test_a_third_one_takes_the_place_of_the_second_and_the_first_goes_on_until_then() -> None:
    mona = payees.payee()
    add(mona)
    second_at, third_at = NOW + 2 * DAYS_3, NOW + 2 * DAYS_3 + timedelta(hours=10)
    add(mona, WALLET, kind="wallet", at=second_at)
    add(mona, OTHER, at=third_at)

    assert [d.masked for d in listed(mona, third_at)] == ["•••• 0002", "•••• 890"]
    assert used(mona, third_at + DAYS_3 - MOMENT) == "•••• 0002"
    assert used(mona, third_at + DAYS_3) == "•••• 890"


def test_removing_the_new_one_keeps_the_present_one_for_good() -> None:
    mona = payees.payee()
    add(mona)
    changed_at = NOW + 2 * DAYS_3
    strangers = add(mona, WALLET, kind="wallet", at=changed_at)
    remove(mona, strangers, at=changed_at + timedelta(hours=1))

    assert used(mona, changed_at + 10 * DAYS_3) == "•••• 0002"


def test_removing_the_present_one_leaves_the_new_one_cooling_down() -> None:
    mona = payees.payee()
    first = add(mona)
    changed_at = NOW + 2 * DAYS_3
    second = add(mona, WALLET, kind="wallet", at=changed_at)
    remove(mona, first, at=changed_at)
    assert missing(mona, changed_at) == ["identity_missing", "destination_cooling_down"]

    # A removed one does not come back when the other is removed too.
    remove(mona, second, at=changed_at)
    assert missing(mona, changed_at) == ["identity_missing", "destination_missing"]


def test_the_same_details_again_change_nothing() -> None:
    mona = payees.payee()
    first = add(mona)
    again = add(mona, BANK | {"iban": IBAN.lower()}, at=NOW + timedelta(hours=1))

    assert (again.pk, again.usable_from) == (first.pk, first.usable_from)
    assert AuditEvent.objects.filter(event="destination_added").count() == 1


def test_a_destination_that_was_removed_waits_again() -> None:
    mona = payees.payee()
    removed = add(mona)
    remove(mona, removed, at=NOW + 2 * DAYS_3)
    assert remove(mona, removed, at=NOW + 3 * DAYS_3).retired_at == NOW + 2 * DAYS_3
    assert add(mona, at=NOW + 3 * DAYS_3).usable_from == NOW + 4 * DAYS_3
    assert AuditEvent.objects.filter(event="destination_removed").count() == 1


@pytest.mark.parametrize(
    ("proof", "refusal"),
    [
        (OwnerProof(), PasswordNeeded),
        (OwnerProof(password="wrong"), WrongPassword),
        (OwnerProof(proved_at=NOW), PasswordNeeded),
    ],
)
def test_without_a_second_factor_the_password_is_the_proof(proof: OwnerProof, refusal: type[Exception]) -> None:
    mona = payees.payee()
    destination = add(mona)
    with pytest.raises(refusal):
        add(mona, OTHER, proof=proof)
    with pytest.raises(refusal):
        destinations.remove(actor=mona, destination_id=destination.public_id, proof=proof, now=NOW)
    assert used(mona, NOW) == "•••• 0002"


@pytest.mark.parametrize("proved_at", [None, NOW - timedelta(minutes=6)])
def test_with_a_second_factor_the_password_is_not_enough(proved_at: datetime | None) -> None:
    mona = payees.payee()
    staff.enrol(User.objects.get(pk=id_of(mona)))
    with pytest.raises(ProofNeeded):
        add(mona, proof=OwnerProof(proved_at=proved_at, password=PASSWORD))
    assert add(mona, proof=OwnerProof(proved_at=NOW - timedelta(minutes=4))).pk


def test_wrong_passwords_are_counted() -> None:
    mona = payees.payee()
    for _ in range(10):
        with pytest.raises(WrongPassword):
            add(mona, proof=OwnerProof(password="wrong"))
    with pytest.raises(TooManyAttempts):
        add(mona)


def test_nobody_changes_anything_before_a_warning_can_reach_them() -> None:
    mona = payees.payee(email_confirmed_at=None)
    with pytest.raises(EmailUnconfirmed):
        add(mona)


def test_invalid_details_and_other_currencies_are_refused_and_store_nothing() -> None:
    mona = payees.payee()
    with pytest.raises(IbanInvalid):
        add(mona, BANK | {"iban": "EG1"})
    with pytest.raises(CurrencyUnsupported):
        destinations.add(actor=mona, currency="USD", kind="bank", given=BANK, proof=payees.BY_PASSWORD, now=NOW)
    assert not PayoutDestination.objects.exists()


def test_people_have_destinations_and_only_their_own() -> None:
    with pytest.raises(Forbidden):
        add(payees.payee("carl", is_freelancer=False))
    assert add(payees.payee("claire", is_freelancer=False, is_client=True))
    destination = add(payees.payee())
    with pytest.raises(NotFound):
        remove(payees.payee("eve"), destination)


def test_changes_are_limited(settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 2
    mona = payees.payee()
    add(mona)
    add(mona, OTHER)
    with pytest.raises(TooManyRequests):
        add(mona)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_owner_is_warned_at_once_by_notice_and_email(language: str) -> None:
    mona = payees.payee(language=language)
    remove(mona, add(mona))
    notices.collect(now=NOW)

    assert set(Notice.objects.values_list("kind", "user_id")) == {
        ("destination_added", id_of(mona)),
        ("destination_removed", id_of(mona)),
    }
    letters = mailbag.empty(NOW)
    assert [letter.to for letter in letters] == [["mona@example.com"]] * 2
    added = str(letters[0].body)
    assert "•••• 0002" in added
    assert "/payout-details/" in added
    assert ("4 January 2030" in added or "January 4, 2030" in added) if language == "en" else "يناير" in added
    assert IBAN not in added


def test_the_audit_trail_has_masked_values_only() -> None:
    mona = payees.payee()
    destination = add(mona)
    event = AuditEvent.objects.get(event="destination_added")
    assert (event.actor_id, event.user_id, event.ip) == (mona.user_id, mona.user_id, "203.0.113.7")
    assert event.details == {
        "destination": str(destination.public_id),
        "kind": "bank",
        "bank_code": "CIB",
        "issuer": "",
        "masked": "•••• 0002",
        "currency": "EGP",
        "usable_from": (NOW + DAYS_3).isoformat(),
    }


def test_the_details_for_the_payout_show_nothing_when_they_are_printed() -> None:
    mona = payees.payee()
    destination = add(mona)
    payees.confirm(payees.support(), payees.submit(mona))

    found = destination_details.details(destination.pk)
    assert (found.destination.number, found.destination.full_name) == (IBAN, payees.LEGAL_NAME)
    assert (found.destination.bank_code, found.national_id) == ("CIB", payees.NATIONAL_ID)
    assert f"{found!r} {found}" == "PayeeDetails(bank) PayeeDetails(bank)"


def test_a_retired_destination_still_has_its_details() -> None:
    mona = payees.payee()
    destination = add(mona)
    payees.confirm(payees.support(), payees.submit(mona))
    remove(mona, destination)
    payees.submit(mona, name="Mona Adel Fathy")
    assert destination_details.details(destination.pk).legal_name == payees.LEGAL_NAME


def test_the_database_refuses_a_second_latest_destination() -> None:
    first = add(payees.payee())
    with pytest.raises(IntegrityError, match="payments_destination_latest"):
        PayoutDestination.objects.create(
            user_id=first.user_id, currency="EGP", kind="bank", created_at=NOW, usable_from=NOW
        )


@pytest.mark.django_db(transaction=True)
def test_several_at_once_leave_one_latest_destination() -> None:
    mona = payees.payee()
    numbers = [f"010{n}2345678" for n in range(4)]
    answers = races.together([partial(add, mona, WALLET | {"msisdn": number}, kind="wallet") for number in numbers * 2])
    assert all(isinstance(answer, PayoutDestination) for answer in answers), answers
    assert PayoutDestination.objects.filter(retired_at=None).count() == 1
    assert len(listed(mona, NOW)) == 1
    connection.close()


def test_every_kind_of_notice_has_its_words() -> None:
    assert notices.RULES.keys() <= wording.KINDS

"""The pages of payout details: entered, replaced, removed, and never carried along in an address."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import destinations, identity
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import staff
from tests.integration.destinations import payees
from tests.integration.destinations.payees import IBAN, LEGAL_NAME, NATIONAL_ID, id_of
from tests.integration.pages.codes import PASSWORD
from tests.integration.pages.reading import text_of

pytestmark = pytest.mark.django_db

Browse = Callable[[Actor], Client]
DETAILS = "/payout-details/"
ACCOUNT = {"bank_code": "CIB", "number": IBAN, "full_name": LEGAL_NAME, "password": PASSWORD}
WALLET = {"issuer": "vodafone", "msisdn": "010 1234 5678", "password": PASSWORD}
IDENTITY = {"legal_name": LEGAL_NAME, "national_id": NATIONAL_ID, "password": PASSWORD}


def test_the_way_from_nothing_to_ready(browse: Browse) -> None:
    mona = payees.payee()
    browser = browse(mona)
    page = text_of(browser.get(DETAILS))
    assert "Enter your legal name and your national ID number." in page
    assert "Choose where your money goes." in page

    assert browser.post(f"{DETAILS}add/bank/", ACCOUNT)["Location"] == DETAILS
    assert browser.post(f"{DETAILS}identity/", IDENTITY)["Location"] == DETAILS
    page = text_of(browser.get(DETAILS))
    assert "Saved. It is used from" in page
    assert "Commercial International Bank (CIB) •••• 0002" in page
    assert "M••• A••• H•••" in page
    assert "Our staff confirms who you are." in page
    assert "Withdrawals leave from" in page

    payees.confirm(payees.support(), PayeeIdentity.objects.get(), at=timezone.now())
    earlier = timezone.now() - timedelta(days=4)
    PayoutDestination.objects.update(created_at=earlier, usable_from=timezone.now())
    assert "Everything is ready for withdrawals." in text_of(browser.get(DETAILS))


@pytest.mark.parametrize(
    ("kind", "form", "stored"),
    [
        ("bank", ACCOUNT, ("bank", "CIB", "", "•••• 0002")),
        ("bank", ACCOUNT | {"number": "01012345678"}, ("bank", "CIB", "", "•••• 678")),
        ("bank", ACCOUNT | {"number": "12-3456-7890"}, ("bank", "CIB", "", "•••• 890")),
        ("instapay", ACCOUNT | {"number": f" {IBAN.lower()}"}, ("instapay", "CIB", "", "•••• 0002")),
        ("wallet", WALLET, ("wallet", "", "vodafone", "•••• 678")),
        ("wallet", WALLET | {"msisdn": "٠١٠١٢٣٤٥٦٧٨"}, ("wallet", "", "vodafone", "•••• 678")),
        ("wallet", WALLET | {"msisdn": "\u202a+20 101 234 5678\u202c"}, ("wallet", "", "vodafone", "•••• 678")),
        ("bank", ACCOUNT | {"number": "\u2066123456789012\u2069"}, ("bank", "CIB", "", "•••• 9012")),
    ],
)
def test_each_kind_has_its_form(browse: Browse, kind: str, form: dict[str, str], stored: tuple[str, ...]) -> None:
    browser = browse(payees.payee())
    assert browser.get(f"{DETAILS}add/{kind}/").status_code == 200
    assert browser.post(f"{DETAILS}add/{kind}/", form)["Location"] == DETAILS
    found = PayoutDestination.objects.get()
    assert (found.kind, found.bank_code, found.issuer, found.masked) == stored


@pytest.mark.parametrize(
    ("address", "form", "words"),
    [
        ("add/bank/", ACCOUNT | {"number": f"{IBAN[:-1]}3"}, "its check digits do not fit"),
        ("add/bank/", ACCOUNT | {"number": "4111 1111 1111 1111"}, "This looks like a card number"),
        ("add/bank/", ACCOUNT | {"number": ""}, "This is required."),
        ("add/bank/", ACCOUNT | {"bank_code": "XYZ"}, "This bank is not known."),
        ("add/instapay/", ACCOUNT | {"full_name": "Mona"}, "Write the full name"),
        ("add/instapay/", ACCOUNT | {"number": "mona@instapay"}, "This is an InstaPay address."),
        ("add/instapay/", ACCOUNT | {"number": "01012345678@instapay"}, "This is an InstaPay address."),
        ("add/instapay/", ACCOUNT | {"number": "٠١٠ ١٢٣٤ ٥٦٧٨"}, "This is a mobile number."),
        ("add/instapay/", ACCOUNT | {"number": "+201012345678"}, "This is a mobile number."),
        ("add/wallet/", WALLET | {"msisdn": "12345"}, "An Egyptian mobile number has 11 digits"),
        ("add/wallet/", WALLET | {"issuer": ""}, "This is required."),
        ("add/wallet/", WALLET | {"password": "wrong"}, "Your present password is not right."),
        ("add/wallet/", WALLET | {"password": ""}, "Enter your password to confirm this change."),
        ("identity/", IDENTITY | {"national_id": "1"}, "A national ID number has 14 digits"),
        ("identity/", IDENTITY | {"legal_name": "Mona\u202eAdel"}, "There are characters that are not allowed here."),
    ],
)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_is_wrong_is_said_beside_its_field(
    browse: Browse, language: str, address: str, form: dict[str, str], words: str
) -> None:
    browser = browse(payees.payee(language=language))
    answer = browser.post(f"{DETAILS}{address}", form)
    assert answer.status_code == 422
    (complaint,) = re.findall(r'<p class="wrong-text"[^>]*>([^<]*)</p>', answer.content.decode())
    assert words in complaint if language == "en" else re.search("[\u0600-\u06ff]{3}", complaint)
    assert 'type="password"' in answer.content.decode()
    assert PASSWORD not in answer.content.decode()
    assert not PayoutDestination.objects.exists()
    assert not PayeeIdentity.objects.exists()


def test_a_number_of_another_network_is_pointed_out_and_saved(browse: Browse) -> None:
    browser = browse(payees.payee())
    assert browser.post(f"{DETAILS}add/wallet/", WALLET | {"issuer": "orange"}).status_code == 302
    assert "Numbers like this one are usually with Vodafone Cash." in text_of(browser.get(DETAILS))
    assert PayoutDestination.objects.get().issuer == "orange"


def test_with_a_second_factor_the_code_comes_first_and_nothing_typed_is_in_an_address(browse: Browse) -> None:
    mona = payees.payee()
    user = User.objects.get(pk=id_of(mona))
    browser = browse(mona)
    staff.enrol(user)
    for address in ("add/bank/", "identity/"):
        form = ACCOUNT | IDENTITY
        for answer in (browser.get(f"{DETAILS}{address}"), browser.post(f"{DETAILS}{address}", form)):
            assert answer.status_code == 302
            assert urlsplit(answer["Location"]).query == f"next=%2Fpayout-details%2F{address.replace('/', '%2F')}"
    staff.prove(browser, user)
    assert 'type="password"' not in browser.get(f"{DETAILS}add/bank/").content.decode()
    form = {name: value for name, value in ACCOUNT.items() if name != "password"}
    assert browser.post(f"{DETAILS}add/bank/", form)["Location"] == DETAILS
    assert browser.post(f"{DETAILS}{PayoutDestination.objects.get().public_id}/remove/", {"x": ""}).status_code == 302
    assert not destinations.listed(user_id=user.pk, currency="EGP", now=timezone.now())


def test_a_replacement_shows_both_and_removing_the_new_one_keeps_the_old(browse: Browse) -> None:
    mona = payees.payee()
    payees.add(mona, at=timezone.now() - timedelta(days=9))
    browser = browse(mona)
    assert "Until then withdrawals go where they go now." in text_of(browser.get(f"{DETAILS}add/wallet/"))
    browser.post(f"{DETAILS}add/wallet/", WALLET)
    page = text_of(browser.get(DETAILS))
    assert "Used until" in page
    assert "Vodafone Cash •••• 678" in page

    coming = PayoutDestination.objects.latest("pk")
    address = f"{DETAILS}{coming.public_id}/remove/"
    assert "Withdrawals go on to the present destination." in text_of(browser.get(address))
    assert browser.post(address, {"password": "wrong"}).status_code == 422
    assert browser.post(address, {"password": PASSWORD})["Location"] == DETAILS
    page = text_of(browser.get(DETAILS))
    assert "Vodafone Cash" not in page
    assert "Used until" not in page


def test_the_reason_of_a_rejection_is_shown_to_its_owner(browse: Browse) -> None:
    mona = payees.payee()
    submitted = payees.submit(mona, at=timezone.now())
    identity.reject(actor=payees.support(), identity_id=submitted.pk, note="The card has expired.", now=timezone.now())
    page = text_of(browse(mona).get(DETAILS))
    assert "The card has expired." in page
    assert "Correct it" in page


def test_a_change_of_a_confirmed_identity_is_warned_about(browse: Browse) -> None:
    mona = payees.payee()
    payees.confirm(payees.support(), payees.submit(mona))
    assert "Your identity is confirmed. If you change it" in text_of(browse(mona).get(f"{DETAILS}identity/"))


def test_others_find_nothing(browse: Browse) -> None:
    destination = payees.add(payees.payee())
    address = f"{DETAILS}{destination.public_id}/remove/"
    assert browse(payees.payee("eve")).post(address, {"password": PASSWORD}).status_code == 404
    assert browse(payees.payee("carl", is_freelancer=False, is_client=True)).get(DETAILS)["Location"] == "/wallet/"
    assert browse(payees.payee("fay")).get(f"{DETAILS}add/cheque/").status_code == 404
    assert Client().get(DETAILS)["Location"].startswith("/sign-in/")


@pytest.mark.usefixtures("platform_route")
@pytest.mark.parametrize(("language", "title"), [("en", "Payout details"), ("ar", "بيانات السحب")])
def test_the_wallet_shows_them_where_the_platform_pays_out(browse: Browse, language: str, title: str) -> None:
    mona = payees.payee(language=language)
    payees.add(mona, at=timezone.now())
    page = browse(mona).get("/wallet/").content.decode()
    assert f'<h2 id="payout-details-title">{title}</h2>' in page
    assert "•••• 0002" in page
    assert 'href="/payout-details/"' in page


def test_the_wallet_shows_nothing_of_them_elsewhere(browse: Browse, settings: Settings) -> None:
    settings.ROUTES = {"USD": {"provider": "stripe", "kind": "connected"}}
    assert "payout-details" not in browse(payees.payee()).get("/wallet/").content.decode()

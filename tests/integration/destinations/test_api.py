"""`/payments/destinations/` and `/payments/identity/` over HTTP."""

from datetime import timedelta

import pytest
from django.utils import timezone

from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import identity
from multitask.users.models import User
from multitask.web.api import document, urls
from tests import staff
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.integration.destinations import payees
from tests.integration.destinations.payees import BANK, IBAN, LEGAL_NAME, NATIONAL_ID, WALLET, id_of
from tests.integration.pages.codes import PASSWORD

pytestmark = pytest.mark.django_db

DESTINATIONS = "/payments/destinations/"
IDENTITY = "/payments/identity/"
WHOLE = BANK | {"kind": "bank", "password": PASSWORD}


@pytest.fixture
def mona() -> Caller:
    return clients.of(User.objects.get(pk=id_of(payees.payee())))


def test_a_destination_is_added_listed_shown_and_removed_with_masked_values(mona: Caller) -> None:
    added = mona.post(DESTINATIONS, WHOLE)
    assert added.status == 201
    shown = added.json["destination"]
    assert {name: shown[name] for name in ("kind", "currency", "masked", "bank_code", "bank_name", "status")} == {
        "kind": "bank",
        "currency": "EGP",
        "masked": "•••• 0002",
        "bank_code": "CIB",
        "bank_name": "Commercial International Bank (CIB)",
        "status": "cooling_down",
    }
    assert mona.get(DESTINATIONS).json == {"count": 1, "next": None, "previous": None, "results": [shown]}
    address = f"{DESTINATIONS}{shown['destination_id']}/"
    assert mona.get(address).json == shown

    removed = mona.post(f"{address}remove/", {"password": PASSWORD})
    assert (removed.status, removed.json["destination"]["status"]) == (200, "retired")
    assert mona.post(f"{address}remove/", {"password": PASSWORD}).json == removed.json
    assert mona.get(DESTINATIONS).json["count"] == 0
    assert IBAN[-12:] not in f"{added.content!r}{removed.content!r}"


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        (WALLET | {"kind": "wallet", "msisdn": "\u202a+20 101 234 5678\u202c"}, "•••• 678"),
        (WALLET | {"kind": "wallet", "msisdn": "010\u200b123\u206045678"}, "•••• 678"),
        (BANK | {"kind": "bank", "iban": f"\u200f{IBAN}"}, "•••• 0002"),
        (BANK | {"kind": "instapay", "iban": "", "account_number": "\u2066123456789012\u2069\ufeff"}, "•••• 9012"),
    ],
)
def test_a_number_may_be_copied_with_invisible_marks(mona: Caller, given: dict[str, str], masked: str) -> None:
    added = mona.post(DESTINATIONS, given | {"password": PASSWORD})
    assert (added.status, added.json["destination"]["masked"]) == (201, masked)


def test_so_may_a_national_id_number(mona: Caller) -> None:
    given = {"legal_name": LEGAL_NAME, "national_id": f"\u202a{NATIONAL_ID}\u202c", "password": PASSWORD}
    assert mona.post(IDENTITY, given).status == 201
    confirmed = payees.confirm(payees.support(), PayeeIdentity.objects.get(), number=f"\u200e{NATIONAL_ID}")
    assert confirmed.state == "confirmed"


def test_a_number_of_invisible_marks_alone_is_missing(mona: Caller) -> None:
    answer = mona.post(DESTINATIONS, WALLET | {"kind": "wallet", "msisdn": "\u200f\u202a", "password": PASSWORD})
    assert (answer.status, answer.json["code"]) == (422, "required")


def test_the_same_request_again_gets_the_same_answer(mona: Caller) -> None:
    assert mona.post(DESTINATIONS, WHOLE).json == mona.post(DESTINATIONS, WHOLE).json
    assert PayoutDestination.objects.count() == 1


def test_an_unusual_issuer_is_a_hint(mona: Caller) -> None:
    for issuer, hint in (("vodafone", ""), ("orange", "vodafone")):
        answer = mona.post(DESTINATIONS, WALLET | {"kind": "wallet", "issuer": issuer, "password": PASSWORD})
        assert (answer.status, answer.json["usual_issuer"]) == (201, hint)


@pytest.mark.parametrize(
    ("changes", "status", "code", "fields"),
    [
        ({"iban": f"{IBAN[:-1]}3"}, 422, "iban_invalid", {"iban"}),
        ({"bank_code": "XYZ"}, 422, "bank_unknown", {"bank_code"}),
        ({"full_name": None}, 422, "required", {"full_name"}),
        ({"msisdn": "01012345678"}, 422, "unknown_field", {"msisdn"}),
        ({"swift": "X"}, 422, "unknown_field", {"swift"}),
        ({"kind": "cheque"}, 422, "destination_kind_unknown", {"kind"}),
        ({"currency": "USD"}, 422, "currency_unsupported", {"currency"}),
        ({"iban": "EG1", "full_name": "Mona"}, 422, "invalid_payee_details", {"iban", "full_name"}),
        ({"password": None}, 403, "password_required", {"password"}),
        ({"password": "wrong"}, 403, "wrong_password", {"password"}),
    ],
)
def test_refusals_have_a_code_and_fields_and_store_nothing(
    mona: Caller, changes: dict[str, str | None], status: int, code: str, fields: set[str]
) -> None:
    refused = mona.post(DESTINATIONS, WHOLE | changes)
    assert (refused.status, refused.code, set(refused.json["fields"])) == (status, code, fields)
    assert not PayoutDestination.objects.exists()


def test_with_a_second_factor_a_fresh_proof_is_needed(mona: Caller) -> None:
    staff.enrol(mona.user)
    assert mona.post(DESTINATIONS, WHOLE).code == "reauth_required"
    assert mona.post(IDENTITY, {"legal_name": LEGAL_NAME, "national_id": NATIONAL_ID}).code == "reauth_required"
    mona.token = mona.post("/api/auth/second-factor/", {"otp": staff.code(mona.user.pk)}).json["access"]
    assert mona.post(DESTINATIONS, {name: value for name, value in WHOLE.items() if name != "password"}).status == 201


def test_nobody_changes_anything_with_an_address_that_was_not_confirmed(mona: Caller) -> None:
    User.objects.filter(pk=mona.user.pk).update(email_confirmed_at=None)
    assert (mona.post(DESTINATIONS, WHOLE).status, mona.post(DESTINATIONS, WHOLE).code) == (409, "email_unconfirmed")


def test_what_belongs_to_others_is_not_there(mona: Caller) -> None:
    address = f"{DESTINATIONS}{mona.post(DESTINATIONS, WHOLE).json['destination']['destination_id']}/"
    eve = clients.of(User.objects.get(pk=id_of(payees.payee("eve"))))
    assert eve.get(address).status == eve.post(f"{address}remove/", {"password": PASSWORD}).status == 404
    assert eve.get(DESTINATIONS).json["count"] == 0
    assert eve.get(f"{DESTINATIONS}1/").status == eve.get(f"{DESTINATIONS}none/").status == 404
    assert clients.visitor().get(DESTINATIONS).status == 401


def test_what_is_missing_is_listed_with_the_day_on_which_it_ends(mona: Caller) -> None:
    assert mona.get(f"{DESTINATIONS}missing/").json == {
        "currency": "EGP",
        "missing": [
            {"reason": "identity_missing", "until": None},
            {"reason": "destination_missing", "until": None},
        ],
    }
    usable_from = mona.post(DESTINATIONS, WHOLE).json["destination"]["usable_from"]
    (_, cooling) = mona.get(f"{DESTINATIONS}missing/", {"currency": "EGP"}).json["missing"]
    assert cooling == {"reason": "destination_cooling_down", "until": usable_from}
    PayoutDestination.objects.update(created_at=timezone.now() - timedelta(days=4), usable_from=timezone.now())
    assert [one["reason"] for one in mona.get(f"{DESTINATIONS}missing/").json["missing"]] == ["identity_missing"]


def test_what_is_missing_is_not_asked_of_a_currency_that_is_paid_out_otherwise(mona: Caller) -> None:
    refused = mona.get(f"{DESTINATIONS}missing/", {"currency": "USD"})
    assert (refused.status, refused.code, set(refused.json["fields"])) == (422, "currency_unsupported", {"currency"})


def test_the_banks_are_listed_in_both_languages(mona: Caller) -> None:
    banks = mona.get(f"{DESTINATIONS}banks/").json["banks"]
    assert {"bank_code": "MISR", "name": "Banque Misr", "name_ar": "بنك مصر"} in banks


def test_an_identity_is_submitted_and_shown_masked_with_the_reason_of_a_rejection(mona: Caller) -> None:
    assert mona.get(IDENTITY).json == {"has_identity": False}
    body = {"legal_name": LEGAL_NAME, "national_id": NATIONAL_ID, "password": PASSWORD}
    submitted = mona.post(IDENTITY, body)
    assert submitted.status == 201
    assert submitted.json == mona.post(IDENTITY, body).json == mona.get(IDENTITY).json
    assert submitted.json["masked_name"] == "M••• A••• H•••"
    assert submitted.json["masked_number"] == "•••• 2345"
    assert (submitted.json["state"], submitted.json["rejection_reason"]) == ("submitted", "")

    found = PayeeIdentity.objects.get()
    payees.confirm(sam := payees.support(), found, at=timezone.now())
    assert (mona.get(IDENTITY).json["state"], mona.get(IDENTITY).json["rejection_reason"]) == ("confirmed", "")
    identity.reject(actor=sam, identity_id=found.pk, note="The card has expired.", now=timezone.now())
    assert mona.get(IDENTITY).json["rejection_reason"] == "The card has expired."


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"national_id": "1"}, "national_id_invalid", {"national_id"}),
        ({"legal_name": "Mona"}, "name_invalid", {"legal_name"}),
        ({"legal_name": ""}, "required", {"legal_name"}),
        ({"passport": "A1"}, "unknown_field", {"passport"}),
    ],
)
def test_an_invalid_identity_is_refused(mona: Caller, changes: dict[str, str], code: str, fields: set[str]) -> None:
    body = {"legal_name": LEGAL_NAME, "national_id": NATIONAL_ID, "password": PASSWORD}
    refused = mona.post(IDENTITY, body | changes)
    assert (refused.status, refused.code, set(refused.json["fields"])) == (422, code, fields)
    assert not PayeeIdentity.objects.exists()


def test_the_document_has_examples_for_what_is_entered() -> None:
    schemas = document.openapi(urls.api)["components"]["schemas"]
    for name in ("kind", "iban", "bank_code", "issuer", "msisdn"):
        field = schemas["DestinationIn"]["properties"][name]
        assert field.get("examples") or any(part.get("examples") for part in field["anyOf"]), name
    assert schemas["IdentityIn"]["properties"]["national_id"]["examples"]

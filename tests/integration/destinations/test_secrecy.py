"""Payout destinations and identities are never in clear: in the database, logs, emails, or answers to others."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.notices import notices
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import canaries, mailbag, staff
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.integration.backoffice import addresses
from tests.integration.destinations import payees
from tests.integration.destinations.payees import id_of
from tests.integration.pages.codes import PASSWORD

Browse = Callable[[Actor], Client]

IBAN = "EG380019000500000000263180002"
NAMES = ("Zuleikha Qamaraddin", "زليخة قمرالدين")
NATIONAL_ID = "29107150198765"
CANARIES = {
    "iban": IBAN,
    "account": "7718293645501",
    "wallet": "01098765432",
    "wrong phone": "0109876543",
    "wrong iban": "EG990019000500000000263180777",
    "card": "4111111111111111",
    "name": NAMES[0],
    "arabic name": NAMES[1],
    "national id": NATIONAL_ID,
    "wrong national id": "29107150198799",
    "password": "not-the-password-canary",
}
REST = {"bank_code": "CIB", "full_name": NAMES[0], "password": PASSWORD}


def found_in(text: str) -> set[str]:
    """The names of the canaries that a text gives away."""
    return canaries.found_in(text, CANARIES)


def written(messages: list[EmailMessage]) -> str:
    return "\n".join(message.message().as_string() + str(message.body) for message in messages)


def use_api(mona: Caller) -> None:
    """Enter everything, rightly and wrongly, as programs do; with an Idempotency-Key too."""
    add = "/payments/destinations/"
    bodies = [
        REST | {"kind": "bank", "iban": IBAN},
        REST | {"kind": "bank", "iban": CANARIES["wrong iban"]},
        REST | {"kind": "bank", "account_number": CANARIES["card"]},
        REST | {"kind": "instapay", "account_number": CANARIES["account"], "full_name": NAMES[1]},
        {"kind": "wallet", "issuer": "vodafone", "msisdn": CANARIES["wallet"], "password": PASSWORD},
        {"kind": "wallet", "issuer": "vodafone", "msisdn": CANARIES["wrong phone"], "password": PASSWORD},
        {"kind": "wallet", "issuer": CANARIES["wallet"], "msisdn": CANARIES["wallet"], IBAN: IBAN},
        REST | {"kind": "bank", "iban": IBAN, "password": CANARIES["password"]},
    ]
    answers = [mona.post(add, body, Idempotency_Key=f"key-{place}") for place, body in enumerate(bodies)]
    for name, number in (
        (NAMES[0], NATIONAL_ID),
        (NAMES[1], CANARIES["wrong national id"]),
        (NAMES[0], f"{NATIONAL_ID}9"),
    ):
        answers.append(
            mona.post("/payments/identity/", {"legal_name": name, "national_id": number, "password": PASSWORD})
        )
    answers += [mona.get(add), mona.get("/payments/identity/"), mona.get(f"{add}missing/")]
    # Of an unknown field the name is repeated, as of any other; what was entered in a field never is.
    assert [found_in(answer.content.decode()) - {"iban"} for answer in answers] == [set()] * len(answers)
    assert {answer.status for answer in answers} == {200, 201, 403, 422}


def use_pages(browser: Client) -> None:
    """Enter everything as people do."""
    browser.post("/payout-details/add/bank/", REST | {"number": IBAN})
    browser.post(
        "/payout-details/add/wallet/", {"issuer": "orange", "msisdn": CANARIES["wallet"], "password": PASSWORD}
    )
    browser.post("/payout-details/add/bank/", REST | {"number": CANARIES["wrong iban"]})
    browser.post(
        "/payout-details/identity/", {"legal_name": NAMES[0], "national_id": NATIONAL_ID, "password": PASSWORD}
    )
    for address in ("/payout-details/", "/wallet/", "/notices/"):
        assert not found_in(browser.get(address).content.decode())


def use_backoffice(office: Client, owner: Actor) -> None:
    """Decide about the identity, first with a wrong number, and look everywhere."""
    waiting = PayeeIdentity.objects.get(replaced_at=None)
    confirm = addresses.action("confirm-identity", waiting.pk)
    for number in (CANARIES["wrong national id"], NATIONAL_ID):
        answer = office.post(confirm, {"note": "Seen on a call.", "national_id": number}, follow=True)
        assert not found_in(answer.content.decode())
    office.post(addresses.action("reject-identity", waiting.pk), {"note": f"It says {NATIONAL_ID}."})
    office.post(addresses.action("reject-identity", waiting.pk), {"note": "The card has expired."})
    page = addresses.change(User.objects.get(pk=id_of(owner)))
    lists = [addresses.listing(table) for table in (PayeeIdentity, PayoutDestination)]
    for address in [page, *lists, "/backoffice/", "/backoffice/payments/auditevent/"]:
        assert not found_in(office.get(address).content.decode())


def test_a_value_would_be_found_in_every_spelling() -> None:
    for name, canary in CANARIES.items():
        raw = canary.encode()
        for text in (f"x{canary}x", raw.hex(), hashlib.sha256(raw).hexdigest(), json.dumps({"a": canary})):
            assert name in found_in(text)
        for offset in range(4):
            assert name in found_in(base64.b64encode(b"x" * offset + raw + b"yy").decode())
    assert not found_in("•••• 0002 Z••• Q•••")


@pytest.mark.django_db
def test_nothing_is_in_clear_anywhere(
    browse: Browse, settings: Settings, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("django", "django.db.backends", "multitask", "psycopg", "procrastinate"):
        caplog.set_level(logging.DEBUG, logger=name)
    mona, sam = payees.payee(), payees.support()
    caller, browser, office = clients.of(User.objects.get(pk=id_of(mona))), browse(mona), browse(sam)
    # Statements are logged with their parameters, as a server may log them.
    connection.force_debug_cursor = True
    try:
        use_api(caller)
        use_pages(browser)
        use_backoffice(office, mona)
        notices.collect(now=timezone.now())
        mailbag.empty()
        # A fault of ours, in the middle of it.
        settings.DESTINATION_KEYS = ["not a key"]
        assert caller.post("/payments/destinations/", REST | {"kind": "bank", "iban": IBAN}).status == 500
    finally:
        connection.force_debug_cursor = False

    stored, sent = canaries.dump(), written(mail.outbox)
    logged = "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records), *capsys.readouterr()])
    assert PayoutDestination.objects.count() >= 4
    assert len(mail.outbox) >= 6
    assert 'INSERT INTO "payments_payoutdestination"' in logged
    assert "request_failed" in logged
    for place, text in {"database": stored, "emails": sent, "logs": logged}.items():
        assert not found_in(text), place


@pytest.mark.django_db
def test_the_step_up_of_somebody_with_a_second_factor_keeps_nothing(browse: Browse) -> None:
    mona = payees.payee()
    user = User.objects.get(pk=id_of(mona))
    browser = browse(mona)
    staff.prove(browser, user, timezone.now() - timedelta(minutes=10))
    answer = browser.post("/payout-details/add/bank/", REST | {"number": IBAN}, follow=True)
    assert not found_in(f"{answer.redirect_chain} {answer.content.decode()} {canaries.dump()}")
    assert answer.redirect_chain[0][0].startswith("/security/prove/")

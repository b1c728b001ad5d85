"""Staff sees masked values, and support confirms or rejects identities from the queue."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from multitask.payments.models import AuditEvent, PayeeIdentity
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.integration.backoffice import addresses
from tests.integration.destinations import payees
from tests.integration.destinations.payees import LEGAL_NAME, NATIONAL_ID, id_of
from tests.integration.pages.reading import text_of

pytestmark = pytest.mark.django_db

Browse = Callable[[Actor], Client]
WHY = "Saw the card on a video call."
QUEUE = "/backoffice/payments/payeeidentity/?state=submitted"


def person_page(actor: Actor) -> str:
    return addresses.change(User.objects.get(pk=id_of(actor)))


def test_identities_wait_in_the_queue_until_support_has_decided(browse: Browse) -> None:
    mona, sam = payees.payee(), payees.support()
    submitted = payees.submit(mona, at=timezone.now())
    office = browse(sam)
    assert QUEUE in office.get("/backoffice/").content.decode()
    listed = text_of(office.get(QUEUE))
    assert "M••• A••• H•••" in listed
    assert "•••• 2345" in listed
    assert addresses.action("confirm-identity", submitted.pk) in office.get(person_page(mona)).content.decode()

    form = {"note": WHY, "national_id": NATIONAL_ID}
    answer = office.post(addresses.action("confirm-identity", submitted.pk), form)
    assert answer["Location"] == person_page(mona)
    event = AuditEvent.objects.get(event="identity_confirmed")
    assert (event.actor_id, event.user_id, event.note, event.ip) == (sam.user_id, mona.user_id, WHY, "127.0.0.1")
    assert "There is nothing here." in text_of(office.get(QUEUE))
    page = office.get(person_page(mona)).content.decode()
    assert addresses.action("confirm-identity", submitted.pk) not in page
    assert addresses.action("reject-identity", submitted.pk) in page


def test_another_number_confirms_nothing_and_is_not_sent_back(browse: Browse) -> None:
    submitted = payees.submit(payees.payee(), at=timezone.now())
    office, wrong = browse(payees.support()), "29001010112346"
    answer = office.post(addresses.action("confirm-identity", submitted.pk), {"note": WHY, "national_id": wrong})
    assert answer.status_code == 409
    assert "The number on the document is not the one that was entered." in text_of(answer)
    assert wrong not in answer.content.decode()
    assert PayeeIdentity.objects.get().state == "submitted"
    assert AuditEvent.objects.filter(event="identity_mismatch").count() == 1


def test_a_number_that_somebody_else_has_entered_is_shown_before_it_is_confirmed(browse: Browse) -> None:
    mona, nour, other = payees.payee(), payees.payee("nour"), payees.payee("other")
    payees.submit(other, number="29001010212345", at=timezone.now())  # The same last digits.
    first = payees.submit(mona, at=timezone.now())
    office = browse(payees.support())
    assert "Same number" not in text_of(office.get(addresses.action("confirm-identity", first.pk)))

    second = payees.submit(nour, at=timezone.now())
    for each, owner, namesake in ((first, mona, nour), (second, nour, mona)):
        page = office.get(addresses.action("confirm-identity", each.pk))
        assert "Confirm the identity only if they are the same person." in text_of(page)
        assert f'<a href="{person_page(namesake)}">' in page.content.decode()
        assert person_page(other) not in page.content.decode()
        office.post(addresses.action("confirm-identity", each.pk), {"note": WHY, "national_id": NATIONAL_ID})
        event = AuditEvent.objects.get(event="identity_confirmed", user_id=id_of(owner))
        assert event.details["same_number_as"] == str(id_of(namesake))
    page = office.get(addresses.action("reject-identity", second.pk))
    assert "mona (Confirmed)" in text_of(page)


def test_a_rejection_needs_a_reason_and_reaches_the_owner(browse: Browse) -> None:
    mona = payees.payee()
    submitted = payees.submit(mona, at=timezone.now())
    office = browse(payees.support())
    assert office.post(addresses.action("reject-identity", submitted.pk), {"note": ""}).status_code == 422
    assert office.post(addresses.action("reject-identity", submitted.pk), {"note": WHY}).status_code == 302
    assert WHY in text_of(browse(mona).get("/payout-details/"))


def test_nobody_decides_about_oneself(browse: Browse) -> None:
    mona = payees.payee()
    submitted = payees.submit(mona, at=timezone.now())
    User.objects.filter(pk=id_of(mona)).update(staff_role="support", is_staff=True)
    inside = browse(mona)
    assert "/backoffice/do/" not in inside.get(person_page(mona)).content.decode()
    form = {"note": WHY, "national_id": NATIONAL_ID}
    assert inside.post(addresses.action("confirm-identity", submitted.pk), form).status_code == 409
    assert PayeeIdentity.objects.get().state == "submitted"


def test_the_lists_and_the_page_of_a_person_show_masked_values(browse: Browse) -> None:
    mona = payees.payee()
    payees.add(mona, at=timezone.now() - timedelta(days=9))
    payees.add(mona, payees.WALLET, kind="wallet", at=timezone.now())
    payees.submit(mona, at=timezone.now())
    office = browse(payees.support())
    for address in ("/backoffice/payments/payoutdestination/", person_page(mona)):
        page = text_of(office.get(address))
        assert "Bank account, Commercial International Bank (CIB)" in page
        assert "•••• 0002" in page
        assert "Mobile wallet, Vodafone Cash" in page
        assert "Cooling down" in page
        assert LEGAL_NAME not in page

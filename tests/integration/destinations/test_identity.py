"""Identities are submitted by payees and confirmed or rejected by staff, who never sees them."""

from datetime import timedelta
from functools import partial

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import AuditEvent, Notice, PayeeIdentity
from multitask.payments.notices import notices
from multitask.payments.payouts import destination_details, identity
from multitask.payments.payouts.payee_errors import IdentityMismatch, InvalidPayeeDetails, NationalIdInvalid
from multitask.users.actor import Actor, Assurance
from multitask.users.models import User
from multitask.users.owner_proof import OwnerProof, PasswordNeeded
from multitask.users.powers import ProofNeeded
from tests import mailbag
from tests.integration import races
from tests.integration.destinations import payees
from tests.integration.destinations.payees import LEGAL_NAME, NATIONAL_ID, NOW, confirm, id_of, missing, submit

pytestmark = pytest.mark.django_db


def reject(staff: Actor, about: PayeeIdentity, note: str = "The photo is not readable.") -> PayeeIdentity:
    return identity.reject(actor=staff, identity_id=about.pk, note=note, now=NOW)


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("event", flat=True))


def test_staff_confirms_by_the_number_on_the_document() -> None:
    mona, sam = payees.payee(), payees.support()
    submitted = submit(mona)
    assert (submitted.masked_name, submitted.masked_number) == ("M••• A••• H•••", "•••• 2345")

    confirmed = confirm(sam, submitted, number="٢٩٠٠١٠١ ٠١١٢٣٤٥")
    assert (confirmed.state, confirmed.decided_by_id, confirmed.reason) == ("confirmed", sam.user_id, "Seen on a call.")
    assert confirm(sam, submitted).decided_at == NOW
    assert events() == ["identity_submitted", "identity_confirmed"]
    assert missing(mona) == ["destination_missing"]


def test_another_number_on_the_document_confirms_nothing_and_is_recorded() -> None:
    mona, sam = payees.payee(), payees.support()
    submitted = submit(mona)
    with pytest.raises(IdentityMismatch):
        confirm(sam, submitted, number="29001010112346")
    assert events() == ["identity_submitted", "identity_mismatch"]
    assert missing(mona)[0] == "identity_unconfirmed"


def test_an_identity_whose_key_is_lost_is_rejected_and_submitted_again(settings: Settings) -> None:
    mona, sam = payees.payee(), payees.support()
    settings.DESTINATION_KEYS = [Fernet.generate_key().decode()]
    unreadable = submit(mona)
    settings.DESTINATION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(WrongState, match="cannot be read"):
        confirm(sam, unreadable)
    with pytest.raises(WrongState, match="needs a reason"):
        reject(sam, unreadable, note=" ")
    assert reject(sam, unreadable).state == "rejected"
    assert confirm(sam, submit(mona)).state == "confirmed"


def test_a_rejection_has_a_reason_and_the_owner_submits_again() -> None:
    mona, sam = payees.payee(), payees.support()
    submitted = submit(mona)
    assert reject(sam, submitted).reason == "The photo is not readable."
    assert reject(sam, submitted).pk == submitted.pk
    assert missing(mona)[0] == "identity_rejected"
    with pytest.raises(WrongState):
        confirm(sam, submitted)

    again = submit(mona)
    assert again.pk != submitted.pk
    confirm(sam, again)
    assert missing(mona) == ["destination_missing"]


def test_editing_after_the_confirmation_needs_another_one() -> None:
    mona, sam = payees.payee(), payees.support()
    first = submit(mona)
    confirm(sam, first)
    assert submit(mona, name=f" {LEGAL_NAME}  ").pk == first.pk  # the same again
    submit(mona, name="Mona Adel Fathy", at=NOW + timedelta(days=1))
    assert missing(mona)[0] == "identity_unconfirmed"
    with pytest.raises(WrongState):
        confirm(sam, first)


def test_a_confirmed_identity_may_be_rejected_later() -> None:
    mona, sam = payees.payee(), payees.support()
    submitted = confirm(sam, submit(mona))
    destination = payees.add(mona)
    reject(sam, submitted, "It belongs to somebody else.")
    assert missing(mona)[0] == "identity_rejected"
    with pytest.raises(WrongState):
        destination_details.details(destination.pk)


def test_the_owner_is_told_of_each_step() -> None:
    mona, sam = payees.payee(), payees.support()
    reject(sam, submit(mona))
    confirm(sam, submit(mona))
    notices.collect(now=NOW)
    told = list(Notice.objects.filter(user_id=id_of(mona)).order_by("pk").values_list("kind", flat=True))
    assert told == ["identity_submitted", "identity_rejected", "identity_submitted", "identity_confirmed"]
    assert not Notice.objects.exclude(user_id=id_of(mona)).exists()
    letters = mailbag.empty(NOW)
    assert len(letters) == 4
    assert not any("•" in str(letter.body) or LEGAL_NAME in str(letter.body) for letter in letters)


@pytest.mark.parametrize("role", ["client", "support without proof", "the owner"])
def test_only_other_peoples_staff_with_a_fresh_proof_decides(role: str) -> None:
    mona = payees.payee()
    submitted = submit(mona)
    sam = User.objects.get(pk=id_of(payees.support()))
    actors = {
        "client": (payees.payee("carl"), Forbidden),
        "support without proof": (Actor.of(sam, assurance=Assurance.SESSION), ProofNeeded),
    }
    if role == "the owner":
        User.objects.filter(pk=id_of(mona)).update(staff_role="support", is_staff=True)
        owner = Actor.of(User.objects.get(pk=id_of(mona)), assurance=Assurance.FRESH)
        actors[role] = owner, Forbidden
    actor, refusal = actors[role]
    with pytest.raises(refusal):
        confirm(actor, submitted)
    with pytest.raises(refusal):
        reject(actor, submitted)
    assert missing(mona)[0] == "identity_unconfirmed"


def test_the_number_is_kept_out_of_the_reason() -> None:
    mona, sam = payees.payee(), payees.support()
    submitted = submit(mona)
    for note in (f"It says {NATIONAL_ID}.", "It says 290 0101 0112345"):
        with pytest.raises(InvalidPayeeDetails):
            reject(sam, submitted, note)
    with pytest.raises(WrongState):
        reject(sam, submitted, " ")


def test_submitting_needs_a_proof_and_valid_values() -> None:
    mona = payees.payee()
    with pytest.raises(PasswordNeeded):
        identity.submit(actor=mona, legal_name=LEGAL_NAME, national_id=NATIONAL_ID, proof=OwnerProof(), now=NOW)
    with pytest.raises(NationalIdInvalid):
        submit(mona, number="1")
    with pytest.raises(Forbidden):
        submit(payees.payee("carl", is_freelancer=False, is_client=True))
    assert not PayeeIdentity.objects.exists()


def test_there_is_nothing_to_decide_where_nothing_was_submitted() -> None:
    with pytest.raises(NotFound):
        identity.reject(actor=payees.support(), identity_id=1, note="Not readable.", now=NOW)


@pytest.mark.django_db(transaction=True)
def test_a_submission_and_a_decision_at_once_end_in_one_order() -> None:
    mona, sam = payees.payee(), payees.support()
    first = submit(mona)
    answers = races.together([partial(confirm, sam, first), partial(submit, mona, name="Mona Adel Fathy")] * 3)
    assert not any(isinstance(answer, Exception) and not isinstance(answer, WrongState) for answer in answers), answers
    assert PayeeIdentity.objects.filter(replaced_at=None).count() == 1
    assert missing(mona)[0] == "identity_unconfirmed"
    connection.close()

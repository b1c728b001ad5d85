"""Who payees are by law: their legal name and national id number, submitted by them and confirmed by staff.

Staff never sees the number: it types the one that it reads on the document, and the two are compared here. A later
submission replaces the identity and needs a confirmation of its own.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import uuid4

from multitask import database
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.models import PayeeIdentity
from multitask.payments.payouts import destination_rules, encryption, identity_rules
from multitask.payments.payouts.payee_errors import Fault, IdentityMismatch, require_none
from multitask.payments.states import IdentityState, may
from multitask.users import accounts, owner_proof, powers
from multitask.users.actor import Actor, Power
from multitask.users.owner_proof import OwnerProof

_STAFF_ONLY: Final = "Only staff confirms who somebody is."


def state_of(user_id: int) -> IdentityState | None:
    """Return the state of a user's identity, None if none was submitted."""
    found = PayeeIdentity.objects.filter(user_id=user_id, replaced_at=None).values_list("state", flat=True).first()
    return None if found is None else IdentityState(found)


def current(user_id: int) -> PayeeIdentity | None:
    """Return a user's identity, with masked values to show; None if none was submitted."""
    return PayeeIdentity.objects.filter(user_id=user_id, replaced_at=None).first()


def others_with_number(submitted: PayeeIdentity) -> list[PayeeIdentity]:
    """Return the present identities of other users with the same national id number, oldest first, with their users.

    One person may have two accounts, or give somebody else's number: staff has to know before it confirms. Numbers are
    encrypted, so those with the same last digits are decrypted and compared.
    """
    number = _number_of(submitted)
    alike = PayeeIdentity.objects.filter(replaced_at=None, masked_number=submitted.masked_number)
    others = alike.exclude(user_id=submitted.user_id).select_related("user").order_by("pk")
    return [each for each in others if number is not None and _number_of(each) == number]


def submit(*, actor: Actor, legal_name: str, national_id: str, proof: OwnerProof, now: datetime) -> PayeeIdentity:
    """Submit the actor's identity, which staff has to confirm; it replaces an earlier one.

    The same again returns the earlier one, unless it was rejected. Raises Forbidden, TooManyRequests, what
    `identity_rules.read` and what `owner_proof.require` raise.
    """
    if not actor.is_freelancer or actor.user_id is None:
        raise Forbidden("Only a freelancer can have payout details.")
    name, number = identity_rules.read(legal_name=legal_name, national_id=national_id, today=now.date())
    owner_proof.require(actor=actor, proof=proof, now=now)
    return _submit(actor, actor.user_id, {"legal_name": name, "national_id": number}, now)


@database.transactional
def _submit(actor: Actor, user_id: int, values: dict[str, str], now: datetime) -> PayeeIdentity:
    # The lock of the user orders submissions and decisions.
    accounts.locked(user_id)
    earlier = current(user_id)
    if earlier is not None:
        is_same = encryption.decrypted_or_none(earlier.public_id, earlier.encrypted) == values
        if is_same and earlier.state != IdentityState.REJECTED.value:
            return earlier
        earlier.replaced_at = now
        earlier.save(update_fields=["replaced_at"])
    public_id = uuid4()
    rate_limits.count(user_id=user_id, purpose=rate_limits.Purpose.DESTINATION, key=str(public_id), now=now)
    submitted = PayeeIdentity.objects.create(
        public_id=public_id,
        user_id=user_id,
        masked_name=destination_rules.masked_name(values["legal_name"]),
        masked_number=destination_rules.masked_number(values["national_id"]),
        encrypted=encryption.encrypt(public_id, values),
        submitted_at=now,
    )
    _record("identity_submitted", actor, submitted, now)
    return submitted


def confirm(*, actor: Actor, identity_id: int, national_id: str, note: str, now: datetime) -> PayeeIdentity:
    """Confirm an identity, as staff that has seen the document; `national_id` is the number on it, `note` the reason.

    One that is confirmed already is returned. A number that differs is recorded. Raises Forbidden, ProofNeeded,
    NotFound, WrongState or IdentityMismatch.
    """
    powers.require(actor, Power.CONFIRM_IDENTITY, Forbidden(_STAFF_ONLY))
    confirmed = _confirm(actor, identity_id, national_id, note, now)
    if confirmed is None:
        raise IdentityMismatch(fields={"national_id": IdentityMismatch.message})
    return confirmed


@database.transactional
def _confirm(actor: Actor, identity_id: int, national_id: str, note: str, now: datetime) -> PayeeIdentity | None:
    """Return the confirmed identity; None if the number on the document is another one, which is recorded."""
    submitted = _locked(actor, identity_id)
    if submitted.state == IdentityState.CONFIRMED.value:
        return submitted
    number = _number_of(submitted)
    if number is None:
        raise WrongState("This identity cannot be read: its key is lost. Reject it, and its owner submits it again.")
    _require_reason(note, number)
    if not hmac.compare_digest(destination_rules.number(national_id).encode(), number.encode()):
        _record("identity_mismatch", actor, submitted, now, note=note)
        return None
    also = [other.user_id for other in others_with_number(submitted)]
    details = {"same_number_as": ", ".join(map(str, also))} if also else {}
    return _decide(actor, submitted, IdentityState.CONFIRMED, note, now, details)


@database.transactional
def reject(*, actor: Actor, identity_id: int, note: str, now: datetime) -> PayeeIdentity:
    """Reject an identity, as staff; its owner sees the reason in `note`. One that is rejected already is returned.

    Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.CONFIRM_IDENTITY, Forbidden(_STAFF_ONLY))
    submitted = _locked(actor, identity_id)
    if submitted.state == IdentityState.REJECTED.value:
        return submitted
    _require_reason(note, _number_of(submitted))
    return _decide(actor, submitted, IdentityState.REJECTED, note, now)


def _locked(actor: Actor, identity_id: int) -> PayeeIdentity:
    """Return an identity, its owner locked. Raises NotFound, Forbidden or WrongState."""
    owner_id = PayeeIdentity.objects.filter(pk=identity_id).values_list("user_id", flat=True).first()
    if owner_id is None:
        raise NotFound("There is no such identity.")
    if actor.is_user(owner_id):
        raise Forbidden("You cannot decide about your own identity.")
    accounts.locked(owner_id)
    found = PayeeIdentity.objects.get(pk=identity_id)
    if found.replaced_at is not None:
        raise WrongState("Its owner has submitted another one since.")
    return found


def _number_of(submitted: PayeeIdentity) -> str | None:
    """Return the national id number of an identity, None if no key decrypts it."""
    values = encryption.decrypted_or_none(submitted.public_id, submitted.encrypted)
    return None if values is None else values["national_id"]


def _require_reason(note: str, number: str | None) -> None:
    """Require a reason that does not contain the number, if that is known."""
    if not note.strip():
        raise WrongState("This decision needs a reason.")
    # Reasons are shown and kept in clear.
    if number is not None and number in destination_rules.number(note):
        require_none([Fault("note", "invalid_text", "Leave the number out of the reason: it is kept in clear.")])


def _decide(
    actor: Actor,
    submitted: PayeeIdentity,
    decision: IdentityState,
    note: str,
    now: datetime,
    details: Mapping[str, str] | None = None,
) -> PayeeIdentity:
    if not may(IdentityState(submitted.state), decision):
        raise WrongState(f"This identity is {submitted.state}.")
    submitted.state, submitted.reason = decision.value, note
    submitted.decided_at, submitted.decided_by_id = now, actor.user_id
    submitted.save()
    _record(f"identity_{decision}", actor, submitted, now, note=note, more=details)
    return submitted


def _record(
    event: str,
    actor: Actor,
    about: PayeeIdentity,
    now: datetime,
    *,
    note: str = "",
    more: Mapping[str, str] | None = None,
) -> None:
    details: dict[str, str | int] = {
        "identity": about.pk,
        "masked_name": about.masked_name,
        "masked_number": about.masked_number,
        **(more or {}),
    }
    audit.record(event, actor=actor, now=now, user_id=about.user_id, note=note, details=details)

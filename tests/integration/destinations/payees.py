"""Freelancers in Egypt for these tests, what they enter, and the proofs that they give."""

from datetime import UTC, datetime
from typing import Any, Final

from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import destinations, identity
from multitask.users.actor import Actor, Assurance
from multitask.users.models import User
from multitask.users.owner_proof import OwnerProof
from tests.integration.pages.codes import PASSWORD

NOW: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
IBAN: Final = "EG380019000500000000263180002"
NATIONAL_ID: Final = "29001010112345"
LEGAL_NAME: Final = "Mona Adel Hassan"
BANK: Final = {"iban": IBAN, "bank_code": "CIB", "full_name": LEGAL_NAME}
WALLET: Final = {"issuer": "vodafone", "msisdn": "01012345678"}
BY_PASSWORD: Final = OwnerProof(password=PASSWORD)


def payee(name: str = "mona", **more: Any) -> Actor:
    """A freelancer with a password and without a second factor."""
    fields = {"is_freelancer": True, "country": "EG", "default_currency": "EGP"} | more
    user = User.objects.create_user(name, f"{name}@example.com", PASSWORD, **fields)
    return Actor.of(user, ip="203.0.113.7")


def give_password(actor: Actor) -> None:
    """Give somebody the password that these tests prove changes by."""
    user = User.objects.get(pk=id_of(actor))
    user.set_password(PASSWORD)
    user.save()


def support(name: str = "sam") -> Actor:
    """Somebody of the support who has just proved the second factor."""
    user = User.objects.create_user(name, f"{name}@example.com", PASSWORD, staff_role="support", is_staff=True)
    return Actor.of(user, ip="203.0.113.9", assurance=Assurance.FRESH)


def id_of(actor: Actor) -> int:
    """The user id of an actor who is a person."""
    assert actor.user_id is not None
    return actor.user_id


def add(
    actor: Actor,
    given: dict[str, str] = BANK,
    *,
    kind: str = "bank",
    at: datetime = NOW,
    proof: OwnerProof = BY_PASSWORD,
) -> PayoutDestination:
    """Add a destination in EGP."""
    return destinations.add(actor=actor, currency="EGP", kind=kind, given=given, proof=proof, now=at)


def remove(actor: Actor, destination: PayoutDestination, *, at: datetime = NOW) -> PayoutDestination:
    """Remove a destination."""
    return destinations.remove(actor=actor, destination_id=destination.public_id, proof=BY_PASSWORD, now=at)


def submit(actor: Actor, *, name: str = LEGAL_NAME, number: str = NATIONAL_ID, at: datetime = NOW) -> PayeeIdentity:
    """Submit an identity."""
    return identity.submit(actor=actor, legal_name=name, national_id=number, proof=BY_PASSWORD, now=at)


def confirm(staff: Actor, about: PayeeIdentity, *, number: str = NATIONAL_ID, at: datetime = NOW) -> PayeeIdentity:
    """Confirm an identity, having seen the document."""
    return identity.confirm(actor=staff, identity_id=about.pk, national_id=number, note="Seen on a call.", now=at)


def missing(actor: Actor, at: datetime = NOW) -> list[str]:
    """The names of what is missing before this person can be paid."""
    return [found.reason.value for found in destinations.missing(user_id=id_of(actor), currency="EGP", now=at)]

"""Payout destinations of payees: added, replaced and removed by their owner, always with a fresh proof.

A destination is usable once its cool-down is over. A new one replaces the present one at that moment and not before:
until then withdrawals go on to the present one, so that somebody who has taken over an account gains nothing, and the
owner, who is warned at once, loses nothing by removing the new one (decision 33).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import Q, QuerySet

from multitask import database
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit
from multitask.payments.errors import CurrencyUnsupported, Forbidden, NotFound
from multitask.payments.models import PayoutDestination
from multitask.payments.operations import routes
from multitask.payments.payouts import destination_rules, encryption, identity, refund_destinations
from multitask.payments.provider import RouteKind
from multitask.payments.provider.destinations import DestinationDetails
from multitask.payments.states import IdentityState
from multitask.users import accounts, owner_proof
from multitask.users.actor import Actor
from multitask.users.owner_proof import OwnerProof


class MissingReason(StrEnum):
    """Why a payee cannot be paid yet; the names are part of the API."""

    IDENTITY_MISSING = "identity_missing"
    IDENTITY_UNCONFIRMED = "identity_unconfirmed"
    IDENTITY_REJECTED = "identity_rejected"
    DESTINATION_MISSING = "destination_missing"
    DESTINATION_COOLING_DOWN = "destination_cooling_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One reason, and when it ends by itself, if it does."""

    reason: MissingReason
    until: datetime | None = None


_BY_IDENTITY: Final[Mapping[IdentityState | None, MissingReason | None]] = {
    None: MissingReason.IDENTITY_MISSING,
    IdentityState.SUBMITTED: MissingReason.IDENTITY_UNCONFIRMED,
    IdentityState.REJECTED: MissingReason.IDENTITY_REJECTED,
    IdentityState.CONFIRMED: None,
}


def missing(*, user_id: int, currency: str, now: datetime) -> list[Missing]:
    """Return why this payee cannot be paid in this currency yet, in the order in which to solve it; empty if nothing.

    Two queries. Whether the currency is paid out to destinations at all is not asked here.
    """
    of_identity = _BY_IDENTITY[identity.state_of(user_id)]
    found = [] if of_identity is None else [Missing(reason=of_identity)]
    present = listed(user_id=user_id, now=now, currency=currency)
    if not present:
        found.append(Missing(reason=MissingReason.DESTINATION_MISSING))
    elif not present[0].is_in_use(now):
        until = present[0].usable_from
        found.append(Missing(reason=MissingReason.DESTINATION_COOLING_DOWN, until=until))
    return found


def snapshot(*, user_id: int, currency: str, now: datetime) -> int | None:
    """Return the id of the destination to which a withdrawal made now goes, None without one.

    While nothing is usable yet it is the one that is cooling down: its `usable_from` is when the withdrawal may go.
    """
    present = listed(user_id=user_id, now=now, currency=currency)
    return present[0].pk if present else None


def listed(*, user_id: int, now: datetime, currency: str) -> list[PayoutDestination]:
    """Return the destinations of a user in one currency that are in use or cooling down, the one in use first."""
    return list(live(user_id=user_id, now=now).filter(currency=currency))


def live(*, user_id: int, now: datetime) -> QuerySet[PayoutDestination]:
    """Select the destinations of a user that are in use or cooling down: per currency, the one in use first."""
    found = PayoutDestination.objects.filter(Q(retired_at=None) | Q(retired_at__gt=now), user_id=user_id)
    return found.order_by("currency", "usable_from", "pk")


def own(*, user_id: int, destination_id: UUID) -> PayoutDestination:
    """Return a destination of a user, also a retired one. Raises NotFound."""
    found = PayoutDestination.objects.filter(user_id=user_id, public_id=destination_id).first()
    if found is None:
        raise NotFound("There is no such payout destination.")
    return found


def is_offered(currency: str) -> bool:
    """Return whether payees of this currency are paid to destinations: its route pays out from the platform's money."""
    route = routes.find(currency)
    return currency in destination_rules.CURRENCIES and route is not None and route.kind is RouteKind.PLATFORM


def usable_from(now: datetime) -> datetime:
    """Return when the cool-down of a destination ends that is added now."""
    return now + timedelta(hours=settings.DESTINATION_COOL_DOWN_HOURS)


def add(
    *, actor: Actor, currency: str, kind: str, given: Mapping[str, str], proof: OwnerProof, now: datetime
) -> PayoutDestination:
    """Add a destination, which replaces the present one of its currency after the cool-down.

    The same details again return the destination that has them, unless it is being replaced. Raises Forbidden,
    CurrencyUnsupported, TooManyRequests, DestinationCannotTakeRefund, what `destination_rules.read` and what
    `owner_proof.require` raise.
    """
    user_id = _payee(actor)
    require_currency(currency)
    # A freelancer is paid only once the identity is confirmed; a client's refund needs none.
    is_name_known = not actor.is_client or identity.state_of(user_id) is IdentityState.CONFIRMED
    details = destination_rules.read(kind, given, is_name_known=is_name_known)
    owner_proof.require(actor=actor, proof=proof, now=now)
    return _add(actor, user_id, currency, details, now)


def require_currency(currency: str) -> None:
    """Check that a currency is paid out to destinations. Raises CurrencyUnsupported."""
    if currency in destination_rules.CURRENCIES:
        return
    found = f"Payouts in {currency} are not possible here; choose one of {', '.join(destination_rules.CURRENCIES)}."
    raise CurrencyUnsupported(found, fields={"currency": found})


def _payee(actor: Actor) -> int:
    # Clients too: a refund that cannot go back the way the money came is paid out to them.
    if not (actor.is_freelancer or actor.is_client) or actor.user_id is None:
        raise Forbidden("Only a client or a freelancer can have payout details.")
    return actor.user_id


@database.transactional
def _add(actor: Actor, user_id: int, currency: str, details: DestinationDetails, now: datetime) -> PayoutDestination:
    # The lock of the user orders requests, so that two of them leave one latest destination.
    accounts.locked(user_id)
    latest = PayoutDestination.objects.filter(user_id=user_id, currency=currency, retired_at=None).first()
    if latest is not None and _has(latest, details):
        return latest
    if not actor.is_freelancer:
        # A freelancer's withdrawals go there too, which it may suit.
        refund_destinations.require_taken(user_id=user_id, currency=currency, kind=details.kind)
    public_id = uuid4()
    rate_limits.count(user_id=user_id, purpose=rate_limits.Purpose.DESTINATION, key=str(public_id), now=now)
    usable = usable_from(now)
    if latest is not None:
        _retire_in_favour(latest, usable, now)
    added = PayoutDestination.objects.create(
        public_id=public_id,
        user_id=user_id,
        currency=currency,
        kind=details.kind.value,
        bank_code=details.bank_code,
        issuer=details.issuer,
        masked=destination_rules.masked_number(details.number),
        encrypted=encryption.encrypt(public_id, {"number": details.number, "full_name": details.full_name}),
        created_at=now,
        usable_from=usable,
    )
    _record("destination_added", actor, added, now)
    return added


def _retire_in_favour(latest: PayoutDestination, usable_from: datetime, now: datetime) -> None:
    """Let the latest destination be used until its successor is; one that was never usable ends at once."""
    if latest.is_in_use(now):
        latest.retired_at = usable_from
    else:
        # Whatever it would have replaced stays in use until the new one is usable.
        _replaced_by(latest, now).update(retired_at=usable_from)
        latest.retired_at = now
    latest.save(update_fields=["retired_at"])


def _replaced_by(coming: PayoutDestination, now: datetime) -> QuerySet[PayoutDestination]:
    """Select the destination in use whose place one that is cooling down will take."""
    return PayoutDestination.objects.filter(
        user_id=coming.user_id, currency=coming.currency, usable_from__lte=now, retired_at__gt=now
    )


def remove(*, actor: Actor, destination_id: UUID, proof: OwnerProof, now: datetime) -> PayoutDestination:
    """Remove a destination of the actor; one that is removed already is returned.

    Removing one that is cooling down keeps the one that it would have replaced. Raises NotFound or what
    `owner_proof.require` raises.
    """
    own(user_id=accounts.present(actor).pk, destination_id=destination_id)
    user = owner_proof.require(actor=actor, proof=proof, now=now)
    return _remove(actor, user.pk, destination_id, now)


@database.transactional
def _remove(actor: Actor, user_id: int, destination_id: UUID, now: datetime) -> PayoutDestination:
    accounts.locked(user_id)
    destination = own(user_id=user_id, destination_id=destination_id)
    if destination.is_retired(now):
        return destination
    was_coming = destination.is_cooling_down(now)
    destination.retired_at = now
    destination.save(update_fields=["retired_at"])
    if was_coming:
        _replaced_by(destination, now).update(retired_at=None)
    _record("destination_removed", actor, destination, now)
    return destination


def _has(destination: PayoutDestination, details: DestinationDetails) -> bool:
    """Return whether a destination has these details; False if its key is lost, so that its owner can replace it."""
    values = encryption.decrypted_or_none(destination.public_id, destination.encrypted)
    if values is None:
        return False
    found = destination_rules.stored(
        destination.kind, values, bank_code=destination.bank_code, issuer=destination.issuer
    )
    return found == details


def _record(event: str, actor: Actor, destination: PayoutDestination, now: datetime) -> None:
    details = {
        "destination": str(destination.public_id),
        "kind": destination.kind,
        "bank_code": destination.bank_code,
        "issuer": destination.issuer,
        "masked": destination.masked,
        "currency": destination.currency,
        "usable_from": destination.usable_from.isoformat(),
    }
    audit.record(event, actor=actor, now=now, user_id=destination.user_id, details=details)

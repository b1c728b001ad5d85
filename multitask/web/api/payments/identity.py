"""`/payments/identity/`: who a freelancer of a platform route is by law. Name and number are shown masked only."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from multitask.payments.models import PayeeIdentity
from multitask.payments.payouts import identity
from multitask.payments.states import IdentityState
from multitask.web import step_up
from multitask.web.api import auth
from multitask.web.api.operations import responses
from multitask.web.api.payments.destinations import ConfidentialBody, Detail, PasswordIn
from multitask.web.api.schemas import Output

router = Router(tags=["payout destinations"])


class IdentityIn(ConfidentialBody):
    """The legal name, as the national ID card shows it, and the number of 14 digits."""

    legal_name: Annotated[Detail, Field(examples=["منى عادل حسن"])]
    national_id: Annotated[Detail, Field(examples=["29001010112345"])]
    password: PasswordIn | None = None


class IdentityOut(Output):
    """An identity as it may be shown. `rejection_reason` is what staff wrote when it rejected it."""

    has_identity: bool = True
    state: IdentityState
    masked_name: Annotated[str, Field(examples=["M••• A•••"])]
    masked_number: Annotated[str, Field(examples=["•••• 2345"])]
    submitted_at: datetime
    decided_at: datetime | None
    rejection_reason: str


class NoIdentityOut(Output):
    """The answer to a user who has not submitted an identity."""

    has_identity: bool = False


@router.get("/identity/", operation_id="identity_get", response=responses({200: IdentityOut | NoIdentityOut}))
def show_own(request: HttpRequest) -> IdentityOut | NoIdentityOut:
    """Show the caller's identity, masked, and whether staff has confirmed it."""
    found = identity.current(auth.user_of(request).pk)
    return NoIdentityOut() if found is None else show(found)


@router.post("/identity/", operation_id="identity_submit", response=responses({201: IdentityOut}, 409, body=True))
def submit(request: HttpRequest, body: IdentityIn) -> Status[IdentityOut]:
    """Submit the caller's identity, as a freelancer; staff confirms it before the first withdrawal.

    Another submission replaces it and needs a confirmation of its own; the same again changes nothing. Callers with a
    second factor must have proved it within the last five minutes (`reauth_required`); others send their password and
    have a confirmed email address.
    """
    submitted = identity.submit(
        actor=auth.actor_of(request),
        legal_name=body.legal_name,
        national_id=body.national_id,
        proof=step_up.owner_proof(request, body.password or ""),
        now=timezone.now(),
    )
    return Status(201, show(submitted))


def show(found: PayeeIdentity) -> IdentityOut:
    """Make the answer that shows an identity; the reason of a confirmation is the staff's own."""
    is_rejected = found.state == IdentityState.REJECTED.value
    return IdentityOut(
        state=IdentityState(found.state),
        masked_name=found.masked_name,
        masked_number=found.masked_number,
        submitted_at=found.submitted_at,
        decided_at=found.decided_at,
        rejection_reason=found.reason if is_rejected else "",
    )

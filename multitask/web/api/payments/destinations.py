"""`/payments/destinations/`: where a freelancer of a platform route is paid. Numbers are shown masked only."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from multitask.payments.errors import NotFound
from multitask.payments.models import PayoutDestination
from multitask.payments.payouts import destination_rules, destinations, egyptian_banks
from multitask.payments.payouts.destinations import MissingReason
from multitask.payments.provider.destinations import DestinationKind, WalletIssuer
from multitask.web import step_up
from multitask.web.api import auth, pagination
from multitask.web.api.operations import responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.payments.shared import identifier
from multitask.web.api.schemas import Body, CurrencyIn, CurrencyOut, Output, Page

router = Router(tags=["payout destinations"])

Detail = Annotated[str, Field(max_length=destination_rules.LONGEST_TEXT)]
PasswordIn = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_024,
        description="For callers without a second factor, who confirm the change by it.",
    ),
]


class ConfidentialBody(Body):
    """A body that shows nothing when it is printed."""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Return no fields: representations end up in logs."""
        return []


class DestinationIn(ConfidentialBody):
    """A bank account, mobile wallet or InstaPay account. `bank` and `instapay` take `iban` or `account_number`, with
    `bank_code` and `full_name`; `wallet` takes `issuer` and `msisdn`, and `full_name` where the issuer needs the
    holder's name and no confirmed identity tells it.
    """

    kind: Annotated[str, Field(max_length=20, examples=[kind.value for kind in DestinationKind])]
    currency: CurrencyIn | None = None
    iban: Annotated[Detail, Field(examples=["EG380019000500000000263180002"])] | None = None
    account_number: Annotated[Detail, Field(examples=["1234567890"])] | None = None
    bank_code: Annotated[Detail, Field(examples=["CIB"])] | None = None
    full_name: Annotated[Detail, Field(description="The account holder's, as the bank has it.")] | None = None
    issuer: Annotated[Detail, Field(examples=[issuer.value for issuer in WalletIssuer])] | None = None
    msisdn: Annotated[Detail, Field(description="The wallet's mobile number.", examples=["01012345678"])] | None = None
    password: PasswordIn | None = None


class ProofIn(ConfidentialBody):
    """The body of a change that only its owner may make."""

    password: PasswordIn | None = None


class DestinationState(StrEnum):
    """Whether withdrawals go to it now."""

    COOLING_DOWN = "cooling_down"
    IN_USE = "in_use"
    RETIRED = "retired"


class DestinationOut(Output):
    """A payout destination; `masked` is what may be shown of its number. Withdrawals go to it from `usable_from`."""

    destination_id: uuid.UUID
    kind: DestinationKind
    currency: CurrencyOut
    masked: Annotated[str, Field(examples=["•••• 0002"])]
    bank_code: str
    bank_name: str
    issuer: str
    status: DestinationState
    created_at: datetime
    usable_from: datetime
    retired_at: Annotated[datetime | None, Field(description="When another one takes its place, or it was removed.")]


class DestinationMessage(Output):
    """A destination after something was done with it.

    `usual_issuer` names the issuer that most wallets with this number's prefix have, if it is another one.
    """

    message: str
    usual_issuer: str
    destination: DestinationOut


class MissingOut(Output):
    """Why the caller cannot be paid yet; `until` is when that ends by itself, if it does."""

    reason: MissingReason
    until: datetime | None


class MissingList(Output):
    """All that is missing, in the order in which to solve it; empty for somebody who can be paid."""

    currency: CurrencyOut
    missing: list[MissingOut]


class BankOut(Output):
    """A bank by the code that `bank_code` takes."""

    bank_code: str
    name: str
    name_ar: str


class BankList(Output):
    """The banks to which can be paid."""

    banks: list[BankOut]


class CurrencyQuery(BaseModel):
    """The currency that is asked about; the caller's default currency unless another is given."""

    currency: CurrencyIn | None = None


@router.get(
    "/destinations/",
    operation_id="destinations_list",
    response=responses({200: Page[DestinationOut]}),
)
def listed(request: HttpRequest, paging: PageQuery) -> Page[DestinationOut]:
    """List the caller's destinations that are in use or cooling down: per currency, the one in use first."""
    now = timezone.now()
    found = destinations.live(user_id=auth.user_of(request).pk, now=now)
    return pagination.page(request, paging, found, lambda destination: show(destination, now))


@router.post(
    "/destinations/",
    operation_id="destinations_add",
    response=responses({201: DestinationMessage}, 409, body=True),
)
def add(request: HttpRequest, body: DestinationIn) -> Status[DestinationMessage]:
    """Add a destination, as a freelancer or a client; it replaces the present one of its currency after the cool-down.

    Clients are paid refunds there that cannot go back the way they paid.

    Callers with a second factor must have proved it within the last five minutes (`reauth_required`); others send
    their password and have a confirmed email address. The same details again change nothing.
    """
    user, now = auth.user_of(request), timezone.now()
    names = set().union(*destination_rules.FIELDS.values())
    added = destinations.add(
        actor=auth.actor_of(request),
        currency=body.currency or user.default_currency,
        kind=body.kind,
        given={name: value for name, value in body.model_dump(include=names).items() if value is not None},
        proof=step_up.owner_proof(request, body.password or ""),
        now=now,
    )
    return Status(201, _message("Withdrawals go there once the cool-down is over.", added, now, body.msisdn))


@router.get("/destinations/banks/", operation_id="destinations_banks", response=responses({200: BankList}))
def banks(request: HttpRequest) -> BankList:
    """List the banks that a destination can be at."""
    known = egyptian_banks.BANKS
    return BankList(banks=[BankOut(bank_code=bank.code, name=bank.english, name_ar=bank.arabic) for bank in known])


@router.get("/destinations/missing/", operation_id="destinations_missing", response=responses({200: MissingList}))
def missing(request: HttpRequest, query: Query[CurrencyQuery]) -> MissingList:
    """List why the caller's withdrawals cannot be paid to a destination yet, in a currency that is paid out so."""
    user = auth.user_of(request)
    currency = query.currency or user.default_currency
    destinations.require_currency(currency)
    found = destinations.missing(user_id=user.pk, currency=currency, now=timezone.now())
    return MissingList(currency=currency, missing=[MissingOut(reason=one.reason, until=one.until) for one in found])


@router.get(
    "/destinations/{destination_id}/",
    operation_id="destinations_get",
    response=responses({200: DestinationOut}, 404),
)
def one(request: HttpRequest, destination_id: str) -> DestinationOut:
    """Show a destination of the caller, also a retired one."""
    found = destinations.own(user_id=auth.user_of(request).pk, destination_id=_public_id(destination_id))
    return show(found, timezone.now())


@router.post(
    "/destinations/{destination_id}/remove/",
    operation_id="destinations_remove",
    response=responses({200: DestinationMessage}, 404, 409, body=True),
)
def remove(request: HttpRequest, destination_id: str, body: ProofIn = ProofIn()) -> DestinationMessage:  # noqa: B008
    """Remove a destination of the caller. Removing one that is cooling down keeps the one it would have replaced.

    It takes the same proof as adding one.
    """
    now = timezone.now()
    removed = destinations.remove(
        actor=auth.actor_of(request),
        destination_id=_public_id(destination_id),
        proof=step_up.owner_proof(request, body.password or ""),
        now=now,
    )
    return _message("Withdrawals do not go there any more.", removed, now)


def _public_id(text: str) -> uuid.UUID:
    found = identifier(text)
    if not isinstance(found, uuid.UUID):
        raise NotFound("There is no such payout destination.")
    return found


def _message(
    sentence: str, destination: PayoutDestination, now: datetime, msisdn: str | None = None
) -> DestinationMessage:
    usual = destination_rules.unusual_issuer(destination.issuer, msisdn or "")
    return DestinationMessage(message=sentence, usual_issuer=usual, destination=show(destination, now))


def show(destination: PayoutDestination, now: datetime) -> DestinationOut:
    """Make the answer that shows a destination."""
    return DestinationOut(
        destination_id=destination.public_id,
        kind=DestinationKind(destination.kind),
        currency=destination.currency,
        masked=destination.masked,
        bank_code=destination.bank_code,
        bank_name=egyptian_banks.name(destination.bank_code, "en"),
        issuer=destination.issuer,
        status=_state(destination, now),
        created_at=destination.created_at,
        usable_from=destination.usable_from,
        retired_at=destination.retired_at,
    )


def _state(destination: PayoutDestination, now: datetime) -> DestinationState:
    if destination.is_retired(now):
        return DestinationState.RETIRED
    return DestinationState.IN_USE if destination.is_in_use(now) else DestinationState.COOLING_DOWN

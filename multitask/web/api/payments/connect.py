"""`/payments/connect/`: the freelancer's account at the provider."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from multitask.payments.models import ConnectedAccount
from multitask.payments.payouts import onboarding
from multitask.web.api import auth
from multitask.web.api.operations import responses
from multitask.web.api.payments.shared import own_url
from multitask.web.api.schemas import NOTHING, Body, CurrencyIn, CurrencyOut, Empty, Output

router = Router(tags=["connect"])


class AccountIn(Body):
    """Where the freelancer is paid; the profile's country and currency unless others are named."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    currency: CurrencyIn | None = None


class AccountOut(Output):
    """A payout account. `requirements` lists what the provider still needs."""

    id: int
    provider: str
    provider_account_id: str
    stripe_account_id: str
    country: str
    currency: CurrencyOut
    charges_enabled: bool
    payouts_enabled: bool
    details_submitted: bool
    onboarding_completed: bool
    has_account: bool
    requirements: dict[str, Any]


class NoAccountOut(Output):
    """The answer to a user without a payout account."""

    has_account: bool = False


class LinkOut(Output):
    """A link to the provider's own pages; it works once and for a short time."""

    url: str
    expires_at: datetime


WITHOUT_WISHES = AccountIn()


@router.post(
    "/connect/create/",
    operation_id="connect_create",
    response=responses({201: AccountOut}, 409, 429, body=True),
)
def create(request: HttpRequest, body: AccountIn = WITHOUT_WISHES) -> Status[AccountOut]:
    """Create a payout account, as a freelancer."""
    user = auth.user_of(request)
    account = onboarding.create(
        actor=auth.actor_of(request),
        country=body.country or user.country,
        currency=body.currency or user.default_currency,
        now=timezone.now(),
    )
    return Status(201, show(account))


@router.post(
    "/connect/onboarding/",
    operation_id="connect_onboarding",
    response=responses({200: LinkOut}, 404, 409, 429, body=True),
)
def link(request: HttpRequest, body: Empty = NOTHING) -> LinkOut:
    """Make a fresh link to the provider's onboarding pages, where bank details are changed.

    Callers with a second factor must have proved it within the last five minutes (`reauth_required`).
    """
    auth.require_fresh_proof(request)
    made = onboarding.link(
        actor=auth.actor_of(request),
        refresh_url=own_url("/onboarding/refresh/"),
        return_url=own_url("/onboarding/return/"),
        now=timezone.now(),
    )
    return LinkOut(url=made.url, expires_at=made.expires_at)


@router.get(
    "/connect/status/",
    operation_id="connect_status",
    response=responses({200: AccountOut | NoAccountOut}),
)
def status(request: HttpRequest) -> AccountOut | NoAccountOut:
    """Show the caller's payout account, as the provider last described it."""
    account = onboarding.account_of(auth.user_of(request).pk)
    return NoAccountOut() if account is None else show(account)


def show(account: ConnectedAccount) -> AccountOut:
    """Make the answer that shows an account."""
    provider_id = account.provider_account_id or ""
    return AccountOut(
        id=account.pk,
        provider=account.provider,
        provider_account_id=provider_id,
        stripe_account_id=provider_id if account.provider == "stripe" else "",
        country=account.country,
        currency=account.currency,
        charges_enabled=account.charges_enabled,
        payouts_enabled=account.payouts_enabled,
        details_submitted=account.details_submitted,
        onboarding_completed=account.onboarding_completed,
        has_account=True,
        requirements=account.requirements,
    )

"""`/payments/connect/`: the freelancer's account at the provider."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from multitask.payments.models import ConnectedAccount
from multitask.payments.payouts import account_choices, account_status, onboarding
from multitask.payments.payouts.account_status import AccountStatus
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
    """A payout account. `requirements` lists what the provider still needs.

    A `status` of rejected or closed is final; `explanation` says it in words. `can_be_replaced` is true while another
    country or currency can be chosen, and when the account has ended. Only `bank_currencies` can be paid out.
    """

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
    status: AccountStatus
    explanation: str
    is_final: bool
    can_be_replaced: bool
    bank_currencies: list[CurrencyOut]


class NoAccountOut(Output):
    """The answer to a user without a payout account."""

    has_account: bool = False


class PlaceIn(Body):
    """The country and the currency of an account that replaces another one."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    currency: CurrencyIn


class CountryOut(Output):
    """A country in which payees can be paid, and the currency of its banks."""

    country: str
    bank_currency: CurrencyOut


class OptionsOut(Output):
    """What can be chosen for a payout account."""

    countries: list[CountryOut]
    currencies: list[CurrencyOut]


class DashboardOut(Output):
    """A link into the account at the provider; it works once."""

    url: str


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
    """Create a payout account, as a freelancer; or a new one after the last has been rejected or closed for good."""
    user = auth.user_of(request)
    account = onboarding.create(
        actor=auth.actor_of(request),
        country=body.country or user.country,
        currency=body.currency or user.default_currency,
        now=timezone.now(),
    )
    return Status(201, show(account))


@router.get("/connect/options/", operation_id="connect_options", response=responses({200: OptionsOut}, 409))
def options(request: HttpRequest) -> OptionsOut:
    """List the countries and currencies in which payees can be paid."""
    offered = account_choices.offered()
    countries = [CountryOut(country=code, bank_currency=currency) for code, currency in offered.countries.items()]
    return OptionsOut(countries=countries, currencies=offered.currencies)


@router.post(
    "/connect/replace/",
    operation_id="connect_replace",
    response=responses({201: AccountOut}, 404, 409, 429, body=True),
)
def replace(request: HttpRequest, body: PlaceIn) -> Status[AccountOut]:
    """Replace a payout account of the wrong country or currency, as long as nothing was paid to it.

    Callers with a second factor must have proved it within the last five minutes (`reauth_required`).
    """
    auth.require_fresh_proof(request)
    account = onboarding.replace(
        actor=auth.actor_of(request), country=body.country, currency=body.currency, now=timezone.now()
    )
    return Status(201, show(account))


@router.post(
    "/connect/dashboard/",
    operation_id="connect_dashboard",
    response=responses({200: DashboardOut}, 404, 409, 429, body=True),
)
def dashboard(request: HttpRequest, body: Empty = NOTHING) -> DashboardOut:
    """Make a fresh link into a complete account at the provider, where its bank details are changed.

    Callers with a second factor must have proved it within the last five minutes (`reauth_required`).
    """
    auth.require_fresh_proof(request)
    return DashboardOut(url=onboarding.login_link(actor=auth.actor_of(request), now=timezone.now()))


@router.post(
    "/connect/onboarding/",
    operation_id="connect_onboarding",
    response=responses({200: LinkOut}, 404, 409, 429, body=True),
)
def link(request: HttpRequest, body: Empty = NOTHING) -> LinkOut:
    """Make a fresh link to the provider's onboarding pages, where missing details are provided.

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
        status=account_status.of(account),
        explanation=" ".join(account_status.sentences(account)),
        is_final=account.is_final,
        can_be_replaced=onboarding.can_be_replaced(account),
        bank_currencies=account.bank_currencies,
    )

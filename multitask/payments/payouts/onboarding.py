"""Freelancers' connected accounts: created here, completed on the provider's own pages."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from multitask import database
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit
from multitask.payments.errors import (
    AccountExists,
    Forbidden,
    NoAccount,
    UnknownObject,
)
from multitask.payments.models import ConnectedAccount, Escrow, Operation
from multitask.payments.operations import direct_calls, engine, queue, references, send_deadline
from multitask.payments.provider import (
    AccountState,
    HoldsAccounts,
    OnboardingLink,
    Provider,
    ProviderError,
    Search,
    supporting,
)
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor
from multitask.users.models import User

CREATE_ACCOUNT: Final = "create_account"
_SYSTEM = Actor.system("provider")


def account_of(user_id: int, provider: str | None = None) -> ConnectedAccount | None:
    """Return the user's account at a provider (by default the configured one), or None until it exists there."""
    return accounts_of(user_id, provider or settings.PAYMENT_PROVIDER).first()


def accounts_of(user_id: int, provider: str) -> QuerySet[ConnectedAccount]:
    """Select the user's account at a provider, if it exists there."""
    return ConnectedAccount.objects.filter(user_id=user_id, provider=provider, provider_account_id__isnull=False)


def without_bank(user_ids: Iterable[int], currency: str) -> set[int]:
    """Return those users whose connected account has no bank account in this currency yet."""
    accounts = ConnectedAccount.objects.filter(
        user_id__in=list(user_ids), provider=settings.PAYMENT_PROVIDER, provider_account_id__isnull=False
    )
    return set(accounts.exclude(bank_currencies__contains=[currency]).values_list("user_id", flat=True))


def create(*, actor: Actor, country: str, currency: str, now: datetime) -> ConnectedAccount:
    """Create the freelancer's connected account.

    Raises Forbidden, AccountExists, TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    if not actor.is_freelancer or actor.user_id is None:
        raise Forbidden("Only a freelancer can have a payout account.")
    with direct_calls.answered():
        engine.provider_for(settings.PAYMENT_PROVIDER, HoldsAccounts)
    began = send_deadline.moment()
    call = _intend(actor, actor.user_id, country, currency, now)
    engine.answered(call, now=now, began=began)
    return ConnectedAccount.objects.get(pk=call.operation.subject_id)


@database.transactional
def _intend(actor: Actor, user_id: int, country: str, currency: str, now: datetime) -> engine.Call:
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    provider = settings.PAYMENT_PROVIDER
    account, created = ConnectedAccount.objects.get_or_create(
        user=user,
        provider=provider,
        defaults={
            "country": country,
            "currency": currency,
            "created_at": now,
            "updated_at": now,
        },
    )
    if account.provider_account_id:
        raise AccountExists
    if created:
        audit.record("account_requested", actor=actor, now=now, user_id=user.pk)
    latest = engine.latest(CREATE_ACCOUNT, account.pk)
    if latest is not None and latest.state != "failed":
        return engine.Call(latest)
    engine.require_answering(provider)
    sequence = 1 if latest is None else latest.sequence + 1
    rate_limits.count(user_id=user.pk, purpose=rate_limits.Purpose.ACCOUNT, key=f"{account.pk}:{sequence}", now=now)
    if latest is not None:
        # The provider refused the last request permanently; this one may have other details.
        ConnectedAccount.objects.filter(pk=account.pk).update(country=country, currency=currency)
    return engine.begin_claimed(
        CREATE_ACCOUNT,
        subject_id=account.pk,
        provider=provider,
        user_id=user.pk,
        now=now,
        sequence=sequence,
        arguments={"email": user.email, "country": country, "currency": currency},
    )


def link(*, actor: Actor, refresh_url: str, return_url: str, now: datetime) -> OnboardingLink:
    """Create a new link to the provider's onboarding page.

    Raises NoAccount, TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    account = None if actor.user_id is None else account_of(actor.user_id)
    if account is None or account.provider_account_id is None:
        raise NoAccount
    rate_limits.count(
        user_id=account.user_id,
        purpose=rate_limits.Purpose.ONBOARDING_LINK,
        key=f"{account.pk}:{now.timestamp()}",
        now=now,
    )
    with direct_calls.answered():
        return engine.provider_for(account.provider, HoldsAccounts).create_onboarding_link(
            account_id=account.provider_account_id, refresh_url=refresh_url, return_url=return_url
        )


def refresh(*, user_id: int, now: datetime) -> None:
    """Read the account from the provider and apply its state; called when the user returns from the provider's pages.

    Does nothing without an account. Raises ProviderRefused or ProviderUnavailable.
    """
    account = account_of(user_id)
    if account is None or account.provider_account_id is None:
        return
    with direct_calls.answered():
        state = engine.provider_for(account.provider, HoldsAccounts).read_account(account.provider_account_id)
    confirm(account.provider, state, now=now)


@database.transactional
def confirm(provider: str, state: AccountState, now: datetime) -> None:
    """Apply the provider's state of an account, and resume operations that waited for it. Raises UnknownObject."""
    account = _known(provider, state)
    if account is None:
        raise UnknownObject(detail=state.id)
    was_complete, had_banks = account.onboarding_completed, set(account.bank_currencies)
    _apply_state(account, state, now)
    if account.onboarding_completed != was_complete:
        event = "account_enabled" if account.onboarding_completed else "account_needs_attention"
        audit.record(event, actor=_SYSTEM, now=now, user_id=account.user_id)
    if account.can_receive:
        engine.retry_waiting(account.user_id, now=now)
    for currency in sorted(set(account.bank_currencies) - had_banks):
        _queue_settlements(account, currency)


def _queue_settlements(account: ConnectedAccount, currency: str) -> None:
    """Queue jobs for released shares that waited for a bank account in this currency."""
    waiting = Escrow.objects.filter(
        freelancer_id=account.user_id,
        provider=account.provider,
        currency=currency,
        state=EscrowState.RELEASED.value,
        made_available_at=None,
    )
    for escrow_id in waiting.order_by("pk").values_list("pk", flat=True):
        queue.defer(queue.MAKE_AVAILABLE, escrow_id=escrow_id)


def _known(provider: str, state: AccountState) -> ConnectedAccount | None:
    # A webhook can arrive before the response to our own call; the reference then identifies the account.
    wanted = references.object_filter("provider_account_id", state.id, state.reference, CREATE_ACCOUNT)
    accounts = ConnectedAccount.objects.select_for_update(no_key=True).filter(wanted, provider=provider)
    return accounts.order_by("provider_account_id").first()


def _apply_state(account: ConnectedAccount, state: AccountState, now: datetime) -> None:
    if account.provider_account_id is None:
        audit.record("account_created", actor=_SYSTEM, now=now, user_id=account.user_id)
    account.provider_account_id = state.id
    account.charges_enabled = state.charges_enabled
    account.payouts_enabled = state.payouts_enabled
    account.transfers_enabled = state.transfers_enabled
    account.details_submitted = state.details_submitted
    account.bank_currencies = sorted(state.bank_currencies)
    account.disabled_reason = state.disabled_reason
    account.closed = state.closed
    account.requirements = {
        "currently_due": list(state.requirements_due),
        "pending_verification": list(state.requirements_pending),
        "disabled_reason": state.disabled_reason or None,
    }
    account.updated_at = now
    account.save()


class CreateAccount:
    """Performs `create_account`."""

    def call(self, provider: Provider, operation: Operation) -> AccountState:
        """Create the account."""
        accounts = supporting(provider, HoldsAccounts)
        return accounts.create_account(reference=operation.reference, key=operation.key, **operation.arguments)

    def find(self, provider: Provider, operation: Operation) -> Search[AccountState]:
        """Look for the account of an earlier attempt."""
        return supporting(provider, HoldsAccounts).find_account(
            reference=operation.reference, since=references.earliest(operation)
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Apply the state of the new account, unless a webhook already did."""
        account = ConnectedAccount.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
        if account.provider_account_id is None:
            _apply_state(account, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; no account was created, and the freelancer may try again with other details."""
        audit.record("account_refused", actor=_SYSTEM, now=now, user_id=operation.user_id, note=error.message)

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""

"""Freelancers' connected accounts: created and replaced here, completed on the provider's own pages.

An account that has ended for good, or whose country or currency was a wrong choice, is replaced by another one. The
new one becomes the current account once it exists at the provider; the former one is retired in the same transaction.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from multitask import database
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit
from multitask.payments.errors import (
    AccountEnded,
    AccountExists,
    AccountInUse,
    Forbidden,
    NoAccount,
    OnboardingIncomplete,
    UnknownObject,
)
from multitask.payments.models import ConnectedAccount, Escrow, Operation
from multitask.payments.operations import direct_calls, engine, held_calls, queue, references, send_deadline
from multitask.payments.payouts import account_choices, account_status, former_accounts
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
    """Return the user's current account at a provider (by default the configured one), or None until it exists."""
    return accounts_of(user_id, provider or settings.PAYMENT_PROVIDER).first()


def accounts_of(user_id: int, provider: str) -> QuerySet[ConnectedAccount]:
    """Select the user's current account at a provider, if it exists there."""
    return ConnectedAccount.objects.filter(
        user_id=user_id, provider=provider, provider_account_id__isnull=False, retired_at=None
    )


def usable_accounts() -> QuerySet[ConnectedAccount]:
    """Select all current accounts at the configured provider that have not ended."""
    return ConnectedAccount.objects.filter(
        provider=settings.PAYMENT_PROVIDER,
        provider_account_id__isnull=False,
        retired_at=None,
        closed=False,
        rejection="",
    )


def create(*, actor: Actor, country: str, currency: str, now: datetime) -> ConnectedAccount:
    """Create the freelancer's connected account, or the successor of one that has ended for good.

    Raises Forbidden, AccountExists, CountryUnsupported, CurrencyUnsupported, TooManyRequests, ProviderRefused or
    ProviderUnavailable.
    """
    return _create(actor, country, currency, now, is_replacement=False)


def replace(*, actor: Actor, country: str, currency: str, now: datetime) -> ConnectedAccount:
    """Replace an account of another country or currency, to which nothing was paid yet.

    Raises NoAccount, AccountInUse, and what `create` raises; AccountExists if nothing would change.
    """
    return _create(actor, country, currency, now, is_replacement=True)


def _create(actor: Actor, country: str, currency: str, now: datetime, *, is_replacement: bool) -> ConnectedAccount:
    if not actor.is_freelancer or actor.user_id is None:
        raise Forbidden("Only a freelancer can have a payout account.")
    account_choices.require_offered(country=country, currency=currency)
    began = send_deadline.moment()
    call = _intend(actor, actor.user_id, country, currency, now, is_replacement)
    engine.answered(call, now=now, began=began)
    return ConnectedAccount.objects.get(pk=call.operation.subject_id)


def can_be_replaced(account: ConnectedAccount) -> bool:
    """Return whether another country or currency can be chosen: nothing was paid to the account, or it has ended."""
    return account.is_final or not former_accounts.is_used(account)


def _require_room(account: ConnectedAccount | None, country: str, currency: str, *, is_replacement: bool) -> None:
    """Require that another account may be opened beside the current one. Raises as `create` and `replace` say."""
    if account is None and is_replacement:
        raise NoAccount
    if account is None or account.is_final:
        return
    if not is_replacement or (account.country, account.currency) == (country, currency):
        raise AccountExists
    if not can_be_replaced(account):
        raise AccountInUse


@database.transactional
def _intend(
    actor: Actor, user_id: int, country: str, currency: str, now: datetime, is_replacement: bool
) -> engine.Call:
    # The lock of the user orders requests, so that two of them open one account.
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    provider = settings.PAYMENT_PROVIDER
    # One statement, since the account that is being created may become the current one at any moment.
    rows = {
        row.provider_account_id is None: row
        for row in ConnectedAccount.objects.filter(user=user, provider=provider, retired_at=None)
    }
    _require_room(rows.get(False), country, currency, is_replacement=is_replacement)
    account = rows.get(True)
    if account is None:
        account = ConnectedAccount.objects.create(
            user=user, provider=provider, country=country, currency=currency, created_at=now, updated_at=now
        )
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

    Raises NoAccount, AccountEnded, TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    account, account_id = _linked(actor, now)
    with direct_calls.answered():
        return engine.provider_for(account.provider, HoldsAccounts).create_onboarding_link(
            account_id=account_id, refresh_url=refresh_url, return_url=return_url
        )


def login_link(*, actor: Actor, now: datetime) -> str:
    """Create a link into the owner's account at the provider, where a complete account's bank details are changed.

    It works once. Raises OnboardingIncomplete while details are missing, and what `link` raises.
    """
    account, account_id = _linked(actor, now)
    if not account.details_submitted:
        raise OnboardingIncomplete
    with direct_calls.answered():
        return engine.provider_for(account.provider, HoldsAccounts).create_login_link(account_id)


def _linked(actor: Actor, now: datetime) -> tuple[ConnectedAccount, str]:
    """Return the actor's account and its id at the provider, and count the link that is made to it."""
    account = None if actor.user_id is None else account_of(actor.user_id)
    if account is None or account.provider_account_id is None:
        raise NoAccount
    if account.is_final:
        raise AccountEnded
    _count(account, rate_limits.Purpose.ONBOARDING_LINK, now)
    return account, account.provider_account_id


def _count(account: ConnectedAccount, purpose: rate_limits.Purpose, now: datetime) -> None:
    """Count a call about an account, each time that it is made."""
    rate_limits.count(user_id=account.user_id, purpose=purpose, key=f"{account.pk}:{now.timestamp()}", now=now)


def refresh(*, user_id: int, now: datetime) -> None:
    """Read the account from the provider and apply its state; called when the user returns from the provider's pages.

    Does nothing without an account. Raises TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    account = account_of(user_id)
    if account is None or account.provider_account_id is None:
        return
    _count(account, rate_limits.Purpose.ACCOUNT_READ, now)
    with direct_calls.answered():
        state = engine.provider_for(account.provider, HoldsAccounts).read_account(account.provider_account_id)
    confirm(account.provider, state, now=now)


@database.transactional
def confirm(provider: str, state: AccountState, now: datetime) -> None:
    """Apply the provider's state of an account, and resume operations that waited for it. Raises UnknownObject."""
    account = _known(provider, state)
    if account is None:
        raise UnknownObject(detail=state.id)
    before, had_banks = _stage(account), set(account.bank_currencies)
    _apply_state(account, state, now)
    if account.retired_at is None:
        _record_change(account, before, now)
    if account.can_receive:
        held_calls.retry_waiting(account.user_id, now=now)
    for currency in sorted(set(account.bank_currencies) - had_banks):
        _queue_settlements(account, currency)


class _Stage(NamedTuple):
    is_final: bool
    is_complete: bool
    is_due: bool


def _stage(account: ConnectedAccount) -> _Stage:
    due = bool(account.requirements.get("currently_due"))
    return _Stage(account.is_final, account.onboarding_completed, due)


def _record_change(account: ConnectedAccount, before: _Stage, now: datetime) -> None:
    """Record what changed for the owner, who gets a notice of each of these events."""
    after, details = _stage(account), {}
    if after.is_final and not before.is_final:
        event, details = "account_ended", {"reason": account_status.CLOSED if account.closed else account.rejection}
    elif after.is_complete and not before.is_complete:
        event = "account_enabled"
    elif before.is_complete and not after.is_complete and not after.is_final:
        event = "account_needs_attention" if after.is_due else "account_paused"
    elif after.is_complete and after.is_due and not before.is_due:
        event = "account_details_due"
    else:
        return
    audit.record(event, actor=_SYSTEM, now=now, user_id=account.user_id, details=details)


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
        former_accounts.retire_for(account, now)
        audit.record("account_created", actor=_SYSTEM, now=now, user_id=account.user_id)
    account.provider_account_id = state.id
    account.charges_enabled = state.charges_enabled
    account.payouts_enabled = state.payouts_enabled
    account.transfers_enabled = state.transfers_enabled
    account.details_submitted = state.details_submitted
    account.bank_currencies = sorted(state.bank_currencies)
    account.disabled_reason = state.disabled_reason
    account.rejection = state.rejection or ""
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

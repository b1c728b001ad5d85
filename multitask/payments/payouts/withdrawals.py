"""Withdrawals: from the available balance to the freelancer's bank."""

from datetime import datetime
from typing import Any, Final

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import (
    DisputeOpen,
    Forbidden,
    InsufficientFunds,
    KeyReused,
    NoBankInCurrency,
    OnboardingIncomplete,
    UnknownObject,
)
from multitask.payments.models import ConnectedAccount, Escrow, Operation, Withdrawal
from multitask.payments.operations import amounts, engine, references
from multitask.payments.payouts import onboarding
from multitask.payments.provider import Failure, PayoutStatus, PaysOut, Provider, ProviderError, Search, supporting
from multitask.payments.provider import PayoutState as ProviderPayout
from multitask.payments.states import EscrowState, HistoryStatus, WithdrawalState, may
from multitask.users.actor import Actor

CREATE_PAYOUT: Final = "create_payout"
_SYSTEM: Final = Actor.system("provider")


def create(*, actor: Actor, amount: Money, now: datetime, request_key: str = "") -> Withdrawal:
    """Withdraw from the available balance. A repeated `request_key` returns the same withdrawal.

    Raises Forbidden, InsufficientFunds, TooManyRequests, KeyReused or what `require_possible` raises.
    """
    try:
        return _create(actor, amount, now, request_key)
    except ledger.InsufficientBalance as error:
        raise InsufficientFunds from error


@database.transactional
def _create(actor: Actor, amount: Money, now: datetime, request_key: str) -> Withdrawal:
    if not actor.is_freelancer or actor.user_id is None:
        raise Forbidden("Only a freelancer can withdraw.")
    account = _locked_account(actor.user_id)
    earlier = _earlier(actor.user_id, amount, request_key)
    if earlier is not None:
        return earlier
    require_possible(account, amount)
    withdrawal = Withdrawal.objects.create(
        user_id=actor.user_id,
        account=account,
        provider=account.provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        request_key=request_key,
        created_at=now,
    )
    rate_limits.count(user_id=actor.user_id, purpose=rate_limits.Purpose.WITHDRAWAL, key=str(withdrawal.pk), now=now)
    _send(withdrawal, actor, now)
    return withdrawal


def _locked_account(user_id: int) -> ConnectedAccount:
    """Lock the user's account, so that concurrent requests with the same key run one after the other.

    Raises OnboardingIncomplete.
    """
    account = onboarding.account_of(user_id)
    if account is None:
        raise OnboardingIncomplete
    return ConnectedAccount.objects.select_for_update(no_key=True).get(pk=account.pk)


def _earlier(user_id: int, amount: Money, request_key: str) -> Withdrawal | None:
    if not request_key:
        return None
    found = Withdrawal.objects.filter(user_id=user_id, request_key=request_key).first()
    if found is not None and found.amount != amount:
        raise KeyReused
    return found


def require_possible(account: ConnectedAccount, amount: Money) -> None:
    """Require that an account can pay this amount out now.

    Raises OnboardingIncomplete, DisputeOpen, NoBankInCurrency, AmountTooSmall or AmountTooPrecise.
    """
    if not account.onboarding_completed:
        raise OnboardingIncomplete
    require_undisputed(account.user_id)
    if not account.has_bank_for(amount.currency):
        raise NoBankInCurrency(f"Add a bank account in {amount.currency} to your payout account first.")
    amounts.require_payout(account.provider, amount)


def require_undisputed(user_id: int) -> None:
    """Require that no escrow of the freelancer is disputed or frozen. Raises DisputeOpen."""
    escrows = Escrow.objects.filter(freelancer_id=user_id)
    disputed = escrows.filter(state=EscrowState.DISPUTED.value)
    frozen = escrows.filter(frozen_at__isnull=False)
    if disputed.exists() or frozen.exists():
        raise DisputeOpen("You can withdraw again once the open dispute is settled.")


def _send(withdrawal: Withdrawal, actor: Actor, now: datetime) -> None:
    engine.begin(
        CREATE_PAYOUT,
        subject_id=withdrawal.pk,
        provider=withdrawal.provider,
        user_id=withdrawal.user_id,
        now=now,
        arguments={
            "account_id": withdrawal.account.provider_account_id,
            "amount_minor": withdrawal.amount_minor,
            "currency": withdrawal.currency,
        },
    )
    history.withdrawal_requested(withdrawal, now)
    audit.record(
        "withdrawal_requested",
        actor=actor,
        now=now,
        withdrawal=withdrawal,
        user_id=withdrawal.user_id,
        amount=withdrawal.amount,
    )
    postings.reserve_withdrawal(withdrawal, now)


@database.transactional
def confirm(provider: str, state: ProviderPayout, now: datetime) -> None:
    """Apply the provider's state of a payout. Raises UnknownObject."""
    withdrawal = _known(provider, state)
    if withdrawal is None:
        raise UnknownObject(detail=state.id)
    withdrawal.provider_payout_id = withdrawal.provider_payout_id or state.id
    withdrawal.arrival_at = state.arrival_at or withdrawal.arrival_at
    if state.status is PayoutStatus.PAID:
        _paid(withdrawal, now)
    elif state.status in {PayoutStatus.FAILED, PayoutStatus.CANCELLED}:
        _failed(withdrawal, state.failure_code, state.failure_message, now)
    elif withdrawal.state == WithdrawalState.PENDING.value:
        withdrawal.state = WithdrawalState.PROCESSING.value
    withdrawal.save()


def _known(provider: str, state: ProviderPayout) -> Withdrawal | None:
    wanted = references.object_filter("provider_payout_id", state.id, state.reference, CREATE_PAYOUT)
    locked = Withdrawal.objects.select_for_update(no_key=True, of=("self",)).filter(wanted, provider=provider)
    # A payout of another account is not this withdrawal, even if its reference matches.
    return locked.filter(account__provider_account_id=state.account_id).order_by("provider_payout_id").first()


def _paid(withdrawal: Withdrawal, now: datetime) -> None:
    if not may(WithdrawalState(withdrawal.state), WithdrawalState.COMPLETED):
        return
    withdrawal.state = WithdrawalState.COMPLETED.value
    withdrawal.processed_at = now
    history.withdrawal_became(withdrawal, HistoryStatus.COMPLETED, now)
    _record("withdrawal_completed", withdrawal, now)
    withdrawal.paid_posting_id = postings.pay_withdrawal(withdrawal, now).id


def _failed(withdrawal: Withdrawal, code: str, reason: str, now: datetime) -> None:
    if not may(WithdrawalState(withdrawal.state), WithdrawalState.FAILED):
        return
    paid = withdrawal.paid_posting_id
    withdrawal.state = WithdrawalState.FAILED.value
    withdrawal.failed_at = now
    withdrawal.failure_code = code
    withdrawal.failure_reason = _explained(withdrawal, code, reason).sentence
    history.withdrawal_became(withdrawal, HistoryStatus.FAILED, now, reason=withdrawal.failure_reason)
    _record("withdrawal_failed", withdrawal, now, note=withdrawal.failure_reason)
    if paid is not None:
        postings.unpay_withdrawal(withdrawal, paid, now)
    postings.release_withdrawal(withdrawal, now)


def _record(event: str, withdrawal: Withdrawal, now: datetime, *, note: str = "") -> None:
    audit.record(
        event,
        actor=_SYSTEM,
        now=now,
        withdrawal=withdrawal,
        user_id=withdrawal.user_id,
        amount=withdrawal.amount,
        note=note,
    )


def _explained(withdrawal: Withdrawal, code: str, reason: str) -> Failure:
    return engine.provider_for(withdrawal.provider, PaysOut).payout_failure(code, reason)


def needs_new_details(withdrawal: Withdrawal) -> bool:
    """Return whether the owner has to change the bank details before a retry."""
    return _explained(withdrawal, withdrawal.failure_code, withdrawal.failure_reason).needs_new_details


class CreatePayout:
    """Performs `create_payout`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayout:
        """Create the payout."""
        wanted = operation.arguments
        return supporting(provider, PaysOut).create_payout(
            reference=operation.reference,
            account_id=wanted["account_id"],
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayout]:
        """Look for the payout of an earlier attempt."""
        return supporting(provider, PaysOut).find_payout(
            reference=operation.reference,
            account_id=operation.arguments["account_id"],
            since=references.earliest(operation),
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it; the payout is usually not paid yet."""
        confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Make the money available again and record the reason."""
        withdrawal = Withdrawal.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
        _failed(withdrawal, error.code, error.message, now)
        withdrawal.save()

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""

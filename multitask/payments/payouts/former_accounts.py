"""Accounts that another one has replaced: retired here and, if they never got money, closed at the provider."""

from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from multitask.payments.books import audit
from multitask.payments.models import ConnectedAccount, Operation
from multitask.payments.operations import engine
from multitask.payments.provider import (
    ABSENT,
    AccountState,
    Found,
    HoldsAccounts,
    Provider,
    ProviderError,
    Search,
    supporting,
)
from multitask.payments.states import OperationState
from multitask.users.actor import Actor

CLOSE_ACCOUNT: Final = "close_account"
_SYSTEM: Final = Actor.system("provider")


def of(account: ConnectedAccount) -> QuerySet[ConnectedAccount]:
    """Select the accounts of the same owner that were replaced, newest first."""
    retired = ConnectedAccount.objects.filter(
        user_id=account.user_id, provider=account.provider, retired_at__isnull=False
    )
    return retired.order_by("-pk")


def are_closed(account: ConnectedAccount) -> bool:
    """Return whether no former account of the same owner can be reached any more."""
    return not of(account).filter(closed=False).exists()


def is_used(account: ConnectedAccount) -> bool:
    """Return whether a transfer was sent to the account, of a share or of an adjustment, or may have been."""
    sent = Operation.objects.filter(account=account)
    unsent = {"state": OperationState.PENDING.value, "is_uncertain": False}
    return sent.exclude(state=OperationState.FAILED.value).exclude(**unsent).exists()


def retire_for(successor: ConnectedAccount, now: datetime) -> None:
    """Retire the account that a new one replaces, in the transaction in which the caller stores the new one."""
    current = ConnectedAccount.objects.filter(
        user_id=successor.user_id, provider=successor.provider, retired_at=None, provider_account_id__isnull=False
    )
    former = current.exclude(pk=successor.pk).select_for_update(no_key=True).first()
    if former is None:
        return
    successor.replaces, former.retired_at = former, now
    former.save(update_fields=["retired_at"])
    audit.record("account_replaced", actor=_SYSTEM, now=now, user_id=former.user_id)
    # A transfer that is under way now keeps the account open: it locks the account before it is sent.
    if not former.closed and not is_used(former):
        engine.begin(CLOSE_ACCOUNT, subject_id=former.pk, provider=former.provider, user_id=former.user_id, now=now)


class CloseAccount:
    """Performs `close_account`."""

    def call(self, provider: Provider, operation: Operation) -> AccountState:
        """Close the account."""
        accounts = supporting(provider, HoldsAccounts)
        return accounts.close_account(account_id=_provider_id(operation), key=operation.key)

    def find(self, provider: Provider, operation: Operation) -> Search[AccountState]:
        """Read whether an earlier attempt has closed it."""
        state = supporting(provider, HoldsAccounts).read_account(_provider_id(operation))
        return Found(state) if state.closed else ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Record that the account is closed."""
        account = ConnectedAccount.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
        if not account.closed:
            account.closed = True
            account.save(update_fields=["closed"])
            audit.record("account_deleted", actor=_SYSTEM, now=now, user_id=account.user_id)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Do nothing: the account stays open at the provider, unused."""

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""


def _provider_id(operation: Operation) -> str:
    return str(ConnectedAccount.objects.values_list("provider_account_id", flat=True).get(pk=operation.subject_id))

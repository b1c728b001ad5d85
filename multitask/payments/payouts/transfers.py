"""Transfers of the freelancer's share to the connected account."""

from datetime import datetime
from typing import Any, Final

from django.db.models import OuterRef, QuerySet, Subquery

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.authorization.access import require_neutral
from multitask.payments.authorization.locks import lock_by_id
from multitask.payments.books import audit, postings
from multitask.payments.errors import Forbidden, UnknownObject, WrongState
from multitask.payments.models import Approval, ConnectedAccount, Escrow, Operation, Payment
from multitask.payments.operations import engine, queue, references
from multitask.payments.payouts import onboarding
from multitask.payments.provider import Provider, ProviderError, Search, Transfers, supporting
from multitask.payments.provider import TransferState as ProviderTransfer
from multitask.payments.states import OperationState, PaymentState
from multitask.users import powers
from multitask.users.actor import Actor, Power

CREATE_TRANSFER: Final = "create_transfer"
AWAITS_ACCOUNT: Final = "awaits_account"
AWAITS_CHARGEBACK: Final = "awaits_chargeback"
_SYSTEM: Final = Actor.system("provider")


def begin(escrow: Escrow, amount: Money, now: datetime) -> None:
    """Create the operation for a release's transfer; it stays pending until the freelancer's account can receive it."""
    engine.begin(
        CREATE_TRANSFER,
        subject_id=escrow.pk,
        provider=escrow.provider,
        escrow=escrow,
        user_id=escrow.freelancer_id,
        now=now,
        arguments={"amount_minor": amount.amount_minor, "currency": amount.currency},
    )


@database.transactional
def confirm(provider: str, state: ProviderTransfer, now: datetime) -> None:
    """Apply the provider's state of a transfer. Raises UnknownObject."""
    operation = _known(provider, state)
    if operation is None or operation.escrow_id is None:
        raise UnknownObject(detail=state.id)
    _transferred(lock_by_id(operation.escrow_id), state, now)
    engine.resolve(
        CREATE_TRANSFER,
        operation.subject_id,
        sequence=operation.sequence,
        now=now,
        reference=state.id,
    )


def _known(provider: str, state: ProviderTransfer) -> Operation | None:
    transfers = Operation.objects.filter(kind=CREATE_TRANSFER, provider=provider)
    known = transfers.filter(provider_reference=state.id).first()
    subject = references.subject_of(state.reference, CREATE_TRANSFER)
    if known is not None or subject is None:
        return known
    return transfers.filter(subject_id=subject[0], sequence=subject[1]).first()


def _transferred(escrow: Escrow, state: ProviderTransfer, now: datetime) -> None:
    """Post the transfer; the escrow in the posting's key makes a second call have no effect."""
    paid = Payment.objects.filter(escrow=escrow, state=PaymentState.SUCCEEDED.value)
    accounts = onboarding.accounts_of(escrow.freelancer_id, escrow.provider)
    found = accounts.annotate(available_at=Subquery(paid.values("available_at")[:1])).values_list("pk", "available_at")
    account_id, available_at = found.first() or (None, None)
    if account_id is None:
        raise UnknownObject(detail=state.account_id)
    posting = postings.transfer(escrow, account_id, state.amount, now)
    if posting.created:
        audit.record("transferred", actor=_SYSTEM, now=now, escrow=escrow, amount=state.amount)
        queue.defer(queue.MAKE_AVAILABLE, at=available_at, escrow_id=escrow.pk)


def _locked_account(operation: Operation) -> ConnectedAccount | None:
    assert operation.user_id is not None  # noqa: S101
    locked = ConnectedAccount.objects.select_for_update(no_key=True)
    return locked.filter(user_id=operation.user_id, provider=operation.provider).first()


class CreateTransfer:
    """Performs `create_transfer`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderTransfer:
        """Create the transfer with the escrow's payment as its source of funds."""
        paid = Payment.objects.filter(escrow=operation.escrow_id, state=PaymentState.SUCCEEDED.value)
        assert operation.user_id is not None  # noqa: S101
        account = onboarding.accounts_of(operation.user_id, operation.provider).values("provider_account_id")
        found = paid.annotate(account_id=Subquery(account[:1])).values_list("provider_collection_id", "account_id")
        collection_id, account_id = found.get()
        return supporting(provider, Transfers).create_transfer(
            reference=operation.reference,
            amount=Money(operation.arguments["amount_minor"], operation.arguments["currency"]),
            account_id=account_id,
            collection_id=collection_id,
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderTransfer]:
        """Look for the transfer of an earlier attempt."""
        return supporting(provider, Transfers).find_transfer(
            reference=operation.reference,
            account_id=self._account_id(operation),
            since=references.earliest(operation),
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Post the transfer."""
        assert operation.escrow_id is not None  # noqa: S101
        _transferred(lock_by_id(operation.escrow_id), state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; the money stays pending, and staff sees the reason and may retry."""
        audit.record(
            "transfer_failed",
            actor=_SYSTEM,
            now=now,
            escrow=operation.escrow,
            note=f"{error.code}: {error.message}",
        )

    def hold(self, operation: Operation) -> str:
        """Return why the transfer cannot be sent yet: an open chargeback, or an account that cannot receive transfers.

        Escrow and account are locked, so that neither changes between this check and its commit.
        """
        assert operation.escrow_id is not None  # noqa: S101
        escrow = lock_by_id(operation.escrow_id)
        account = _locked_account(operation)
        if escrow.frozen_at is not None:
            return AWAITS_CHARGEBACK
        return "" if account is not None and account.can_receive else AWAITS_ACCOUNT

    def _account_id(self, operation: Operation) -> str:
        assert operation.user_id is not None  # noqa: S101
        account = onboarding.account_of(operation.user_id, operation.provider)
        assert account is not None  # noqa: S101
        assert account.provider_account_id is not None  # noqa: S101
        return account.provider_account_id


def is_transferred(escrow: Escrow) -> bool:
    """Return whether the transfer to the connected account has succeeded."""
    return arrived(escrow.pk).exists()


def arrived(escrow_id: int | OuterRef) -> QuerySet[Operation]:
    """Select the succeeded transfer operation of an escrow."""
    return Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=escrow_id, state=OperationState.SUCCEEDED.value)


@database.transactional
def retry(*, actor: Actor, escrow_id: int, now: datetime, note: str = "") -> bool | Approval:
    """Retry a transfer that the provider refused permanently, as finance staff; return False if none was refused.

    A large transfer creates and returns an approval instead. Raises NotFound, Forbidden, ProofNeeded or WrongState.
    """
    powers.require(actor, Power.RELEASE, Forbidden("Only finance staff can retry a transfer."))
    escrow = lock_by_id(escrow_id)
    require_neutral(actor, escrow)
    refused = _refused(escrow)
    if refused is None:
        return False
    share = Money(refused.arguments["amount_minor"], refused.arguments["currency"])
    if approvals.is_large(escrow, share):
        arguments = {"amount_minor": share.amount_minor, "note": note}
        return approvals.ask(approvals.RETRY_TRANSFER, escrow, actor=actor, arguments=arguments, now=now)
    approvals.require_none_open(escrow)
    _retry(escrow, refused, actor, note, now)
    return True


def refused_share(escrow: Escrow) -> Money | None:
    """Return the amount of the transfer that the provider refused permanently, or None."""
    refused = _refused(escrow)
    return None if refused is None else Money(refused.arguments["amount_minor"], refused.arguments["currency"])


def _refused(escrow: Escrow) -> Operation | None:
    latest = engine.latest(CREATE_TRANSFER, escrow.pk)
    return latest if latest is not None and latest.state == OperationState.FAILED.value else None


def _retry(escrow: Escrow, refused: Operation, actor: Actor, note: str, now: datetime) -> None:
    audit.record("transfer_retried", actor=actor, now=now, escrow=escrow, note=note)
    engine.begin(
        CREATE_TRANSFER,
        subject_id=escrow.pk,
        provider=escrow.provider,
        escrow=escrow,
        user_id=escrow.freelancer_id,
        now=now,
        sequence=refused.sequence + 1,
        arguments=refused.arguments,
    )


def carry_out_retry(escrow: Escrow, arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Carry out an approved retry of a transfer. Raises WrongState."""
    refused = _refused(escrow)
    if refused is None:
        raise WrongState("No transfer of this escrow was refused.")
    _retry(escrow, refused, actor, arguments["note"], now)

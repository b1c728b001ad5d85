"""Transfers of the freelancer's share to the connected account."""

from datetime import datetime
from typing import Any, Final

from django.db.models import OuterRef, QuerySet, Subquery

from multitask import database
from multitask.money import Money
from multitask.payments.authorization.locks import lock_by_id
from multitask.payments.books import audit, postings, shares
from multitask.payments.errors import UnknownObject
from multitask.payments.models import ConnectedAccount, Escrow, Operation, Payment, Reversal
from multitask.payments.operations import attempt, engine, held_calls, queue, references
from multitask.payments.payouts import made_outside, onboarding
from multitask.payments.provider import Provider, ProviderError, Search, Transfers, Unavailable, supporting
from multitask.payments.provider import TransferState as ProviderTransfer
from multitask.payments.states import OPEN_OPERATIONS, OperationState, PaymentState, ReversalState
from multitask.users.actor import Actor

CREATE_TRANSFER: Final = "create_transfer"
CREATE_REVERSAL: Final = "create_reversal"
AWAITS_ACCOUNT: Final = "awaits_account"
# The provider would convert the money to a currency for which the account has a bank.
AWAITS_BANK: Final = "awaits_bank"
AWAITS_CHARGEBACK: Final = "awaits_chargeback"
AWAITS_REVERSAL: Final = "awaits_reversal"
# Transfers that were withdrawn before they were sent: of what has never left the payee's account, of what was taken
# back, and those that a later one brings as well.
NOT_NEEDED: Final = "not_needed"
TAKEN_BACK: Final = "taken_back"
MERGED: Final = "merged"
_SYSTEM: Final = Actor.system("provider")


def first(escrow: Escrow, amount: Money, now: datetime) -> dict[str, Any]:
    """Return the operation of a release's transfer, which `payments_release` inserts with its job.

    It stays pending until the freelancer's account can receive the money.
    """
    return queue.first_operation(
        CREATE_TRANSFER,
        subject_id=escrow.pk,
        provider=escrow.provider,
        now=now,
        escrow_id=escrow.pk,
        user_id=escrow.freelancer_id,
        arguments={"amount_minor": amount.amount_minor, "currency": amount.currency},
    )


def begin_again(escrow: Escrow, amount: Money, *, held: Money, now: datetime) -> None:
    """Create the operation for a further transfer of the same share.

    `held` of it is held as contested, and becomes the payee's again when it has been transferred. It also brings what
    the latest transfer was to bring if that was refused, since only the latest one can be retried, or was not sent.
    """
    latest = engine.latest(CREATE_TRANSFER, escrow.pk)
    is_from_balance = False
    if latest is not None and latest.state == OperationState.FAILED.value:
        held = held + held_until(latest)
        amount = max(amount, outstanding(escrow))
    elif latest is not None and _withdraw(latest, MERGED, now):
        held, amount = held + held_until(latest), amount + planned(latest)
        is_from_balance = latest.arguments.get("is_from_balance", False)
    begin(
        escrow,
        amount,
        sequence=1 if latest is None else latest.sequence + 1,
        now=now,
        held=min(held, amount),
        is_from_balance=is_from_balance,
    )


def send_on(escrow: Escrow, amount: Money, now: datetime) -> None:
    """Transfer what came back from a former account to the current one, less what was taken back meanwhile."""
    if (share := min(amount, outstanding(escrow))).amount_minor > 0:
        begin_again(escrow, share, held=Money.zero(share.currency), now=now)


def begin(
    escrow: Escrow,
    amount: Money,
    *,
    sequence: int,
    now: datetime,
    held: Money | None = None,
    is_from_balance: bool = False,
) -> None:
    """Create the operation of one transfer; `is_from_balance` takes it from the platform's balance."""
    arguments: dict[str, Any] = {"amount_minor": amount.amount_minor, "currency": amount.currency}
    arguments |= {"held_minor": held.amount_minor} if held is not None and held.amount_minor else {}
    arguments |= {"is_from_balance": True} if is_from_balance else {}
    engine.begin(
        CREATE_TRANSFER,
        subject_id=escrow.pk,
        provider=escrow.provider,
        escrow=escrow,
        user_id=escrow.freelancer_id,
        now=now,
        sequence=sequence,
        arguments=arguments,
    )


@database.transactional
def confirm(provider: str, state: ProviderTransfer, now: datetime) -> None:
    """Apply the provider's state of a transfer. Raises UnknownObject."""
    operation = known(provider, state)
    if operation is None or operation.escrow_id is None:
        raise UnknownObject(detail=state.id)
    _transferred(lock_by_id(operation.escrow_id), operation, state, now)
    engine.resolve(
        CREATE_TRANSFER,
        operation.subject_id,
        sequence=operation.sequence,
        now=now,
        reference=state.id,
        account_id=operation.account_id,
    )


def known(provider: str, state: ProviderTransfer) -> Operation | None:
    """Return the operation that made a transfer, by the provider's id or by its reference, or None."""
    transfers = Operation.objects.filter(kind=CREATE_TRANSFER, provider=provider)
    known = transfers.filter(provider_reference=state.id).first()
    subject = references.subject_of(state.reference, CREATE_TRANSFER)
    if known is not None or subject is None:
        return known
    return transfers.filter(subject_id=subject[0], sequence=subject[1]).first()


def _transferred(escrow: Escrow, operation: Operation, state: ProviderTransfer, now: datetime) -> None:
    """Post the transfer; its key makes a second call have no effect."""
    paid = Payment.objects.filter(escrow=escrow, state=PaymentState.SUCCEEDED.value)
    # The account that it went to, which another one may have replaced since.
    accounts = ConnectedAccount.objects.filter(
        user_id=escrow.freelancer_id, provider=escrow.provider, provider_account_id=state.account_id
    )
    found = accounts.annotate(available_at=Subquery(paid.values("available_at")[:1])).values_list("pk", "available_at")
    account_id, available_at = found.first() or (None, None)
    if account_id is None:
        raise UnknownObject(detail=state.account_id)
    posting = postings.transfer(escrow, account_id, state.amount, operation.sequence, now)
    if not posting.created:
        return
    operation.account_id = account_id  # Saved with the operation's outcome.
    audit.record("transferred", actor=_SYSTEM, now=now, escrow=escrow, amount=state.amount)
    if held_until(operation).amount_minor:
        _free(escrow, operation, held_until(operation), now)
    if escrow.made_available_at is None:
        queue.defer(queue.MAKE_AVAILABLE, at=available_at, escrow_id=escrow.pk)
    if escrow.reclaimed_minor:
        # A reversal may wait for this transfer.
        held_calls.retry_waiting(escrow.freelancer_id, now=now)


def planned(operation: Operation) -> Money:
    """Return the amount of a transfer."""
    return Money(operation.arguments["amount_minor"], operation.arguments["currency"])


def held_until(operation: Operation) -> Money:
    """Return what of a transfer's amount is held as contested until it has succeeded."""
    return Money(operation.arguments.get("held_minor", 0), operation.arguments["currency"])


def to_be_freed(escrow: Escrow) -> Money:
    """Return what of the share is held until transfers that have not been made succeed."""
    made = Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=escrow.pk, arguments__held_minor__gt=0)
    latest = engine.latest(CREATE_TRANSFER, escrow.pk)
    waiting = [
        operation
        for operation in made
        if OperationState(operation.state) in OPEN_OPERATIONS
        or (operation.state == OperationState.FAILED.value and operation == latest)
    ]
    return Money(sum(held_until(operation).amount_minor for operation in waiting), escrow.currency)


def under_way(escrow: Escrow) -> list[Operation]:
    """Return the transfers of an escrow whose outcome is open, newest first."""
    open_states = [state.value for state in OPEN_OPERATIONS]
    found = Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=escrow.pk, state__in=open_states)
    return list(found.order_by("-sequence"))


def reduce(escrow: Escrow, operation: Operation, amount: Money, *, held: Money, code: str, now: datetime) -> bool:
    """Replace a transfer that was not sent by one that is smaller by `amount`, of which `held` was held for it.

    Return False if it may have been sent, or a reversal waits for it.
    """
    left, still_held = planned(operation) - amount, held_until(operation) - held
    if not _withdraw(operation, code, now):
        return False
    # What it held is held by its successor, or not at all.
    Operation.objects.filter(pk=operation.pk).update(arguments=operation.arguments | {"held_minor": 0})
    if left.amount_minor:
        latest = engine.latest(CREATE_TRANSFER, escrow.pk)
        assert latest is not None  # noqa: S101
        is_from_balance = operation.arguments.get("is_from_balance", False)
        begin(escrow, left, sequence=latest.sequence + 1, now=now, held=still_held, is_from_balance=is_from_balance)
    return True


def _withdraw(operation: Operation, code: str, now: datetime) -> bool:
    if Reversal.objects.filter(transfer=operation, state=ReversalState.PENDING.value).exists():
        return False
    return engine.withdraw(operation, code=code, now=now)


def stays(escrow: Escrow, amount: Money, now: datetime) -> None:
    """Free what was held until it is transferred again, but has never left the payee's account: a reversal failed."""
    for waiting in under_way(escrow):
        freed = min(amount, held_until(waiting))
        if freed.amount_minor and reduce(escrow, waiting, freed, held=freed, code=NOT_NEEDED, now=now):
            _free(escrow, waiting, freed, now)
            amount = amount - freed


def _awaits_reversal(operation: Operation) -> bool:
    """Return whether a reversal is undecided whose loss did not last: what it takes back is transferred again."""
    undecided = Reversal.objects.filter(
        escrow=operation.escrow_id, state=ReversalState.PENDING.value, loss__reversed_at__isnull=False
    )
    return bool(held_until(operation).amount_minor) and undecided.exists()


def _free(escrow: Escrow, operation: Operation, amount: Money, now: datetime) -> None:
    """Give the payee what was held until it was transferred again."""
    escrow.contested_minor -= amount.amount_minor
    escrow.save(update_fields=["contested_minor"])
    shares.free(escrow, amount, f"escrow:{escrow.pk}:freed:{operation.sequence}", now)


def current_account(escrow: Escrow) -> ConnectedAccount:
    """Return the account to which transfers of an escrow go now. Raises UnknownObject if there is none."""
    account = onboarding.account_of(escrow.freelancer_id, escrow.provider)
    if account is None:
        raise UnknownObject("The payee has no account at the provider.")
    return account


def _locked_account(operation: Operation) -> ConnectedAccount | None:
    """Lock the payee's current account."""
    assert operation.user_id is not None  # noqa: S101
    return onboarding.accounts_of(operation.user_id, operation.provider).select_for_update(no_key=True).first()


def awaited(account: ConnectedAccount | None, currency: str) -> str:
    """Return what a transfer in a currency to an account waits for, or nothing if it can be sent."""
    if account is None or not account.can_receive:
        return AWAITS_ACCOUNT
    return "" if account.has_bank_for(currency) else AWAITS_BANK


def _sent_to(operation: Operation) -> ConnectedAccount:
    """Return the account that a transfer was claimed for, as it is now; without a claim the current one."""
    if operation.account_id is not None:
        return ConnectedAccount.objects.get(pk=operation.account_id)
    assert operation.user_id is not None  # noqa: S101
    account = onboarding.account_of(operation.user_id, operation.provider)
    assert account is not None  # noqa: S101
    return account


def redirect(operation: Operation) -> str:
    """Send a transfer to the successor of the account that it was claimed for, under a new key; return its id.

    The account was replaced after an attempt of unknown outcome, and a search has shown that nothing reached it, or
    right after the claim, before anything was sent. Raises Unavailable until the successor can receive.
    """
    assert operation.user_id is not None  # noqa: S101
    successor = onboarding.account_of(operation.user_id, operation.provider)
    hold = awaited(successor, operation.arguments["currency"])
    if successor is None or hold:
        raise Unavailable(hold, "The new payout account cannot receive this transfer yet.")
    Operation.objects.filter(pk=operation.pk).update(account=successor)
    attempt.renew_key(operation)
    operation.account = successor
    return str(successor.provider_account_id)


def _abandon(reversal: Reversal, now: datetime) -> None:
    """Give up a reversal of a transfer that was never made."""
    reversal.state, reversal.processed_at = ReversalState.FAILED.value, now
    reversal.save(update_fields=["state", "processed_at"])
    waiting = engine.latest(CREATE_REVERSAL, reversal.pk)
    if waiting is not None:
        engine.withdraw(waiting, code="transfer_failed", now=now)


class CreateTransfer:
    """Performs `create_transfer`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderTransfer:
        """Create the transfer with the escrow's payment as its source of funds, or from the platform's balance."""
        paid = Payment.objects.filter(escrow=operation.escrow_id, state=PaymentState.SUCCEEDED.value)
        if operation.account_id is None:
            operation.account = _sent_to(operation)
        assert operation.account_id is not None  # noqa: S101
        account = ConnectedAccount.objects.filter(pk=operation.account_id)
        found = paid.annotate(
            account_id=Subquery(account.values("provider_account_id")),
            retired_at=Subquery(account.values("retired_at")),
        )
        collection_id, account_id, retired_at = found.values_list(
            "provider_collection_id", "account_id", "retired_at"
        ).get()
        if retired_at is not None:
            account_id = redirect(operation)
        return supporting(provider, Transfers).create_transfer(
            reference=operation.reference,
            amount=Money(operation.arguments["amount_minor"], operation.arguments["currency"]),
            account_id=account_id,
            collection_id="" if operation.arguments.get("is_from_balance") else collection_id,
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderTransfer]:
        """Look for the transfer of an earlier attempt."""
        return supporting(provider, Transfers).find_transfer(
            reference=operation.reference,
            account_id=str(_sent_to(operation).provider_account_id),
            since=references.earliest(operation),
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Post the transfer."""
        assert operation.escrow_id is not None  # noqa: S101
        _transferred(lock_by_id(operation.escrow_id), operation, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; the money stays pending, and staff sees the reason and may retry."""
        assert operation.escrow_id is not None  # noqa: S101
        # A loss that is booked at this moment begins its reversal before this, or sees the failed transfer.
        lock_by_id(operation.escrow_id)
        audit.record(
            "transfer_failed",
            actor=_SYSTEM,
            now=now,
            escrow=operation.escrow,
            note=f"{error.code}: {error.message}",
        )
        for reversal in Reversal.objects.filter(transfer=operation, state=ReversalState.PENDING.value):
            _abandon(reversal, now)

    def hold(self, operation: Operation) -> str:
        """Return why the transfer cannot be sent yet.

        A chargeback is open, what it would give back may still be there, or the account cannot receive transfers or
        has no bank account in their currency.

        Escrow and account are locked, so that neither changes between this check and its commit. The claim stores
        the account that is set here.
        """
        assert operation.escrow_id is not None  # noqa: S101
        escrow = lock_by_id(operation.escrow_id)
        account = _locked_account(operation)
        if escrow.frozen_at is not None:
            return AWAITS_CHARGEBACK
        if _awaits_reversal(operation):
            return AWAITS_REVERSAL
        hold = awaited(account, operation.arguments["currency"])
        if not hold:
            operation.account = account
        return hold


def outstanding(escrow: Escrow) -> Money:
    """Return what of the payee's share is neither in their account at the provider nor on its way there.

    It counts what is on its way back from there. Nothing on a platform route, where there are no accounts.
    """
    if escrow.is_on_platform:
        return Money.zero(escrow.currency)
    due = escrow.released_minor - escrow.released_fee_minor - escrow.netted_minor - escrow.reclaimed_minor
    gone = sum(operation.arguments["amount_minor"] for operation in arrived(escrow.pk))
    gone += sum(operation.arguments["amount_minor"] for operation in under_way(escrow))
    return Money(due - gone, escrow.currency) + made_outside.coming_back(escrow)


def is_transferred(escrow: Escrow) -> bool:
    """Return whether the transfer to the connected account has succeeded."""
    return arrived(escrow.pk).exists()


def locked_destination(escrow: Escrow) -> ConnectedAccount | None:
    """Lock and return the account that an escrow's newest transfer went to, or None before one has succeeded."""
    newest = arrived(escrow.pk).order_by("-sequence").values("account_id")[:1]
    return ConnectedAccount.objects.select_for_update(no_key=True).filter(pk=Subquery(newest)).first()


def arrived(escrow_id: int | OuterRef) -> QuerySet[Operation]:
    """Select the transfers of an escrow that have succeeded."""
    return Operation.objects.filter(kind=CREATE_TRANSFER, subject_id=escrow_id, state=OperationState.SUCCEEDED.value)

"""Reversals: money of a transfer goes back from the payee's account at the provider to the platform's balance."""

from datetime import datetime
from typing import Any, Final

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import access, locks
from multitask.payments.books import audit, loss_postings
from multitask.payments.errors import Forbidden, NotFound, UnknownObject, WrongState
from multitask.payments.models import ConnectedAccount, Escrow, Loss, Operation, Reversal
from multitask.payments.operations import engine, held_calls, references
from multitask.payments.payouts import made_outside, transfers
from multitask.payments.payouts.transfers import CREATE_REVERSAL
from multitask.payments.provider import Provider, ProviderError, Rejected, Search, Transfers, supporting
from multitask.payments.provider import TransferState as ProviderTransfer
from multitask.payments.states import OPEN_OPERATIONS, OperationState, ReversalState, require
from multitask.users import powers
from multitask.users.actor import Actor, Power

AWAITS_TRANSFER: Final = "awaits_transfer"
_NOT_REFUSED: Final = "Only a refused reversal can be tried again."
LOSS_REVERSED: Final = "loss_reversed"
_SYSTEM: Final = Actor.system("provider")


def take_back(escrow: Escrow, amount: Money, *, loss: Loss | None, now: datetime, waiting: Money | None = None) -> None:
    """Take an amount of the payee's share back to the platform, wherever its transfers stand.

    What was not sent is not sent. What was sent, or may have been, is reversed. `waiting` of the amount is what was
    held until it is transferred again. The caller holds the escrow's lock and has added the amount to
    `escrow.reclaimed_minor`. On a platform route the money never left the platform.
    """
    if escrow.is_on_platform:
        return
    zero = Money.zero(escrow.currency)
    # What is neither in the account nor on its way there, such as after a refused transfer, is not sent any more.
    left = amount - min(amount, max(transfers.outstanding(escrow) + amount, zero))
    left = left - _send_less(escrow, min(left, waiting or zero), is_held=True, now=now)
    left = left - _send_less(escrow, left, is_held=False, now=now)
    made = Operation.objects.filter(kind=transfers.CREATE_TRANSFER, subject_id=escrow.pk)
    for operation in made.exclude(state=OperationState.FAILED.value).order_by("-sequence"):
        if left.amount_minor:
            left = left - _reverse(escrow, operation, left, loss, now)


def _send_less(escrow: Escrow, amount: Money, *, is_held: bool, now: datetime) -> Money:
    """Reduce transfers that were not sent, newest first, by what they hold or by the rest; return by how much."""
    zero, done = Money.zero(amount.currency), Money.zero(amount.currency)
    for operation in transfers.under_way(escrow):
        held = transfers.held_until(operation)
        part = min(amount - done, held if is_held else transfers.planned(operation) - held)
        if part.amount_minor and transfers.reduce(
            escrow, operation, part, held=part if is_held else zero, code=transfers.TAKEN_BACK, now=now
        ):
            done = done + part
    return done


def _reverse(escrow: Escrow, transfer: Operation, amount: Money, loss: Loss | None, now: datetime) -> Money:
    """Begin to reverse a transfer, without what is held until it succeeds; return how much of the amount it covers."""
    reversed_before = Reversal.objects.filter(transfer=transfer).exclude(state=ReversalState.FAILED.value)
    whole = transfers.planned(transfer).amount_minor - sum(reversed_before.values_list("amount_minor", flat=True))
    if OperationState(transfer.state) in OPEN_OPERATIONS:
        whole -= transfers.held_until(transfer).amount_minor
    part = min(amount, Money(max(0, whole), escrow.currency))
    if part.amount_minor:
        begin(escrow, transfer, part, loss=loss, now=now)
    return part


def begin(escrow: Escrow, transfer: Operation, amount: Money, *, loss: Loss | None, now: datetime) -> Reversal:
    """Create a reversal of a transfer, which waits until the transfer has succeeded."""
    account = transfer.account or transfers.current_account(escrow)
    reversal = Reversal.objects.create(
        escrow=escrow,
        transfer=transfer,
        account=account,
        loss=loss,
        provider=escrow.provider,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        created_at=now,
    )
    audit.record("reversal_started", actor=_SYSTEM, now=now, escrow=escrow, amount=amount)
    _begin_call(escrow, reversal, 1, now)
    return reversal


def _begin_call(escrow: Escrow, reversal: Reversal, sequence: int, now: datetime) -> None:
    engine.begin(
        CREATE_REVERSAL,
        subject_id=reversal.pk,
        provider=escrow.provider,
        escrow=escrow,
        user_id=escrow.freelancer_id,
        now=now,
        sequence=sequence,
        arguments={"amount_minor": reversal.amount_minor, "currency": reversal.currency},
    )


def abandon(loss: Loss, now: datetime) -> None:
    """Give up those reversals of a loss that did not last under which nothing was sent, or was refused for now."""
    for reversal in loss.reversals.select_for_update(no_key=True).filter(state=ReversalState.PENDING.value):
        waiting = engine.latest(CREATE_REVERSAL, reversal.pk)
        if waiting is not None and engine.withdraw(waiting, code=LOSS_REVERSED, now=now):
            reversal.state, reversal.processed_at = ReversalState.FAILED.value, now
            reversal.save(update_fields=["state", "processed_at"])


@database.transactional
def retry(*, actor: Actor, reversal_id: int, now: datetime, note: str = "") -> Reversal:
    """Retry a reversal that the provider refused, as finance staff.

    It needs no second person: the loss behind it was decided. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.REFUND, Forbidden("Only finance staff can retry a reversal."))
    seen = Reversal.objects.filter(pk=reversal_id).first()
    if seen is None:
        raise NotFound("There is no such reversal.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    reversal = Reversal.objects.select_for_update(no_key=True).get(pk=reversal_id)
    latest = engine.latest(CREATE_REVERSAL, reversal.pk)
    if latest is None:
        raise WrongState(_NOT_REFUSED)
    _require_retriable(reversal)
    require(ReversalState.FAILED, ReversalState.PENDING)
    reversal.state, reversal.processed_at = ReversalState.PENDING.value, None
    reversal.save(update_fields=["state", "processed_at"])
    audit.record("reversal_retried", actor=actor, now=now, escrow=escrow, amount=reversal.amount, note=note)
    _begin_call(escrow, reversal, latest.sequence + 1, now)
    return reversal


def can_be_retried(reversal: Reversal) -> bool:
    """Return whether a reversal was refused and still has a reason."""
    try:
        _require_retriable(reversal)
    except WrongState:
        return False
    return True


def _require_retriable(reversal: Reversal) -> None:
    if reversal.state != ReversalState.FAILED.value:
        raise WrongState(_NOT_REFUSED)
    if reversal.given_up_at is not None:
        raise WrongState("This reversal was given up.")
    if OperationState(reversal.transfer.state) is OperationState.FAILED:
        raise WrongState("The transfer was never made, so there is nothing to reverse.")
    if _is_pointless(reversal):
        raise WrongState("The loss was reversed, so the payee keeps this money.")
    if made_outside.replaces(reversal):
        raise WrongState("The money came back by a reversal that was made at the provider.")


@database.transactional
def confirm(provider: str, state: ProviderTransfer, now: datetime) -> None:
    """Apply the provider's state of a transfer and of its reversals. Raises UnknownObject."""
    transfers.confirm(provider, state, now)
    if not state.reversals:
        return
    operation = transfers.known(provider, state)
    if operation is None or operation.escrow_id is None:
        raise UnknownObject(detail=state.id)
    apply(locks.lock_by_id(operation.escrow_id), operation, state, now)


def apply(escrow: Escrow, transfer: Operation, state: ProviderTransfer, now: datetime) -> None:
    """Post those reversals of a transfer that were not posted yet; the caller holds the escrow's lock."""
    for reported in state.reversals:
        reversal = _known(transfer, reported.id, reported.reference)
        if reversal is None:
            reversal = _made_outside(escrow, transfer, reported.id, reported.amount, now)
        if reversal.state == ReversalState.PENDING.value:
            _succeeded(escrow, reversal, reported.id, now)
    _replace_ours(escrow, transfer, now)


def _known(transfer: Operation, reversal_id: str, reference: str) -> Reversal | None:
    wanted = references.object_filter("provider_reversal_id", reversal_id, reference, CREATE_REVERSAL)
    locked = Reversal.objects.select_for_update(no_key=True).filter(wanted, transfer=transfer)
    return locked.order_by("provider_reversal_id").first()


def _succeeded(escrow: Escrow, reversal: Reversal, reversal_id: str, now: datetime) -> None:
    reversal.provider_reversal_id = reversal_id
    reversal.state = ReversalState.SUCCEEDED.value
    reversal.processed_at = now
    reversal.save()
    audit.record("transfer_reversed", actor=_SYSTEM, now=now, escrow=escrow, amount=reversal.amount)
    loss_postings.reverse_transfer(reversal, now)
    latest = engine.latest(CREATE_REVERSAL, reversal.pk)
    if latest is not None:
        engine.resolve(CREATE_REVERSAL, reversal.pk, sequence=latest.sequence, now=now, reference=reversal_id)
    if reversal.is_move:
        transfers.send_on(escrow, reversal.amount, now)
    if _is_pointless(reversal):
        # What it took back is transferred again now.
        held_calls.retry_waiting(escrow.freelancer_id, now=now)


def _is_pointless(reversal: Reversal) -> bool:
    """Return whether the loss that a reversal is for did not last."""
    return reversal.loss is not None and reversal.loss.reversed_at is not None


def _made_outside(escrow: Escrow, transfer: Operation, reversal_id: str, amount: Money, now: datetime) -> Reversal:
    """Record a reversal that was made at the provider: the payee's share is held until staff decides.

    What of it the share does not cover may count in place of reversals of ours (`_replace_ours`).
    """
    account = transfer.account or transfers.current_account(escrow)
    reversal = Reversal.objects.create(
        escrow=escrow,
        transfer=transfer,
        account=account,
        provider=escrow.provider,
        provider_reversal_id=reversal_id,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        is_outside=True,
        is_decided=False,
        created_at=now,
    )
    audit.record("reversed_outside", actor=_SYSTEM, now=now, escrow=escrow, amount=amount)
    _hold(escrow, reversal, now)
    return reversal


def _hold(escrow: Escrow, reversal: Reversal, now: datetime) -> None:
    """Hold what came back, out of the payee's share.

    The provider took it from any money in the payee's account. Where the share is not there any more, the missing part
    counts as paid out ahead.
    """
    held = min(reversal.amount, escrow.payee_share)
    if not held.amount_minor:
        return
    ConnectedAccount.objects.select_for_update(no_key=True).get(pk=reversal.account_id)
    escrow.contested_minor += held.amount_minor
    escrow.save(update_fields=["contested_minor"])
    there = ledger.balance(loss_postings.share_account(escrow).code, escrow.currency)
    missing = max(held - there, Money.zero(escrow.currency))
    loss_postings.contest(escrow, held, made_outside.held_key(reversal), now, ahead=missing)


def _replace_ours(escrow: Escrow, transfer: Operation, now: datetime, *, ended: Reversal | None = None) -> None:
    """Let reversals made outside count in place of those of ours that were not made; the caller holds the lock.

    What the payee's share does not cover is what ours were to bring back, so that it is not to be taken once more.
    Nothing is left to decide about a reversal of which all counts. `ended` is one of ours that has just failed.
    """
    found = Reversal.objects.select_for_update(no_key=True).filter(transfer=transfer, is_decided=False)
    for outside in found.order_by("pk"):
        left = made_outside.uncovered(outside)
        for ours in _not_made(transfer, ended) if left.amount_minor else []:
            part = min(left, ours.amount)
            if part.amount_minor and _withdrawn(ours, now):
                _replace(escrow, ours, outside, part, now)
                left = left - part
                outside.is_decided = not (left.amount_minor or made_outside.held(outside).amount_minor)
        outside.save(update_fields=["is_decided"])


def _not_made(transfer: Operation, ended: Reversal | None) -> list[Reversal]:
    """Lock and return our reversals of a transfer that were not made and are still wanted, those of losses first."""
    rows = Reversal.objects.select_for_update(no_key=True, of=("self",)).select_related("loss", "transfer")
    unmade = [ReversalState.PENDING.value, ReversalState.FAILED.value]
    found = rows.filter(transfer=transfer, is_outside=False, given_up_at=None, state__in=unmade).order_by("pk")
    wanted = [
        ours
        for ours in found
        if ours == ended or not (ours.state == ReversalState.FAILED.value and _is_pointless(ours))
    ]
    return sorted((ours for ours in wanted if not made_outside.replaces(ours)), key=lambda ours: ours.is_move)


def _withdrawn(ours: Reversal, now: datetime) -> bool:
    """Return whether a reversal of ours has failed, or fails now since nothing was sent or it was refused for now."""
    if ours.state == ReversalState.FAILED.value:
        return True
    call = engine.latest(CREATE_REVERSAL, ours.pk)
    if call is None or not engine.withdraw(call, code=made_outside.MADE_OUTSIDE, now=now):
        return False
    ours.state, ours.processed_at = ReversalState.FAILED.value, now
    ours.save(update_fields=["state", "processed_at"])
    return True


def _replace(escrow: Escrow, ours: Reversal, outside: Reversal, amount: Money, now: datetime) -> None:
    """Let an amount of a reversal made outside count in place of a failed one of ours, and take back the rest."""
    call = engine.latest(CREATE_REVERSAL, ours.pk)
    assert call is not None  # noqa: S101
    made_outside.mark(call, outside, amount)
    audit.record("reversal_replaced", actor=_SYSTEM, now=now, escrow=escrow, amount=amount)
    if ours.is_move:
        transfers.send_on(escrow, amount, now)
    rest = ours.amount - amount
    if _is_pointless(ours):
        _stays(escrow, rest, now)
    elif rest.amount_minor:
        _reverse_rest(escrow, ours, rest, now)


def _reverse_rest(escrow: Escrow, ours: Reversal, rest: Money, now: datetime) -> None:
    """Begin to reverse what no reversal made outside brought back: of the same transfer before any other."""
    others = transfers.arrived(escrow.pk).exclude(pk=ours.transfer_id).order_by("-sequence")
    for transfer in (ours.transfer, *([] if ours.is_move else others)):
        if rest.amount_minor:
            rest = rest - _reverse(escrow, transfer, rest, ours.loss, now)
    if rest.amount_minor and not ours.is_move:
        # It stays wanted: the provider refuses it, and staff decides.
        begin(escrow, ours.transfer, rest, loss=ours.loss, now=now)


def _stays(escrow: Escrow, amount: Money, now: datetime) -> None:
    """Free what a loss that did not last would have taken back and did not; what came back is transferred again."""
    if amount.amount_minor:
        transfers.stays(escrow, amount, now)
    held_calls.retry_waiting(escrow.freelancer_id, now=now)


class CreateReversal:
    """Performs `create_reversal`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderTransfer:
        """Reverse a part of the transfer. Raises Rejected if the loss did not last, so that nothing is to come back."""
        reversal = Reversal.objects.select_related("transfer", "loss").get(pk=operation.subject_id)
        if _is_pointless(reversal):
            raise Rejected(LOSS_REVERSED, "The loss was reversed, so the payee keeps this money.")
        return supporting(provider, Transfers).reverse_transfer(
            reference=operation.reference,
            transfer_id=reversal.transfer.provider_reference,
            amount=Money(operation.arguments["amount_minor"], operation.arguments["currency"]),
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderTransfer]:
        """Look for the reversal of an earlier attempt."""
        transfer = Reversal.objects.select_related("transfer").get(pk=operation.subject_id).transfer
        return supporting(provider, Transfers).find_reversal(
            reference=operation.reference, transfer_id=transfer.provider_reference
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Post the reversal."""
        assert operation.escrow_id is not None  # noqa: S101
        escrow = locks.lock_by_id(operation.escrow_id)
        transfer = Reversal.objects.select_related("transfer").get(pk=operation.subject_id).transfer
        apply(escrow, transfer, state, now)
        return Reversal.objects.get(pk=operation.subject_id).provider_reversal_id or ""

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; the money stays in the payee's account at the provider, and staff decides.

        What a loss that did not last would have taken back is the payee's again at once. A reversal that was made
        outside meanwhile may count in its place.
        """
        assert operation.escrow_id is not None  # noqa: S101
        escrow = locks.lock_by_id(operation.escrow_id)
        reversal = Reversal.objects.select_related("loss", "transfer").get(pk=operation.subject_id)
        if reversal.state != ReversalState.PENDING.value:
            return
        reversal.state, reversal.processed_at = ReversalState.FAILED.value, now
        reversal.save(update_fields=["state", "processed_at"])
        note = f"{error.code}: {error.message}"
        audit.record("reversal_failed", actor=_SYSTEM, now=now, escrow=escrow, note=note)
        _replace_ours(escrow, reversal.transfer, now, ended=reversal)
        if _is_pointless(reversal) and not made_outside.replaces(reversal):
            _stays(escrow, reversal.amount, now)

    def hold(self, operation: Operation) -> str:
        """Return that the transfer has to succeed first."""
        assert operation.escrow_id is not None  # noqa: S101
        # The transfer's outcome is committed under this lock.
        locks.lock_by_id(operation.escrow_id)
        transfer = Reversal.objects.select_related("transfer").get(pk=operation.subject_id).transfer
        return "" if transfer.state == OperationState.SUCCEEDED.value else AWAITS_TRANSFER

"""Adjustments of a person's balance by finance, always with a second person."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import approvals, locks
from multitask.payments.books import audit, loss_history, loss_postings, receivables, shares
from multitask.payments.errors import Forbidden, NotFound, UnknownObject, WrongState
from multitask.payments.losses import adjustment_reversals
from multitask.payments.models import Adjustment, Approval, ConnectedAccount, Escrow, Loss, Operation, Receivable
from multitask.payments.operations import amounts, engine, references, routes
from multitask.payments.payouts import onboarding, transfers
from multitask.payments.provider import Provider, ProviderError, RouteKind, Search, Transfers, supporting
from multitask.payments.provider import TransferState as ProviderTransfer
from multitask.payments.states import OperationState
from multitask.users import powers
from multitask.users.actor import Actor, Power
from multitask.users.models import User

TRANSFER_ADJUSTMENT: Final = "transfer_adjustment"
# Money transferred without a payment as its source may need a day until it can be paid out.
SETTLES_AFTER: Final = timedelta(hours=25)
_SYSTEM: Final = Actor.system("provider")


@database.transactional
def adjust(*, actor: Actor, user_id: int, amount: Money, note: str, now: datetime, request_key: str = "") -> Approval:
    """Ask for an adjustment, as finance staff; positive amounts are in the person's favour.

    A repeated `request_key` returns the same approval. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff adjusts balances."))
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    if actor.is_user(user.pk):
        raise Forbidden("You cannot adjust your own balance.")
    _require_possible(user, amount, note)
    arguments = {
        "user_id": user.pk, "amount_minor": amount.amount_minor, "currency": amount.currency, "note": note
    }  # fmt: skip
    return approvals.ask_about(
        approvals.ADJUST, f"user:{user.pk}", actor=actor, arguments=arguments, now=now, request_key=request_key
    )


def _require_possible(user: User, amount: Money, note: str) -> None:
    if not amount.amount_minor:
        raise WrongState("An adjustment of zero changes nothing.")
    if not note.strip():
        raise WrongState("An adjustment needs a reason.")
    if not user.is_freelancer:
        raise WrongState("Only a freelancer has a balance that can be adjusted.")
    amounts.require_transferable(_holder(user.pk, amount.currency)[0], max(amount, -amount))


def _holder(user_id: int, currency: str) -> tuple[str, RouteKind]:
    """Return the provider with which a person's money in a currency lies, and how. Raises WrongState."""
    route = routes.find(currency)
    if route is not None and route.kind is RouteKind.PLATFORM:
        return route.provider, route.kind
    account = onboarding.account_of(user_id)
    if account is None:
        raise WrongState("This person has no payout account yet.")
    return account.provider, RouteKind.CONNECTED


def carry_out(arguments: dict[str, Any], actor: Actor, now: datetime) -> None:
    """Make an approved adjustment."""
    user = User.objects.select_for_update(no_key=True).get(pk=arguments["user_id"])
    amount = Money(arguments["amount_minor"], arguments["currency"])
    if actor.is_user(user.pk):
        raise Forbidden("You cannot adjust your own balance.")
    _require_possible(user, amount, arguments["note"])
    provider, route = _holder(user.pk, amount.currency)
    make(user.pk, amount, provider=provider, route=route, note=arguments["note"], actor=actor, now=now)


def make(
    user_id: int,
    amount: Money,
    *,
    provider: str,
    note: str,
    actor: Actor,
    now: datetime,
    route: RouteKind = RouteKind.CONNECTED,
    loss: Loss | None = None,
) -> Adjustment:
    """Book an adjustment and, if it is positive, begin its transfer."""
    is_credit = amount.amount_minor > 0
    netted = receivables.net(user_id, amount) if is_credit else Money.zero(amount.currency)
    adjustment = Adjustment.objects.create(
        user_id=user_id,
        loss=loss,
        provider=provider,
        route=route.value,
        currency=amount.currency,
        amount_minor=amount.amount_minor,
        netted_minor=netted.amount_minor,
        note=note,
        made_by_id=actor.user_id,
        created_at=now,
    )
    if not is_credit:
        Receivable.objects.create(
            user_id=user_id,
            adjustment=adjustment,
            currency=amount.currency,
            amount_minor=-amount.amount_minor,
            created_at=now,
        )
    audit.record("adjusted", actor=actor, now=now, user_id=user_id, amount=amount, note=note)
    loss_history.adjusted(adjustment, now)
    _begin_transfer(adjustment, amount - netted, now)
    loss_postings.adjust(adjustment, now)
    return adjustment


def return_recovered(
    loss: Loss, escrow: Escrow, recovered: Money, *, now: datetime, first: Collection[int] = ()
) -> None:
    """Give a payee back what was netted from their releases for a loss that did not last, less what they still owe.

    The receivables in `first` are paid before any other. The postings that undid the loss have made the money pending.
    """
    netted = receivables.net(loss.payee_id, recovered, first=first)
    adjustment = Adjustment.objects.create(
        user_id=loss.payee_id,
        loss=loss,
        provider=escrow.provider,
        route=escrow.route,
        currency=recovered.currency,
        amount_minor=recovered.amount_minor,
        netted_minor=netted.amount_minor,
        note="Recovered for a loss that was reversed",
        created_at=now,
    )
    audit.record("adjusted", actor=_SYSTEM, now=now, user_id=loss.payee_id, amount=recovered, note=adjustment.note)
    loss_history.adjusted(adjustment, now)
    _begin_transfer(adjustment, recovered - netted, now)
    if netted.amount_minor:
        loss_postings.net_adjustment(adjustment, netted, now)


def _begin_transfer(adjustment: Adjustment, amount: Money, now: datetime, *, sequence: int = 1) -> None:
    if amount.amount_minor <= 0:
        Adjustment.objects.filter(pk=adjustment.pk).update(made_available_at=now)
        return
    if adjustment.route == RouteKind.PLATFORM.value:
        return  # It is with the platform already, and `due` lists it.
    engine.begin(
        TRANSFER_ADJUSTMENT,
        subject_id=adjustment.pk,
        provider=adjustment.provider,
        user_id=adjustment.user_id,
        now=now,
        sequence=sequence,
        arguments={"amount_minor": amount.amount_minor, "currency": amount.currency},
    )


@database.transactional
def retry_transfer(*, actor: Actor, adjustment_id: int, now: datetime, note: str = "") -> Adjustment:
    """Retry the transfer of an adjustment that the provider refused, as finance staff.

    It needs no second person: the amount was approved with the adjustment. Raises Forbidden, ProofNeeded, NotFound or
    WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff can retry the transfer of an adjustment."))
    adjustment = Adjustment.objects.select_for_update(no_key=True).filter(pk=adjustment_id).first()
    if adjustment is None:
        raise NotFound("There is no such adjustment.")
    if actor.is_user(adjustment.user_id):
        raise Forbidden("You cannot adjust your own balance.")
    refused = engine.latest(TRANSFER_ADJUSTMENT, adjustment.pk)
    if refused is None or refused.state != OperationState.FAILED.value:
        raise WrongState("Only a refused transfer can be tried again.")
    amount = Money(refused.arguments["amount_minor"], refused.arguments["currency"])
    audit.record("transfer_retried", actor=actor, now=now, user_id=adjustment.user_id, amount=amount, note=note)
    _begin_transfer(adjustment, amount, now, sequence=refused.sequence + 1)
    return adjustment


def due(*, now: datetime) -> list[int]:
    """Return the ids of adjustments whose transfer arrived long enough ago to be paid out, or that need none."""
    waiting = Adjustment.objects.filter(made_available_at=None, amount_minor__gt=0)
    arrived = Operation.objects.filter(
        kind=TRANSFER_ADJUSTMENT,
        state=OperationState.SUCCEEDED.value,
        finished_at__lte=now - SETTLES_AFTER,
        subject_id__in=waiting.values("pk"),
    )
    is_here = Q(route=RouteKind.PLATFORM.value) | Q(pk__in=arrived.values("subject_id"))
    return list(waiting.filter(is_here).order_by("pk").values_list("pk", flat=True))


@database.transactional
def make_available(*, adjustment_id: int, now: datetime) -> bool:
    """Make an adjustment available; return whether it was made available now."""
    seen = Adjustment.objects.get(pk=adjustment_id)
    is_on_platform = seen.route == RouteKind.PLATFORM.value
    locks.lock_payee(seen.user_id, seen.provider, is_on_platform=is_on_platform)
    adjustment = Adjustment.objects.select_for_update(no_key=True).get(pk=adjustment_id)
    if adjustment.made_available_at is not None:
        return False
    amount = adjustment.left
    adjustment.made_available_at = now
    adjustment.save(update_fields=["made_available_at"])
    ahead = shares.paid_ahead(adjustment.user_id, amount)
    loss_postings.make_adjustment_available(adjustment, amount, ahead, now)
    return True


@database.transactional
def confirm(provider: str, state: ProviderTransfer, now: datetime) -> None:
    """Apply the provider's state of the transfer of an adjustment and of its reversals. Raises UnknownObject."""
    subject = references.subject_of(state.reference, TRANSFER_ADJUSTMENT)
    if subject is None:
        raise UnknownObject(detail=state.id)
    made = Operation.objects.filter(kind=TRANSFER_ADJUSTMENT, subject_id=subject[0], sequence=subject[1])
    operation = made.filter(provider=provider).first()
    if operation is None:
        raise UnknownObject(detail=state.id)
    if state.reversals:
        # Before the adjustment is locked, and any balance.
        seen = Adjustment.objects.get(pk=operation.subject_id)
        locks.lock_payee(seen.user_id, provider, is_on_platform=False)
    _transferred(operation, state, now)
    adjustment_reversals.apply(operation, state.reversals, now)
    engine.resolve(
        TRANSFER_ADJUSTMENT,
        operation.subject_id,
        sequence=operation.sequence,
        now=now,
        reference=state.id,
        account_id=operation.account_id,
    )


def _transferred(operation: Operation, state: ProviderTransfer, now: datetime) -> None:
    """Post the transfer; its key makes a second call have no effect."""
    accounts = ConnectedAccount.objects.filter(provider=operation.provider, provider_account_id=state.account_id)
    account = accounts.first()
    if account is None:
        raise UnknownObject(detail=state.account_id)
    adjustment = Adjustment.objects.select_for_update(no_key=True).get(pk=operation.subject_id)
    operation.account_id = account.pk  # Saved with the operation's outcome.
    loss_postings.transfer_adjustment(adjustment, account.pk, state.amount, now)


class TransferAdjustment:
    """Performs `transfer_adjustment`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderTransfer:
        """Transfer the money from the platform's available balance."""
        account = _account(operation)
        account_id = account.provider_account_id or "" if account.retired_at is None else transfers.redirect(operation)
        return supporting(provider, Transfers).create_transfer(
            reference=operation.reference,
            amount=Money(operation.arguments["amount_minor"], operation.arguments["currency"]),
            account_id=account_id,
            collection_id="",
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderTransfer]:
        """Look for the transfer of an earlier attempt."""
        return supporting(provider, Transfers).find_transfer(
            reference=operation.reference,
            account_id=_account(operation).provider_account_id or "",
            since=references.earliest(operation),
        )

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Post the transfer."""
        _transferred(operation, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; the money stays pending, and staff sees the failed call."""
        note = f"{error.code}: {error.message}"
        audit.record("transfer_failed", actor=_SYSTEM, now=now, user_id=operation.user_id, note=note)

    def hold(self, operation: Operation) -> str:
        """Return that the account has to be able to receive transfers in this currency first."""
        assert operation.user_id is not None  # noqa: S101
        accounts = ConnectedAccount.objects.select_for_update(no_key=True)
        account = accounts.filter(user_id=operation.user_id, provider=operation.provider).order_by("-pk").first()
        hold = transfers.awaited(account, operation.arguments["currency"])
        if not hold:
            operation.account = account
        return hold


def _account(operation: Operation) -> ConnectedAccount:
    """Return the account that the transfer was claimed for, as it is now."""
    assert operation.account_id is not None  # noqa: S101
    return ConnectedAccount.objects.get(pk=operation.account_id)

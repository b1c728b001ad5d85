"""Brings money that lies in a former account to its successor.

Each transfer to the former account is reversed, as far as its money is still there; when the reversal has succeeded,
the amount is transferred again, to the current account (`transfers.send_on`). A provider that refuses a reversal is not
asked again: the refused reversal stands in the escrow's trail, and staff decides.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from multitask import database, ledger
from multitask.ledger.models import Balance
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import postings
from multitask.payments.models import ConnectedAccount, Operation, Reversal
from multitask.payments.payouts import account_balances, onboarding, reversals, transfers
from multitask.payments.states import OperationState, ReversalState

# The most reversals that one run begins for one account; the next run goes on.
BATCH: Final = 200
# What still lies in a former account after this time does not follow by itself.
LEFT_BEHIND_AFTER: Final = timedelta(days=1)
# The owner's present account, if it can receive transfers.
_ABLE: Final = ConnectedAccount.objects.filter(
    user_id=OuterRef("user_id"),
    provider=OuterRef("provider"),
    retired_at=None,
    provider_account_id__isnull=False,
    transfers_enabled=True,
    closed=False,
    rejection="",
)


def due(*, now: datetime) -> list[int]:
    """Return the ids of former accounts that hold money, and whose successor can receive it."""
    former = ConnectedAccount.objects.filter(Exists(_ABLE), retired_at__lte=now, closed=False)
    codes = {postings.connected_account(account.provider, account.pk).code: account.pk for account in former}
    held = ledger.balances(list(codes))
    return sorted({codes[code] for (code, _), balance in held.items() if balance.amount_minor < 0})


def left_behind(now: datetime) -> QuerySet[ConnectedAccount]:
    """Select former accounts whose money does not follow to a successor, for staff to decide.

    The account is closed, the provider refused to reverse a transfer, or the money came by an adjustment, whose
    transfer is not reversed here.
    """
    code = account_balances.code(OuterRef("provider"), OuterRef("pk"))
    # An asset, so negative.
    held = Balance.objects.filter(account__code=code).order_by().values("account").annotate(sum=Sum("balance_minor"))
    retired = ConnectedAccount.objects.filter(retired_at__lte=now - LEFT_BEHIND_AFTER)
    return retired.filter(Q(closed=True) | Exists(_ABLE), Exists(held.filter(sum__lt=0)))


def move(*, account_id: int, now: datetime) -> int:
    """Begin to bring the money of one former account to its successor; return how many reversals were begun."""
    former = ConnectedAccount.objects.get(pk=account_id)
    code = postings.connected_account(former.provider, former.pk).code
    begun = 0
    for (_, currency), balance in sorted(ledger.balances([code]).items()):
        if balance.amount_minor < 0:
            begun += _move_currency(former, currency, BATCH - begun, now)
    return begun


def _move_currency(former: ConnectedAccount, currency: str, most: int, now: datetime) -> int:
    """Begin to reverse at most so many transfers in one currency; return how many were begun."""
    begun = 0
    for transfer_id in _to_reverse(former, currency).values_list("pk", flat=True)[:most]:
        # Once nothing is free in the account, no other transfer can be reversed either.
        if not account_balances.free_in(former, currency).amount_minor:
            break
        begun += _reverse(transfer_id, now)
    return begun


def _to_reverse(former: ConnectedAccount, currency: str) -> QuerySet[Operation]:
    """Select the transfers that were not reversed as a whole, nor refused to be; those to be reversed first first."""
    reversals_of = Reversal.objects.filter(transfer=OuterRef("pk"))
    refused = reversals_of.filter(state=ReversalState.FAILED.value)
    back = reversals_of.exclude(state=ReversalState.FAILED.value).order_by().values("transfer")
    sources = Operation.objects.filter(
        ~Exists(refused),
        kind=transfers.CREATE_TRANSFER,
        account=former,
        state=OperationState.SUCCEEDED.value,
        escrow__currency=currency,
    )
    whole = Cast(KT("arguments__amount_minor"), BigIntegerField())
    reversed_before = Coalesce(Subquery(back.annotate(sum=Sum("amount_minor")).values("sum")), 0)
    # First what its owner cannot withdraw yet: all of it is there. Then the newest.
    order = F("escrow__made_available_at").desc(nulls_first=True), "-pk"
    return sources.alias(left=whole - reversed_before).filter(left__gt=0).order_by(*order)


@database.transactional
def _reverse(transfer_id: int, now: datetime) -> bool:
    transfer = Operation.objects.get(pk=transfer_id)
    assert transfer.escrow_id is not None  # noqa: S101
    assert transfer.account_id is not None  # noqa: S101
    escrow = locks.lock_by_id(transfer.escrow_id)
    # The lock keeps two runs from reversing the same money.
    former = ConnectedAccount.objects.select_for_update(no_key=True).get(pk=transfer.account_id)
    successor = onboarding.account_of(former.user_id, former.provider)
    if former.retired_at is None or former.closed or successor is None or not successor.can_receive:
        return False
    part = min(_left_of(transfer), account_balances.free_in(former, escrow.currency))
    if part.amount_minor <= 0:
        return False
    reversals.begin(escrow, transfer, part, loss=None, now=now)
    return True


def _left_of(transfer: Operation) -> Money:
    """Return what of a transfer was not reversed."""
    whole = Money(transfer.arguments["amount_minor"], transfer.arguments["currency"])
    back = Reversal.objects.filter(transfer=transfer).exclude(state=ReversalState.FAILED.value)
    return whole - sum((reversal.amount for reversal in back), Money.zero(whole.currency))

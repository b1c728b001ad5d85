"""What lies in a payee's account at the provider by our books, and what of it can be paid out."""

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from multitask import ledger
from multitask.ledger.models import Balance
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import ConnectedAccount, Escrow, Operation, Reversal, Withdrawal
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import OPEN_WITHDRAWALS, OperationState, ReversalState


def free_in(account: ConnectedAccount, currency: str, *, besides: Reversal | None = None) -> Money:
    """Return what lies in an account, less its withdrawals and reversals that are under way; at least zero.

    `besides` is a reversal that is not subtracted.
    """
    zero = Money.zero(currency)
    code = postings.connected_account(account.provider, account.pk).code
    here = {"account": account, "currency": currency}
    withdrawals = Withdrawal.objects.filter(state__in=[state.value for state in OPEN_WITHDRAWALS], **here)
    reversals = Reversal.objects.filter(state=ReversalState.PENDING.value, **here)
    if besides is not None:
        reversals = reversals.exclude(pk=besides.pk)
    paid_out = sum((withdrawal.amount for withdrawal in withdrawals), zero)
    taken_back = sum((reversal.amount for reversal in reversals), zero)
    return max(-ledger.balance(code, currency) - paid_out - taken_back, zero)


def code(provider: OuterRef, account_id: OuterRef) -> Concat:
    """Return the expression of the code of an account in the ledger, as `postings.connected_account` makes it."""
    return Concat(
        Value("provider:"), provider, Value(":account:"), Cast(account_id, TextField()), output_field=TextField()
    )


def out_of_reach() -> QuerySet[ConnectedAccount]:
    """Select the closed accounts that still hold money by our books: nothing can be brought from there."""
    held = Balance.objects.filter(account__code=code(OuterRef("provider"), OuterRef("pk")), balance_minor__lt=0)
    return ConnectedAccount.objects.filter(Exists(held), closed=True)


def payable_from(account: ConnectedAccount, currency: str, *, besides: Reversal | None = None) -> Money:
    """Return what can be paid out of an account: what is free in it, less shares that are contested or not settled.

    `besides` is a reversal that is not subtracted.
    """
    arrived = Operation.objects.filter(
        kind=CREATE_TRANSFER,
        account=account,
        state=OperationState.SUCCEEDED.value,
        escrow__freelancer_id=account.user_id,
        escrow__currency=currency,
    )
    bound = Escrow.objects.filter(
        Q(made_available_at=None) | Q(contested_minor__gt=0), pk__in=arrived.values("escrow_id")
    )
    zero = Money.zero(currency)
    free = free_in(account, currency, besides=besides)
    return max(free - sum((_bound(escrow) for escrow in bound), zero), zero)


def _bound(escrow: Escrow) -> Money:
    contested = Money(escrow.contested_minor, escrow.currency)
    return contested if escrow.made_available_at is not None else contested + escrow.payee_share

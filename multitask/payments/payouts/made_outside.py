"""Reversals of ours that were not made, because somebody made them at the provider without a command of ours.

The reversal that was made outside counts in place of ours. Ours has failed, and the arguments of its latest call name
the one that counts and how much of it. Nothing is sent under that call any more.
"""

from collections import Counter
from typing import Final

from django.db.models import QuerySet, Sum

from multitask.ledger.models import Entry
from multitask.money import Money
from multitask.payments.books import loss_postings, postings
from multitask.payments.models import Escrow, Operation, Reversal
from multitask.payments.states import ReversalState

# Why a reversal of ours that was not sent is not sent any more.
MADE_OUTSIDE: Final = "made_outside"
_OUTSIDE: Final = "outside_reversal_id"
_COUNTED: Final = "outside_minor"


def calls() -> QuerySet[Operation]:
    """Select the calls in whose place reversals made outside count."""
    return Operation.objects.filter(arguments__has_key=_OUTSIDE)


def mark(call: Operation, outside: Reversal, amount: Money) -> None:
    """Let an amount of a reversal made outside count in place of our call, which has failed or is failing."""
    call.arguments |= {_OUTSIDE: outside.pk, _COUNTED: amount.amount_minor}
    Operation.objects.filter(pk=call.pk).update(arguments=call.arguments)


def replaces(reversal: Reversal) -> bool:
    """Return whether a reversal made outside counts in place of this one of ours."""
    return calls().filter(escrow=reversal.escrow_id, subject_id=reversal.pk).exists()


def held_key(outside: Reversal) -> str:
    """Return the key of the posting that holds what came back with a reversal made outside."""
    return f"reversal:{outside.pk}:held"


def held(outside: Reversal) -> Money:
    """Return what of the payee's share was held when a reversal made outside came."""
    posted = Entry.objects.filter(
        transaction__scope=postings.SCOPE,
        transaction__key=held_key(outside),
        account__code=loss_postings.contested_account(outside.escrow_id).code,
    )
    return Money(int(posted.aggregate(sum=Sum("amount_minor"))["sum"] or 0), outside.currency)


def uncovered(outside: Reversal) -> Money:
    """Return what of a reversal made outside neither was held of the payee's share nor counts in place of ours."""
    left = outside.amount_minor - held(outside).amount_minor - _counted(outside.escrow_id)[outside.pk]
    return Money(max(0, left), outside.currency)


def undecided(escrow: Escrow) -> Money:
    """Return what of the reversals made outside waits for a decision: what counts in place of ours does not."""
    return _undecided(escrow, list(escrow.reversals.filter(is_decided=False)))


def coming_back(escrow: Escrow) -> Money:
    """Return what came back of an escrow's transfers or is on its way, without what waits for a decision."""
    made = list(Reversal.objects.filter(escrow=escrow).exclude(state=ReversalState.FAILED.value))
    total = Money(sum(each.amount_minor for each in made), escrow.currency)
    return total - _undecided(escrow, [each for each in made if not each.is_decided])


def _undecided(escrow: Escrow, waiting: list[Reversal]) -> Money:
    counted = _counted(escrow.pk) if waiting else Counter()
    return Money(sum(each.amount_minor - counted[each.pk] for each in waiting), escrow.currency)


def _counted(escrow_id: int) -> Counter[int]:
    """Return how much of each reversal made outside counts in place of ours, in minor units."""
    found: Counter[int] = Counter()
    for arguments in calls().filter(escrow=escrow_id).values_list("arguments", flat=True):
        found[arguments[_OUTSIDE]] += arguments[_COUNTED]
    return found

"""The payout budget of a platform route: which payouts it covers, in the order in which they were asked for.

The provider pays out of a budget that the platform has filled before. A payout is sent once it is allotted; while the
budget is short, it and all later ones wait. What is allotted is reserved until the payout has ended. The provider may
have less than the books, and refuse what was allotted: so one payout is sent after the other, each once the one before
it was answered, and a refusal takes the allotments of all later ones back.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from multitask import database, ledger
from multitask.database.clocks import AHEAD
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Disbursement, Operation, PayeeIdentity, PayoutBudget, PayoutDestination
from multitask.payments.operations import engine, held_calls, queue, routes
from multitask.payments.payouts import destination_choice, refund_destinations
from multitask.payments.provider import DestinationKind, Disburses, RouteKind
from multitask.payments.states import OPEN_OPERATIONS, IdentityState, OperationState

DISBURSE: Final = "disburse"
DISBURSE_REFUND: Final = "disburse_refund"
AWAITS_BUDGET: Final = "awaits_budget"
# The provider's refusal of a payout that its budget does not cover.
BUDGET_SHORT: Final = "budget_short"
AWAITS_TURN: Final = "awaits_turn"
# After a refusal for a short budget, unless it is topped up: what the books reserve for costs may be too little, and
# then nothing else shows that the budget does not cover the payout.
REFUSED_AGAIN_AFTER: Final = timedelta(minutes=15)
# Basis points are hundredths of a percent.
_WHOLE: Final = 10_000
_ROUND_UP: Final = _WHOLE - 1


@database.transactional
def allot(*, provider: str, currency: str, now: datetime) -> int:
    """Allot the budget to the payouts that wait, oldest first, and have them sent; return how many.

    The first that the budget does not cover stops it, so that a small payout does not overtake a large one. Payouts
    whose destination is still in its cool-down are passed over, and those that must not be paid (`may_be_paid`).
    After a refusal nothing is allotted for a while.
    """
    budget = lock(provider, currency)
    _correct_refusal(budget, now)
    _send_next(budget, now)
    if _was_just_refused(budget, now):
        return 0
    left = free(budget)
    waiting = Disbursement.objects.select_for_update(no_key=True, of=("self",)).filter(
        provider=provider, currency=currency, allotted_at=None, ended_at=None, usable_from__lte=now
    )
    _redirect(waiting, now)
    allotted = []
    for disbursement in waiting.filter(may_be_paid()).order_by("pk"):
        left -= disbursement.amount_minor + costs_of(disbursement.amount_minor)
        if left < 0:
            break
        allotted.append(disbursement.pk)
    Disbursement.objects.filter(pk__in=allotted).update(allotted_at=now)
    calls = _calls().filter(subject_id__in=allotted)
    held_calls.retry(calls.order_by("subject_id").values_list("pk", flat=True), now=now)
    return len(allotted)


def _calls() -> QuerySet[Operation]:
    """Select the calls of payouts that are open."""
    return Operation.objects.filter(
        kind__in=[DISBURSE, DISBURSE_REFUND], state__in=[state.value for state in OPEN_OPERATIONS]
    )


def hold_of(disbursement_id: int) -> str:
    """Return why a payout must not be sent yet, nothing if it may: it is not allotted, or another one goes before it.

    Locks the payout, so that an allotment that is made or taken back at this moment is seen, or sees that the call is
    held.
    """
    payout = Disbursement.objects.select_for_update(no_key=True).get(pk=disbursement_id)
    if payout.allotted_at is None:
        return AWAITS_BUDGET
    return AWAITS_TURN if _is_preceded(payout) else ""


def _is_preceded(payout: Disbursement) -> bool:
    """Return whether the answer to an earlier payout is awaited, which may be that the budget is short.

    One that has no answer since it was allotted counts; not one that is tried again for another reason, such as a
    lost answer, so that it keeps no other waiting.
    """
    is_unsent = Q(state=OperationState.PENDING.value) & (Q(sent_at=None) | Q(sent_at__lt=OuterRef("allotted_at")))
    unanswered = _calls().filter(
        is_unsent | Q(state=OperationState.SENT.value), subject_id=OuterRef("pk"), is_uncertain=False
    )
    earlier = Disbursement.objects.filter(
        Exists(unanswered),
        provider=payout.provider,
        currency=payout.currency,
        pk__lt=payout.pk,
        allotted_at__isnull=False,
        ended_at=None,
    )
    return earlier.exists()


def _send_next(budget: PayoutBudget, now: datetime) -> None:
    """Perform the first call that waits for its turn, if it has come."""
    call = _awaiting_turn().filter(subject_id__in=_allotted(budget).values("pk")).order_by("subject_id").first()
    if call is not None and not _is_preceded(Disbursement.objects.get(pk=call.subject_id)):
        held_calls.retry([call.pk], now=now)


def _awaiting_turn() -> QuerySet[Operation]:
    return _calls().filter(hold=AWAITS_TURN)


def _allotted(budget: PayoutBudget) -> QuerySet[Disbursement]:
    open_ones = Disbursement.objects.filter(provider=budget.provider, currency=budget.currency, ended_at=None)
    return open_ones.filter(allotted_at__isnull=False)


def _redirect(waiting: QuerySet[Disbursement], now: datetime) -> None:
    """Let payouts wait whose destination refused another one and is being replaced: they go to its successor."""
    for disbursement in waiting.filter(destination__retired_at__gt=now).select_related("destination"):
        present = disbursement.destination
        chosen = destination_choice.of(user_id=present.user_id, currency=present.currency, now=now)
        if chosen is None or not chosen.is_cooling_down(now):
            continue
        if refund_destinations.takes(disbursement.provider, DestinationKind(chosen.kind), disbursement.amount):
            disbursement.destination, disbursement.usable_from = chosen, chosen.usable_from
            disbursement.save(update_fields=["destination", "usable_from"])


def _was_just_refused(budget: PayoutBudget, now: datetime) -> bool:
    return budget.refused_at is not None and now < budget.refused_at + REFUSED_AGAIN_AFTER


def _correct_refusal(budget: PayoutBudget, now: datetime) -> None:
    """Let a refusal that lies ahead count as one after which it is time to try again; the budget is locked.

    Otherwise nothing would be allotted, and no report would count as later, until the clock has come to that moment.
    """
    if budget.refused_at is not None and budget.refused_at > now + AHEAD:
        budget.refused_at = now - REFUSED_AGAIN_AFTER
        budget.save(update_fields=["refused_at"])


def may_be_paid() -> Q:
    """Return the condition of payouts that nothing forbids.

    The payee's identity is confirmed (a client who gets a refund needs none), their user is not closed, and the
    destination was not removed by its owner, to whom it may have been lost, or may never have belonged.
    """
    confirmed = PayeeIdentity.objects.filter(
        user_id=OuterRef("withdrawal__user_id"), replaced_at=None, state=IdentityState.CONFIRMED.value
    )
    is_known = Q(withdrawal=None) | Q(Exists(confirmed))
    return is_known & Q(destination__user__is_active=True) & ~_was_removed()


def to_removed(payouts: QuerySet[Disbursement]) -> QuerySet[Disbursement]:
    """Select the payouts that were not allotted and whose destination its owner removed, or replaced unused."""
    return payouts.filter(_was_removed(), allotted_at=None, ended_at=None)


def _was_removed() -> Q:
    """Return the condition of payouts whose destination ended without another one usable in its place at that moment.

    Its owner removed it, or replaced it during its cool-down (`was_replaced`).
    """
    successor = PayoutDestination.objects.filter(
        user_id=OuterRef("destination__user_id"),
        currency=OuterRef("destination__currency"),
        usable_from=OuterRef("destination__retired_at"),
    )
    return Q(~Exists(successor), destination__retired_at__isnull=False)


def was_replaced(destination: PayoutDestination) -> bool:
    """Return whether the owner of a destination that ended had added another one at that moment. One statement.

    So ends one that was never usable: a later one has a cool-down of its own.
    """
    if destination.retired_at is None:
        return False
    successor = PayoutDestination.objects.filter(
        user_id=destination.user_id, currency=destination.currency, created_at=destination.retired_at
    )
    return successor.exclude(pk=destination.pk).exists()


def withheld(*, now: datetime) -> QuerySet[Disbursement]:
    """Select the payouts that could leave, but for what `may_be_paid` forbids."""
    open_ones = Disbursement.objects.filter(allotted_at=None, ended_at=None, usable_from__lte=now)
    return open_ones.filter(~may_be_paid())


def allot_soon(provider: str, currency: str) -> None:
    """Queue `allot` for after the caller's transaction; called when the budget may cover more than before."""
    queue.defer(queue.ALLOT_BUDGET, provider=provider, currency=currency)


@database.transactional
def withhold(*, disbursement_id: int) -> None:
    """Take the allotment of a payout back whose payee may not be paid any more; it keeps its place."""
    seen = Disbursement.objects.get(pk=disbursement_id)
    lock(seen.provider, seen.currency)
    Disbursement.objects.filter(pk=disbursement_id, ended_at=None).update(allotted_at=None)
    allot_soon(seen.provider, seen.currency)


@database.transactional
def put_back(*, disbursement_id: int, now: datetime) -> None:
    """Take the allotment of a payout back, which the provider refused for a short budget; it keeps its place.

    So do all later ones, whose allotments are taken back too unless they were sent already: a smaller one may still be
    covered, and would overtake it. Nothing more is allotted until the provider reports what the budget holds, and for
    a while.
    """
    seen = Disbursement.objects.get(pk=disbursement_id)
    budget = lock(seen.provider, seen.currency)
    budget.refused_at = now
    budget.save(update_fields=["refused_at"])
    later = _allotted(budget).filter(pk__gt=disbursement_id)
    # Locked before the calls are read: a call is claimed under this lock (`hold_of`).
    locked = list(later.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    unsent = _calls().filter(subject_id__in=locked, state=OperationState.PENDING.value, is_uncertain=False)
    taken_back = [disbursement_id, *unsent.values_list("subject_id", flat=True)]
    Disbursement.objects.filter(pk__in=taken_back, ended_at=None).update(allotted_at=None)
    queue.defer(queue.COMPARE_BUDGET, provider=seen.provider, currency=seen.currency)


@database.transactional
def report(*, provider: str, reported: Money, expected: Money, now: datetime) -> PayoutBudget:
    """Store what the provider reports of its budget; `expected` is what it should hold by our books.

    If both are equal, an earlier refusal counts no more.
    """
    budget = lock(provider, reported.currency)
    _correct_refusal(budget, now)
    budget.reported_minor, budget.expected_minor = reported.amount_minor, expected.amount_minor
    budget.reported_at = now
    if reported == expected:
        budget.differs_since = None
        if budget.refused_at is not None and not _was_just_refused(budget, now):
            budget.refused_at = None
    elif budget.differs_since is None:
        budget.differs_since = now
    budget.save()
    allot_soon(provider, reported.currency)
    return budget


def forget_refusal(provider: str, currency: str) -> None:
    """Let payouts be allotted again after a refusal, since the budget was topped up; the caller has locked it."""
    PayoutBudget.objects.filter(provider=provider, currency=currency).update(refused_at=None)


def held(provider: str, currency: str) -> Money:
    """Return what the books hold in a budget."""
    return -ledger.balance(postings.budget_account(provider).code, currency)


@database.snapshot
def expected_there(provider: str, currency: str) -> Money:
    """Return what the provider should report: what the books hold less the payouts that it has accepted.

    It takes amount and costs out of the budget when it accepts a payout; the books do when it is paid.
    """
    accepted = Disbursement.objects.filter(
        provider=provider, currency=currency, ended_at=None, provider_payout_id__isnull=False
    )
    taken = accepted.order_by().aggregate(amount=Sum("amount_minor"), fee=Sum("fee_minor"), tax=Sum("tax_minor"))
    return held(provider, currency) - Money(sum(minor or 0 for minor in taken.values()), currency)


def compare(*, provider: str, currency: str, now: datetime) -> PayoutBudget:
    """Ask the provider what the budget holds and store it beside our figure. Raises the provider's errors."""
    expected = expected_there(provider, currency)
    reported = engine.provider_for(provider, Disburses).read_budget(currency)
    # A payout that was accepted meanwhile is in one figure only: it differs for one comparison, not for the next.
    after = expected_there(provider, currency)
    if after == reported:
        expected = after
    return report(provider=provider, reported=reported, expected=expected, now=now)


def waiting(*, now: datetime) -> list[tuple[str, str]]:
    """Return the provider and currency of each budget for which a payout waits that may be sent."""
    rows = Disbursement.objects.filter(may_be_paid(), allotted_at=None, ended_at=None, usable_from__lte=now)
    return _budgets_of(rows)


def awaiting_turn() -> list[tuple[str, str]]:
    """Return the provider and currency of each budget with a payout that was allotted and waits for its turn."""
    return _budgets_of(Disbursement.objects.filter(ended_at=None, pk__in=_awaiting_turn().values("subject_id")))


def _budgets_of(rows: QuerySet[Disbursement]) -> list[tuple[str, str]]:
    return list(rows.values_list("provider", "currency").distinct().order_by("provider", "currency"))


def lock(provider: str, currency: str) -> PayoutBudget:
    """Lock and return a budget, which is created the first time."""
    rows = PayoutBudget.objects.select_for_update(no_key=True).filter(provider=provider, currency=currency)
    found = rows.first()
    if found is None:
        PayoutBudget.objects.bulk_create([PayoutBudget(provider=provider, currency=currency)], ignore_conflicts=True)
        found = rows.get()
    return found


def routed() -> list[tuple[str, str]]:
    """Return the provider and currency of each budget that a platform route pays out of. No statement."""
    found = [routes.of(currency) for currency in routes.currencies()]
    return [(route.provider, route.currency) for route in found if route.kind is RouteKind.PLATFORM]


def needed(payouts: QuerySet[Disbursement]) -> int:
    """Return what payouts take out of a budget, in minor units: their costs as reported, else as they are reserved."""
    share = (F("amount_minor") * settings.PAYOUT_FEE_RESERVE_BASIS_POINTS + _ROUND_UP) / _WHOLE  # As `costs_of`.
    reported = F("fee_minor") + Coalesce(F("tax_minor"), 0)
    costs = Coalesce(reported, share + settings.PAYOUT_FEE_RESERVE_MINOR)
    return int(payouts.order_by().aggregate(total=Sum(F("amount_minor") + costs))["total"] or 0)


def costs_of(amount_minor: int) -> int:
    """Return what is reserved for fee and tax of a payout: a fixed amount and a share of it, rounded up."""
    share = (amount_minor * settings.PAYOUT_FEE_RESERVE_BASIS_POINTS + _ROUND_UP) // _WHOLE
    return settings.PAYOUT_FEE_RESERVE_MINOR + share


def reserved(budget: PayoutBudget) -> int:
    """Return what is reserved for payouts that were allotted and have not ended, in minor units."""
    return needed(_allotted(budget))


def free(budget: PayoutBudget) -> int:
    """Return what the budget covers beyond what is reserved, in minor units."""
    # Read first: of a payout that ends between the two statements, both count, never neither.
    kept = reserved(budget)
    covered = held(budget.provider, budget.currency).amount_minor
    if budget.refused_at is not None:
        if budget.reported_at is None or budget.reported_at <= budget.refused_at:
            return 0
        # The books and the provider differ: by as much as the provider had less, less is covered.
        covered += min(0, (budget.reported_minor or 0) - (budget.expected_minor or 0))
    return int(covered - kept)

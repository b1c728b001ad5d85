"""What finance records about the money of a platform route: settlements to the bank, top-ups, costs and credits.

None of them moves money: the provider and the bank have done so, and the record brings the books in line. A wrong
record is not changed but corrected by its opposite.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from multitask import database
from multitask.money import Money
from multitask.payments.books import audit, budget_postings
from multitask.payments.errors import AmountTooLarge, Forbidden, KeyReused, NotFound, ReferenceUsed, WrongState
from multitask.payments.models import RECORD_FILE_MAX, BudgetRecord, PayoutBudget
from multitask.payments.operations import direct_calls, engine
from multitask.payments.payouts import budget
from multitask.payments.provider import Disburses
from multitask.users import powers
from multitask.users.actor import Actor, Power

Kind: Final = BudgetRecord.Kind
FILE_TYPES: Final = frozenset({"application/pdf", "image/jpeg", "image/png"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFile:
    """A document about a record: a PDF, a JPEG or a PNG."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


def local_day(provider: str, now: datetime) -> date:
    """Return today's date where the provider and its banks are: no record is about a later day."""
    return engine.provider_for(provider, Disburses).local_day(now)


def settle_to_bank(
    *,
    actor: Actor,
    provider: str,
    amount: Money,
    fee: Money,
    happened_on: date,
    reference: str,
    now: datetime,
    note: str = "",
    file: RecordFile | None = None,
    request_key: str = "",
) -> BudgetRecord:
    """Record that the provider settled `amount`, of which it kept `fee`, to the platform's bank, as finance staff.

    A repeated `request_key` returns the same record. Raises Forbidden, ProofNeeded, AmountTooLarge, ReferenceUsed,
    WrongState or KeyReused.
    """
    wanted = BudgetRecord(
        kind=Kind.SETTLED_TO_BANK,
        provider=provider,
        currency=amount.currency,
        amount_minor=amount.amount_minor,
        fee_minor=fee.amount_minor,
        happened_on=happened_on,
        reference=reference.strip(),
        note=note,
        request_key=request_key,
    )
    return _record(actor, wanted, file, now)


def top_up(
    *,
    actor: Actor,
    provider: str,
    amount: Money,
    happened_on: date,
    reference: str,
    now: datetime,
    note: str = "",
    file: RecordFile | None = None,
    request_key: str = "",
) -> BudgetRecord:
    """Record that the payout budget was topped up from the bank, as finance staff; waiting payouts leave then.

    A repeated `request_key` returns the same record. Raises as `settle_to_bank`.
    """
    wanted = BudgetRecord(
        kind=Kind.BUDGET_TOPPED_UP,
        provider=provider,
        currency=amount.currency,
        amount_minor=amount.amount_minor,
        happened_on=happened_on,
        reference=reference.strip(),
        note=note,
        request_key=request_key,
    )
    return _record(actor, wanted, file, now)


def book_costs(
    *,
    actor: Actor,
    provider: str,
    fee: Money,
    tax: Money,
    happened_on: date,
    reference: str,
    note: str,
    now: datetime,
    came_back: bool = False,
    file: RecordFile | None = None,
    request_key: str = "",
) -> BudgetRecord:
    """Record that the provider took fee and tax of payouts out of the budget, as finance staff; `note` is the reason.

    It is for costs that no payout has reported: reported late, invoiced, or kept of a payout that failed. `came_back`
    is for those that the provider gave back into the budget; waiting payouts that it covers then are sent. A repeated
    `request_key` returns the same record. Raises as `settle_to_bank`.
    """
    if not note.strip():
        raise WrongState("A record of costs needs a reason.")
    if tax.amount_minor < 0:
        raise WrongState("The tax cannot be below zero.")
    wanted = BudgetRecord(
        kind=Kind.COSTS_CREDITED if came_back else Kind.COSTS_BOOKED,
        provider=provider,
        currency=fee.currency,
        amount_minor=(fee + tax).amount_minor,
        fee_minor=fee.amount_minor,
        happened_on=happened_on,
        reference=reference.strip(),
        note=note,
        request_key=request_key,
    )
    return _record(actor, wanted, file, now)


@database.transactional
def correct(*, actor: Actor, record_id: int, note: str, now: datetime) -> BudgetRecord:
    """Take a wrong record back, as finance staff. Raises Forbidden, ProofNeeded, NotFound or WrongState."""
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff corrects records of the budget."))
    wrong = BudgetRecord.objects.select_for_update(no_key=True).filter(pk=record_id).first()
    if wrong is None:
        raise NotFound("There is no such record.")
    if not note.strip():
        raise WrongState("A correction needs a reason.")
    if wrong.corrects_id is not None:
        raise WrongState("This record is a correction itself.")
    if BudgetRecord.objects.filter(corrects=wrong).exists():
        raise WrongState("This record was taken back already.")
    correction = BudgetRecord.objects.create(
        kind=wrong.kind,
        provider=wrong.provider,
        currency=wrong.currency,
        amount_minor=wrong.amount_minor,
        fee_minor=wrong.fee_minor,
        happened_on=wrong.happened_on,
        reference=wrong.reference,
        note=note,
        corrects=wrong,
        recorded_by_id=actor.user_id,
        created_at=now,
    )
    _book(correction, actor, now)
    return correction


def compare_now(*, actor: Actor, budget_id: int, now: datetime, note: str = "") -> PayoutBudget:
    """Compare a budget with the provider's figure at once, as finance staff. Calls the provider.

    Raises Forbidden, ProofNeeded, NotFound, ProviderUnavailable or ProviderRefused.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff compares budgets."))
    known = PayoutBudget.objects.filter(pk=budget_id).first()
    if known is None:
        raise NotFound("There is no such budget.")
    with direct_calls.answered():
        compared = budget.compare(provider=known.provider, currency=known.currency, now=now)
    audit.record("budget_compared", actor=actor, now=now, note=note, details={"provider": known.provider})
    return compared


@database.transactional
def _record(actor: Actor, wanted: BudgetRecord, file: RecordFile | None, now: datetime) -> BudgetRecord:
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff records settlements, top-ups and costs."))
    budget.lock(wanted.provider, wanted.currency)
    earlier = _earlier(actor, wanted)
    if earlier is not None:
        return earlier
    _require_possible(wanted, now)
    wanted.recorded_by_id, wanted.created_at = actor.user_id, now
    if file is not None:
        _require_readable(file)
        wanted.file_name, wanted.file_type, wanted.file_content = file.name[:200], file.content_type, file.content
    wanted.save()
    _book(wanted, actor, now)
    return wanted


def _earlier(actor: Actor, wanted: BudgetRecord) -> BudgetRecord | None:
    if not wanted.request_key:
        return None
    found = BudgetRecord.objects.filter(recorded_by_id=actor.user_id, request_key=wanted.request_key).first()
    same = ("kind", "provider", "currency", "amount_minor", "fee_minor", "happened_on", "reference")
    if found is not None and any(getattr(found, name) != getattr(wanted, name) for name in same):
        raise KeyReused
    return found


def _require_possible(wanted: BudgetRecord, now: datetime) -> None:
    today = local_day(wanted.provider, now)
    if not wanted.reference:
        raise WrongState("Give the reference of the bank or the provider.")
    if wanted.amount_minor <= 0 or wanted.fee_minor < 0:
        raise WrongState("The amount has to be above zero.")
    if wanted.fee_minor > wanted.amount_minor:
        raise AmountTooLarge("The fee is larger than the amount.")
    if wanted.happened_on > today:
        raise WrongState("This day has not come yet.")
    same = BudgetRecord.objects.filter(
        kind=wanted.kind, provider=wanted.provider, reference=wanted.reference, corrects=None, corrected_by=None
    )
    if same.exists():
        raise ReferenceUsed


def _require_readable(file: RecordFile) -> None:
    if file.content_type not in FILE_TYPES:
        raise WrongState("Give a PDF, a JPEG or a PNG.")
    if len(file.content) > RECORD_FILE_MAX:
        raise WrongState("The file is larger than 5 MB.")


def _book(record: BudgetRecord, actor: Actor, now: datetime) -> None:
    event = str(record.kind) if record.corrects_id is None else "budget_record_corrected"
    audit.record(
        event,
        actor=actor,
        now=now,
        amount=record.amount,
        note=record.note,
        details={"provider": record.provider, "reference": record.reference, "fee_minor": record.fee_minor},
    )
    if record.kind == Kind.SETTLED_TO_BANK:
        budget_postings.settle_to_bank(record, now)
    elif record.kind in {Kind.COSTS_BOOKED, Kind.COSTS_CREDITED}:
        budget_postings.record_costs(record, now)
        budget.allot_soon(record.provider, record.currency)  # A credit, or a correction, may cover more.
    else:
        budget.forget_refusal(record.provider, record.currency)
        budget_postings.top_up(record, now)
        budget.allot_soon(record.provider, record.currency)

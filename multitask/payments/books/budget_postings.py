"""Postings of a platform route: collected money that goes to the bank, the payout budget, and what payouts cost.

Money is collected at the provider, which settles it to the platform's bank from time to time; from there the budget of
payouts is topped up. Each is an asset of its own, so negative.
"""

from datetime import datetime

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.books.postings import SCOPE
from multitask.payments.models import BudgetRecord, Disbursement


def bank_account(provider: str) -> AccountRef:
    """What a provider has settled to the platform's bank and the budget was not topped up with yet (an asset)."""
    return AccountRef(f"provider:{provider}:bank", floor_minor=None)


def payout_fees_account() -> AccountRef:
    """What providers charge for payouts from the budget."""
    return AccountRef("platform:payout_fees", floor_minor=None)


def payout_taxes_account() -> AccountRef:
    """The tax on fees of payouts from the budget."""
    return AccountRef("platform:payout_taxes", floor_minor=None)


def source(record: BudgetRecord) -> AccountRef:
    """Return the account that a record takes its money from (an asset)."""
    if record.kind == BudgetRecord.Kind.SETTLED_TO_BANK:
        return postings.provider_account(record.provider)
    if record.kind == BudgetRecord.Kind.BUDGET_TOPPED_UP:
        return bank_account(record.provider)
    if record.kind == BudgetRecord.Kind.COSTS_CREDITED:
        return payout_fees_account()
    return postings.budget_account(record.provider)


def settle_to_bank(record: BudgetRecord, now: datetime) -> ledger.Posting:
    """Post a settlement of collected money to the bank; the provider has kept its fee."""
    return _record(
        "settled_to_bank",
        record,
        [
            Leg(bank_account(record.provider), record.fee - record.amount),
            Leg(postings.costs_account(), -record.fee),
            Leg(postings.provider_account(record.provider), record.amount),
        ],
        now,
        f"Settlement {record} to the bank",
    )


def top_up(record: BudgetRecord, now: datetime) -> ledger.Posting:
    """Post a top-up of the payout budget from the bank."""
    return _record(
        "budget_topped_up",
        record,
        [
            Leg(postings.budget_account(record.provider), -record.amount),
            Leg(bank_account(record.provider), record.amount),
        ],
        now,
        f"Top-up {record} of the payout budget",
    )


def record_costs(record: BudgetRecord, now: datetime) -> ledger.Posting:
    """Post fee and tax of payouts that left the budget or came back, which no payout has reported."""
    came_back = record.kind == BudgetRecord.Kind.COSTS_CREDITED
    amount, fee = (-record.amount, -record.fee) if came_back else (record.amount, record.fee)
    return _record(
        str(record.kind),
        record,
        [
            Leg(payout_fees_account(), -fee),
            Leg(payout_taxes_account(), fee - amount),
            Leg(postings.budget_account(record.provider), amount),
        ],
        now,
        f"Credit {record} of costs of payouts" if came_back else f"Costs {record} of payouts",
    )


def record_key(record: BudgetRecord) -> str:
    """Return the key of the posting of a record."""
    return f"budget_record:{record.pk}:booked"


def _record(kind: str, record: BudgetRecord, legs: list[Leg], now: datetime, description: str) -> ledger.Posting:
    """Post a record of finance; one that corrects another posts the opposite."""
    is_correction = record.corrects_id is not None
    signed = [Leg(leg.account, -leg.amount) if is_correction else leg for leg in legs]
    return ledger.post(
        kind=f"{kind}_corrected" if is_correction else kind,
        scope=SCOPE,
        key=record_key(record),
        legs=[leg for leg in signed if leg.amount.amount_minor],
        effective_at=now,
        description=f"Correction: {description}" if is_correction else description,
    )


def payout_costs(disbursement: Disbursement, now: datetime) -> ledger.Posting | None:
    """Post fee and tax of a payout, which the platform bears; nothing if there are none."""
    return _costs("payout_costs", f"disbursement:{disbursement.pk}:costs", disbursement, now, sign=1)


def return_payout_costs(disbursement: Disbursement, now: datetime) -> ledger.Posting | None:
    """Post that fee and tax of a payout came back with it."""
    return _costs("payout_costs_returned", f"disbursement:{disbursement.pk}:costs_returned", disbursement, now, sign=-1)


def _costs(kind: str, key: str, disbursement: Disbursement, now: datetime, *, sign: int) -> ledger.Posting | None:
    fee = Money(sign * (disbursement.fee_minor or 0), disbursement.currency)
    tax = Money(sign * (disbursement.tax_minor or 0), disbursement.currency)
    if not fee.amount_minor and not tax.amount_minor:
        return None
    legs = [
        Leg(payout_fees_account(), -fee),
        Leg(payout_taxes_account(), -tax),
        Leg(postings.budget_account(disbursement.provider), fee + tax),
    ]
    return _post(kind, key, legs, now, f"Costs of payout {disbursement}")


def _post(kind: str, key: str, legs: list[Leg], now: datetime, description: str) -> ledger.Posting:
    return ledger.post(
        kind=kind,
        scope=SCOPE,
        key=key,
        legs=[leg for leg in legs if leg.amount.amount_minor],
        effective_at=now,
        description=description,
    )

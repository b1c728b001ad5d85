"""Our books against Paymob's own record, to the piastre, and what would be left over in a story in Egyptian pounds."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Sum

from multitask.ledger.models import Balance, Transaction
from multitask.payments.models import (
    CardToken,
    Disbursement,
    Escrow,
    Payment,
    PayoutBudget,
    Refund,
    SavedMethod,
    Withdrawal,
)
from multitask.payments.payouts import encryption
from sandboxes.kit.documents import Doc
from tests.egypt_world import BANK, BUDGET, COLLECTED
from tests.simulation.egypt.office import references
from tests.simulation.egypt.paymob import Paymob

COSTS = "platform:processing_costs"
TOOK_MONEY = frozenset({"pending", "successful", "unknown"})


def differences(paymob: Paymob) -> Iterator[str]:
    """Yield everything in which our books and Paymob's record are not the same."""
    there = paymob.money()
    if there["sum"]:
        yield f"the sandbox's own sum is {there['sum']}"
    yield from _balances(there)
    yield from _payments(there)
    yield from _payouts(there)
    yield from _reserve()
    yield from _cards(paymob)


def _balances(there: Doc) -> Iterator[str]:
    # Paymob deducts its fees at once; the books have them when a settlement is recorded.
    unrecorded = there["fees"]["collecting"] + there["fees"]["collecting_vat"] - _owned(COSTS)
    costs = _owned("platform:payout_fees") + _owned("platform:payout_taxes")
    compared = (
        ("what is collected", _owned(COLLECTED) - unrecorded, there["unsettled"]),
        ("the bank", _owned(BANK), there["bank"]),
        ("the budget", _owned(BUDGET), there["budget"] + there["in_transit"]),
        ("the costs of payouts", costs, there["fees"]["payouts"] + there["fees"]["payouts_vat"]),
    )
    for what, ours, theirs in compared:
        if ours != theirs:
            yield f"{what}: {ours} here, {theirs} there"


def _owned(pattern: str) -> int:
    """Return what an account of assets or costs holds, which is negative in the ledger."""
    found = Balance.objects.filter(account__code=pattern, account__currency="EGP")
    return -int(found.aggregate(sum=Sum("balance_minor"))["sum"] or 0)


def _payments(there: Doc) -> Iterator[str]:
    """Yield payments and their refunds that differ; what went back before we saw the payment was never received."""
    paid, back = Counter[str](), Counter[str]()
    for doc in there["transactions"]:
        if doc["kind"] == "payment" and doc["status"] == "approved":
            paid[str(doc["order"])] += doc["amount"]
            back[str(doc["order"])] += doc["amount"] if doc["voided"] else doc["refunded"]
    ours: dict[str, Any] = {str(row.provider_payment_id): row for row in Payment.objects.filter(provider="paymob")}
    for order, amount in paid.items():
        row = ours.pop(order, None)
        returned = Refund.objects.filter(payment=row, state="succeeded", payment__is_refundable=True)
        returned = returned.exclude(pk__in=_paid_by_bank())
        refunded = int(returned.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
        received = row.received_minor if row is not None else 0
        if received - refunded != amount - back[order]:
            yield f"order {order}: {received} less {refunded} here, {amount} less {back[order]} there"
    for order, row in ours.items():
        if row.received_minor:
            yield f"order {order}: {row.received_minor} here, nothing there"


def _paid_by_bank() -> list[int]:
    """Return the refunds that the platform paid from its own bank, of which the provider knows nothing."""
    keys = Transaction.objects.filter(kind="refund_paid_by_bank").values_list("key", flat=True)
    return [int(key.split(":")[1]) for key in keys]


def _payouts(there: Doc) -> Iterator[str]:
    """Yield payouts that differ: of each withdrawal and refund at most one took money, and does so as we know."""
    by_reference: dict[str, list[Doc]] = {}
    for doc in there["payouts"]:
        by_reference.setdefault(doc["client_reference"], []).append(doc)
    for row in Disbursement.objects.select_related("withdrawal", "refund"):
        made = [doc for name in references(row) for doc in by_reference.pop(name, [])]
        took = [doc for doc in made if doc["status"] in TOOK_MONEY]
        if len(took) > 1:
            yield f"payout {row.pk} was made {len(took)} times"
        is_paid = any(doc["status"] == "successful" and doc["amount"] == row.amount_minor for doc in made)
        if is_paid != _is_paid(row):
            yield f"payout {row.pk} is paid here: {_is_paid(row)}; there: {is_paid}"
    for name in by_reference:
        yield f"the payout {name} is not ours"


def _is_paid(row: Disbursement) -> bool:
    if row.withdrawal is not None:
        return row.withdrawal.state == "completed"
    return row.refund is not None and row.refund.state == "succeeded"


def _reserve() -> Iterator[str]:
    held = Balance.objects.filter(account__code__regex=r"^user:\d+:withdrawing$", account__currency="EGP")
    reserved = int(held.aggregate(sum=Sum("balance_minor"))["sum"] or 0)
    waiting = Withdrawal.objects.filter(state__in=["pending", "processing"])
    asked = int(waiting.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
    if reserved != asked:
        yield f"{reserved} is reserved for withdrawals of {asked}"


def _cards(paymob: Paymob) -> Iterator[str]:
    """Yield saved cards that are not their client's, are stored twice, or were offered to somebody else."""
    saved = {str(doc["number"]): doc for doc in paymob.some("card_token")}
    savers = {doc["token"]: _client_of(doc["order"]) for doc in saved.values()}
    seen = set()
    for method in SavedMethod.objects.filter(provider="paymob").select_related("customer"):
        doc, owner = saved[method.provider_method_id], method.customer.user_id
        token = CardToken.objects.filter(method=method).first()
        if savers[doc["token"]] != owner:
            yield f"card {method.pk} is not that of client {owner}"
        if (token is None) != (method.detached_at is not None):
            yield f"card {method.pk} is removed {method.detached_at}, and its token is {token}"
        if token is not None:
            if encryption.decrypt(token.public_id, token.encrypted) != {"token": doc["token"]}:
                yield f"card {method.pk} has another card's token"
            if (owner, method.brand, method.last4) in seen:
                yield f"card {method.pk} is there twice"
            seen.add((owner, method.brand, method.last4))
    for page in paymob.some("intention"):
        payer = _client_of(page["order"])
        for token in page["card_tokens"]:
            if payer is not None and savers[token] != payer:
                yield f"the page {page['id']} offers somebody else's card"


def _client_of(order: str) -> int | None:
    """Return who pays an order; None if its creation was not heard of."""
    number = order.removeprefix("order_")
    found = Payment.objects.filter(provider="paymob", provider_payment_id=number)
    return found.values_list("escrow__client", flat=True).first()


def unfinished() -> Iterator[str]:
    """Yield what is neither at an end nor in front of a person, besides what every story looks at."""
    for row in Disbursement.objects.filter(ended_at=None):
        yield f"the payout {row.pk} of {row.amount}"
    for budget in PayoutBudget.objects.exclude(differs_since=None):
        yield f"the difference of the budget, {budget.reported_minor} there and {budget.expected_minor} here"
    for escrow in Escrow.objects.filter(route="platform", state="released", made_available_at=None):
        yield f"the share of escrow {escrow.pk}, which is not available"

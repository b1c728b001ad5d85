"""Plays every business event once and writes its postings to docs/chart-of-accounts.md.

`UPDATE_DOCS=1 make test` (or pytest with that variable) writes the page; without it the page has to be the one
that is committed.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc, getsource
from pathlib import Path
from typing import Any

from multitask.ledger.models import Account, Entry, Transaction
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.escrow import disputes, refunds
from multitask.payments.funding import unapplied_payments
from tests.payments_world import REFUNDED_LATER, Job, World, dollars

PAGE = Path(__file__).parents[3] / "docs" / "chart-of-accounts.md"

HEAD = """\
# Chart of accounts

A test writes this page: it plays every business event once against the offline Stripe and shows its postings
(`tests/integration/payments/test_chart_of_accounts.py`; `UPDATE_DOCS=1` writes the page again).

A balance is credits minus debits. What we owe to users or hold for them is positive; what the provider holds for
us is negative; the platform's fees are positive and its costs negative. All balances of one currency sum to zero.
An account has one currency: the same code may exist once per currency.

## Accounts

| account | what it holds | lowest balance | shards |
|---|---|---|---|
"""

EVENTS_HEAD = """
## Events

Amounts are in US dollars: a task for 100.00, of which 15.00 is the fee; the provider keeps 2.9% and 0.30 of a
payment. Each table is one ledger transaction, which is atomic.
"""

# Ids in account codes, by what they are the id of; the first that fits names the account on the page.
_PATTERNS = (
    (r"^escrow:\d+$", "escrow:{escrow}", postings.escrow_account),
    (r"^user:\d+:pending$", "user:{user}:pending", postings.pending_account),
    (r"^user:\d+:available$", "user:{user}:available", postings.available_account),
    (r"^user:\d+:withdrawing$", "user:{user}:withdrawing", postings.withdrawing_account),
    (r"^refund:\d+$", "refund:{refund}", postings.refund_account),
    (r"^unapplied:\d+$", "unapplied:{payment}", postings.unapplied_account),
    (r"^platform:fees$", "platform:fees", postings.fees_account),
    (r"^platform:processing_costs$", "platform:processing_costs", postings.costs_account),
    (r"^provider:\w+:balance$", "provider:{provider}:balance", postings.provider_account),
    (r"^provider:\w+:account:\d+$", "provider:{provider}:account:{account}", postings.connected_account),
)


def name_of(code: str) -> str:
    """The name of an account on the page."""
    for pattern, name, _ in _PATTERNS:
        if re.match(pattern, code):
            return name
    raise AssertionError(f"the chart does not know the account {code}")


@dataclass(frozen=True)
class Event:
    """One business event: how it comes to be, and how it is played once everything before it has happened."""

    title: str
    sentence: str
    before: Callable[[World], Any]
    play: Callable[[World, Any], object]


def fail_refund(world: World, job: Job) -> None:
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})
    world.learn_of_refund(job.refund)


def paid(world: World) -> Job:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    return job


def paid_wrongly(world: World) -> Job:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    return job


def under_review(world: World) -> Job:
    job = paid_wrongly(world)
    world.learn_of_payment(job)
    return job


def return_payment(world: World, job: Job) -> None:
    unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    world.work()


def released(world: World) -> Job:
    job = world.completed()
    world.release(job)
    return job


def sent(world: World) -> Any:
    return world.withdrawn(world.settled().freelancer, dollars("85.00"))


def arrived(world: World) -> Any:
    return world.arrive(sent(world))


def bounce(world: World, withdrawal: Any) -> None:
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail", {"code": "account_closed"})
    world.learn_of_payout(withdrawal)


def refunded(world: World) -> Job:
    job = world.funded()
    world.refund(job, amount=dollars("40.00"))
    world.work()
    return job


def refund_under_way(world: World) -> Job:
    job = world.funded(card=REFUNDED_LATER)
    world.refund(job, amount=dollars("40.00"))
    world.work()
    return job


def refund_to_retry(world: World) -> Job:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    world.release(job)
    fail_refund(world, job)
    return job


def disputed(world: World) -> Any:
    job = world.started()
    return disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)


def settle_dispute(world: World, dispute: Any) -> None:
    disputes.settle(
        actor=world.staff(),
        dispute_id=dispute.pk,
        client_amount=dollars("30.00"),
        freelancer_amount=dollars("70.00"),
        now=world.now,
    )


EVENTS = (
    Event(
        "The client pays",
        "The provider confirms the payment; it keeps its fee, which the platform bears.",
        paid,
        lambda world, job: world.learn_of_payment(job),
    ),
    Event(
        "The escrow is released",
        "By its client, by staff or by silence: 85% for the freelancer, 15% for the platform.",
        lambda world: world.completed(),
        lambda world, job: world.release(job),
    ),
    Event(
        "The share is transferred",
        "From the platform's balance at the provider to the freelancer's connected account.",
        released,
        lambda world, job: world.work(),
    ),
    Event(
        "The share settles",
        "The payment's funds are available at the provider, so the freelancer may withdraw the share.",
        lambda world: world.released(),
        lambda world, job: world.settle(job),
    ),
    Event(
        "The freelancer withdraws",
        "The amount is set aside before the call to the provider.",
        lambda world: world.settled(),
        lambda world, job: world.withdraw(job.freelancer, dollars("85.00")),
    ),
    Event(
        "The withdrawal is paid",
        "The provider reports the payout as paid.",
        sent,
        lambda world, withdrawal: world.arrive(withdrawal),
    ),
    Event("The withdrawal fails", "The money is available again.", sent, bounce),
    Event(
        "The bank returns a paid withdrawal",
        "The payment is reversed, and then the withdrawal fails like any other.",
        arrived,
        bounce,
    ),
    Event(
        "A refund begins",
        "40.00 of an escrow are set aside before the call to the provider.",
        lambda world: world.funded(),
        lambda world, job: world.refund(job, amount=dollars("40.00")),
    ),
    Event(
        "The refund is paid",
        "The provider confirms the refund.",
        refund_under_way,
        lambda world, job: (world.sandbox.advance(2, wait=False), world.learn_of_refund(job.refund)),
    ),
    Event(
        "The refund fails", "The money returns to the account that it was taken from.", refund_under_way, fail_refund
    ),
    Event(
        "The card's bank returns a paid refund",
        "The money returns to the refund's account, and from there to the escrow.",
        refunded,
        fail_refund,
    ),
    Event(
        "A refund that failed after the release is retried",
        "The escrow is closed, so the money stays in the refund's account until staff retries it as a new refund.",
        refund_to_retry,
        lambda world, job: refunds.retry(actor=world.staff(), refund_id=job.refund.pk, now=world.now),
    ),
    Event(
        "A payment arrives that fits no escrow",
        "A payment of another amount (here 90.00), a second payment, or one that arrives too late.",
        paid_wrongly,
        lambda world, job: world.learn_of_payment(job),
    ),
    Event(
        "An unapplied payment is refunded", "It becomes a refund with its own account.", under_review, return_payment
    ),
    Event(
        "A dispute is settled with a split",
        "30.00 for the client, 70.00 for the freelancer, less the fee.",
        disputed,
        settle_dispute,
    ),
)


def shown(minor: int) -> str:
    return Money(minor, "USD").to_major_string()


def t_table(transaction: Transaction) -> str:
    """One transaction as a table, debits first."""
    legs = Entry.objects.filter(transaction=transaction).select_related("account").order_by("amount_minor", "position")
    lines = [f"`{transaction.kind}`", "", "| account | debit | credit |", "|---|---:|---:|"]
    for leg in legs:
        debit, credit = (shown(-leg.amount_minor), "") if leg.amount_minor < 0 else ("", shown(leg.amount_minor))
        lines.append(f"| `{name_of(leg.account.code)}` | {debit} | {credit} |")
    return "\n".join(lines)


def play(world: World, event: Event) -> str:
    """Play an event and show the transactions that it wrote, once nothing is left to do of those before it."""
    world.work()
    subject = event.before(world)
    before = set(Transaction.objects.values_list("pk", flat=True))
    event.play(world, subject)
    written = Transaction.objects.exclude(pk__in=before).order_by("created_at", "pk")
    tables = "\n\n".join(t_table(transaction) for transaction in written)
    assert tables, f"{event.title}: nothing was written"
    return f"\n### {event.title}\n\n{event.sentence}\n\n{tables}\n"


def account_lines() -> str:
    """Every account that was used, as it was opened; the texts are the docstrings of `postings`."""
    lines = []
    terms = {name_of(account.code): account for account in Account.objects.all()}
    for _, name, opened_by in _PATTERNS:
        account = terms.pop(name)
        lowest = "none" if account.floor_minor is None else shown(account.floor_minor)
        lines.append(f"| `{name}` | {getdoc(opened_by)} | {lowest} | {account.shards} |")
    assert not terms
    return "\n".join(lines) + "\n"


def test_the_page_shows_every_event_as_it_is(world: World) -> None:
    events = "".join(play(world, event) for event in EVENTS)
    page = HEAD + account_lines() + EVENTS_HEAD + events
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "run this test with UPDATE_DOCS=1 and look at what has changed"


def test_no_event_of_the_books_is_missing_from_the_page() -> None:
    source = getsource(postings)
    kinds = set(re.findall(r'_move\(\s*"(\w+)"', source)) | set(re.findall(r'kind="(\w+)"', source))
    assert kinds
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE.read_text()} == set()

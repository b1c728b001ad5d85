"""Plays every business event once and writes its postings to docs/chart-of-accounts.md.

`UPDATE_DOCS=1 make test` (or pytest with that variable) writes the page; without it the page has to be the one
that is committed.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import getdoc, getsource
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from multitask.ledger.models import Account, Entry, Transaction
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import (
    budget_postings,
    loss_postings,
    matching,
    postings,
    statement,
    statement_postings,
)
from multitask.payments.escrow import disputes, refunds, refunds_by_bank
from multitask.payments.funding import unapplied_payments
from multitask.payments.losses import explanations
from multitask.payments.losses.explanations import Explanation
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.payments.payouts import withdrawal_cancellation
from multitask.payments.provider import LineKind, StatementEntry, Subject
from multitask.users.actor import Actor
from tests import egypt_world
from tests.egypt_world import EgyptWorld
from tests.integration.payments import chart_accounts
from tests.integration.payments.egypt_events import EGYPT_EVENTS
from tests.integration.payments.loss_events import LOSS_EVENTS
from tests.payments_world import REFUNDED_LATER, Job, World, dollars
from tests.paymob_process import PaymobProcess

PAGE = Path(__file__).parents[3] / "docs" / "chart-of-accounts.md"

HEAD = """\
# Chart of accounts

A test writes this page: it plays every business event once against the offline providers and shows its postings
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

EGYPT_HEAD = """
## Events of a platform route

Amounts are in Egyptian pounds: a task for 1,000.00, of which 150.00 is the fee. The platform holds the money, and pays
out of a budget that finance fills. All other events are posted as above, without the accounts of freelancers at the
provider.
"""


@dataclass(frozen=True)
class Event:
    """One business event: how it comes to be, and how it is played once everything before it has happened."""

    title: str
    sentence: str
    before: Callable[[Any], Any]
    play: Callable[[Any, Any], object]


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


def cancel_withdrawal(world: World, withdrawal: Any) -> None:
    owner = Actor.of(withdrawal.user)
    withdrawal_cancellation.cancel(actor=owner, withdrawal_id=withdrawal.pk, now=world.now)


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


def pay_by_bank(world: World, job: Job) -> None:
    asked = refunds_by_bank.record(
        actor=world.staff(), refund_id=job.refund.pk, note="Bank transfer 77 of today", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)


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


def platform_line(world: World, kind: LineKind) -> StatementEntry:
    """A line of 12.34 out of the platform's account at the provider, which no object of ours explains."""
    statement.add_accounts(["stripe"], world.now)
    return StatementEntry(
        id=f"txn_{kind}", kind=kind, source_id="", subject=Subject.NOTHING, object_id="", amount=dollars("-12.34"),
        fee=dollars("0.00"), created_at=world.now,
    )  # fmt: skip


def learn_of_line(world: World, entry: StatementEntry) -> StatementLine:
    platform = ProviderAccount.objects.get(account=None)
    statement.store(account=platform, entries=[entry], cursor="", now=world.now)
    matching.match(account=platform, sources=[entry.id], read=[entry.id], now=world.now)
    return StatementLine.objects.get(provider_line_id=entry.id)


def explain_line(world: World, line: StatementLine) -> None:
    asked = explanations.explain(
        actor=world.staff(), line_id=line.pk, explanation=Explanation.ADJUSTMENT, note="An invoice", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)


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
        "The withdrawal is cancelled",
        "By its owner or at the provider, before the money has left: it is available again.",
        lambda world: world.withdraw(world.settled().freelancer, dollars("85.00")),
        cancel_withdrawal,
    ),
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
        "A refund that failed after the release is paid by bank transfer",
        "No card takes it, so the platform pays it from its own bank account; what waited is the platform's own then.",
        refund_to_retry,
        pay_by_bank,
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
    Event(
        "The platform's own money moves at the provider",
        "Its payouts and top-ups are matched with its bank, the provider's fees with the costs, by their lines alone.",
        lambda world: platform_line(world, LineKind.PAYOUT),
        learn_of_line,
    ),
    Event(
        "Nobody can explain a line of the provider's statement",
        "It goes to suspense; when a posting explains it later, it comes back.",
        lambda world: platform_line(world, LineKind.ADJUSTMENT),
        learn_of_line,
    ),
    Event(
        "Finance staff explains a line",
        "As a processing cost, a loss, the platform's own money, a difference of exchange rates or (here) an "
        "adjustment; always by two people.",
        lambda world: learn_of_line(world, platform_line(world, LineKind.OTHER)),
        explain_line,
    ),
    *(Event(*event) for event in LOSS_EVENTS),
)


def shown(minor: int) -> str:
    return Money(minor, "USD").to_major_string()


def t_table(transaction: Transaction) -> str:
    """One transaction as a table, debits first."""
    legs = Entry.objects.filter(transaction=transaction).select_related("account").order_by("amount_minor", "position")
    lines = [f"`{transaction.kind}`", "", "| account | debit | credit |", "|---|---:|---:|"]
    for leg in legs:
        debit, credit = (shown(-leg.amount_minor), "") if leg.amount_minor < 0 else ("", shown(leg.amount_minor))
        lines.append(f"| `{chart_accounts.name_of(leg.account.code)}` | {debit} | {credit} |")
    return "\n".join(lines)


def play(world: World | EgyptWorld, event: Event) -> str:
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
    terms = {chart_accounts.name_of(account.code): account for account in Account.objects.all()}
    for _, name, opened_by in chart_accounts.PATTERNS:
        # No event here has a difference of exchange rates; its account is shown as it would be opened.
        account = opened_by() if name == "platform:exchange" else terms.pop(name)
        lowest = "none" if account.floor_minor is None else shown(account.floor_minor)
        lines.append(f"| `{name}` | {getdoc(opened_by)} | {lowest} | {account.shards} |")
    assert not terms
    return "\n".join(lines) + "\n"


@pytest.fixture
def paymob() -> Iterator[PaymobProcess]:
    with PaymobProcess(seed=7, arguments=("--memory", "--inquiries-per-minute=0")) as process:
        yield process


def test_the_page_shows_every_event_as_it_is(world: World, paymob: PaymobProcess, settings: Settings) -> None:
    events = "".join(play(world, event) for event in EVENTS)
    egypt_world.use_paymob(settings, paymob)
    egypt = EgyptWorld(paymob)
    in_egypt = "".join(play(egypt, Event(*event)) for event in EGYPT_EVENTS)
    page = HEAD + account_lines() + EVENTS_HEAD + events + EGYPT_HEAD + in_egypt
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "run this test with UPDATE_DOCS=1 and look at what has changed"


def test_no_event_of_the_books_is_missing_from_the_page() -> None:
    source = getsource(postings) + getsource(statement_postings)
    kinds = set(re.findall(r'_move\(\s*"(\w+)"', source)) | set(re.findall(r'kind="(\w+)"', source))
    losses = getsource(loss_postings)
    kinds |= set(re.findall(r'_post\(\s*"(\w+)"', losses)) | set(re.findall(r'else "(\w+)"', losses))
    budget = getsource(budget_postings)
    records = set(re.findall(r'_record\(\s*"(\w+)"', budget))
    kinds |= records | {f"{kind}_corrected" for kind in records} | set(re.findall(r'_costs\("(\w+)"', budget))
    assert kinds
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE.read_text()} == set()

"""A budget that is short: who is told, how often, and that it is compared at once and every few minutes."""

from typing import Any

from django.test import Client
from django.utils import translation

from multitask import jobs
from multitask.payments.models import AuditEvent, Notice, PayoutBudget, Withdrawal
from multitask.payments.notices import notices, wording
from multitask.payments.payouts import budget, budget_needs, budget_shortage
from multitask.users.actor import Actor
from tests.egypt_world import EXCEEDS, EgyptWorld, disbursement_of, pounds
from tests.integration.web.test_money_metrics import figures
from tests.payments_world import user_id


def note(world: EgyptWorld) -> None:
    """Do what the minute's job does about shortages, and write the notices; no email is sent."""
    for provider, currency in budget_shortage.due(now=world.now):
        budget_shortage.note(provider=provider, currency=currency, now=world.now)
    notices.collect(now=world.now)
    world.lose_jobs()


def told(actor: Actor, kind: str) -> list[Notice]:
    return list(Notice.objects.filter(user_id=user_id(actor), kind=kind).order_by("pk"))


def waiting(world: EgyptWorld) -> tuple[Actor, Withdrawal]:
    """A payee whose withdrawal waits for the budget."""
    payee = world.payee()
    world.earned(payee)
    return payee, world.withdrawn(payee, pounds("100.00"))


def test_finance_and_the_payee_are_told_once_after_a_while(world: EgyptWorld) -> None:
    finance, support = world.staff("finance"), world.staff("support")
    payee, withdrawal = waiting(world)
    note(world)
    assert not Notice.objects.filter(kind__in=["budget_short", "withdrawal_waits"]).exists()

    world.wait(budget_shortage.NOTED_AFTER)
    for _ in range(2):
        note(world)
        world.wait(minutes=1)
    [of_finance], [of_payee] = told(finance, "budget_short"), told(payee, "withdrawal_waits")
    assert told(support, "budget_short") == []
    assert of_payee.withdrawal_id == withdrawal.pk
    short = AuditEvent.objects.get(event="budget_short")
    assert (short.amount_minor, short.currency) == (budget_needs.of(payouts_of(withdrawal)), "EGP")
    text = wording.of(of_finance)
    assert text.address == "/backoffice/payments/payoutbudget/"
    assert "top it up with at least" in text.text
    assert str(withdrawal.public_id) in wording.of(of_payee).address
    with translation.override("ar"):
        assert wording.of(of_finance).title == "رصيد الصرف غير كافٍ"


def payouts_of(withdrawal: Withdrawal) -> Any:
    return disbursement_of(withdrawal).__class__.objects.filter(withdrawal=withdrawal)


def test_a_later_shortage_is_told_again(world: EgyptWorld) -> None:
    finance = world.staff("finance")
    payee, _ = waiting(world)
    world.wait(budget_shortage.NOTED_AFTER)
    note(world)
    world.fill_budget(pounds("120.00"))
    note(world)
    assert PayoutBudget.objects.get().short_since is None

    second = world.withdrawn(payee, pounds("500.00"))
    world.wait(budget_shortage.NOTED_AFTER)
    note(world)
    assert len(told(finance, "budget_short")) == 2
    assert [notice.withdrawal_id for notice in told(payee, "withdrawal_waits")][-1] == second.pk


def test_a_refusal_has_the_budget_compared_at_once(world: EgyptWorld) -> None:
    payee = world.payee(EXCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("500.00"))
    world.paymob.control("POST", "topups", {"amount": 1_000})
    world.withdraw(payee, pounds("100.00"))
    done = world.work()
    assert "compare_budget" in done
    found = PayoutBudget.objects.get()
    assert (found.refused_at, found.reported_minor, found.expected_minor) == (world.now, 51_000, 50_000)
    assert found.differs_since is not None


def test_every_budget_is_compared_every_few_minutes_and_a_silent_provider_is_no_failure(world: EgyptWorld) -> None:
    world.fill_budget(pounds("500.00"))
    jobs.compare_budgets(timestamp=0)
    found = PayoutBudget.objects.get()
    assert (found.reported_minor, found.differs_since) == (50_000, None)
    world.paymob.add_fault("error_before", path="/api/secure/budget/inquire/", count=10)
    jobs.compare_budgets(timestamp=0)
    found.refresh_from_db()
    assert found.reported_minor == 50_000


def test_the_figures_are_where_prometheus_asks(world: EgyptWorld, client: Client) -> None:
    waiting(world)
    world.paymob.control("POST", "topups", {"amount": 1_000})
    budget.compare(provider="paymob", currency="EGP", now=world.now)
    seen = figures(client)
    labels = '{currency="EGP",provider="paymob"}'
    assert seen[f"multitask_payout_budget_waiting{labels}"] == 0  # The clock of this test is ahead of the machine's.
    assert seen[f"multitask_payout_budget_difference_minor{labels}"] == 1_000
    assert seen[f"multitask_payout_budget_free_minor{labels}"] == 0
    assert seen["multitask_payout_budget_undecided"] == 0

"""The figures of the books where Prometheus asks, and the example rules that use them."""

import re
from datetime import timedelta
from pathlib import Path

import yaml
from django.test import Client
from django.utils import timezone

from multitask import jobs
from multitask.payments.models import BooksCheck, Chargeback, ProviderAccount, Reconciliation, StatementLine
from multitask.providers import circuit_breaker
from tests.integration.payments.test_chargebacks import close, contest
from tests.payments_world import World

DOCS = Path(__file__).parents[3] / "docs"
RULES = DOCS / "alerts" / "multitask.rules.yml"
OPERATIONS = DOCS / "operations.md"


def figures(client: Client) -> dict[str, float]:
    lines = client.get("/metrics").content.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_a_sound_platform_alerts_nobody(world: World, client: Client) -> None:
    world.settled()
    jobs.check_books(timestamp=0)
    seen = figures(client)
    assert seen["multitask_books_violations"] == 0
    assert seen["multitask_books_checked_seconds"] < 60
    quiet = ("open_items", "chargebacks_due", "losses_to_book", "operations_stuck", "withdrawals_failed")
    assert [seen[f"multitask_{name}"] for name in quiet] == [0.0] * 5


def test_violations_of_the_books_are_seen(db: None, client: Client) -> None:
    BooksCheck.objects.create(checked_at=timezone.now() - timedelta(hours=4), violations=2)
    seen = figures(client)
    assert seen["multitask_books_violations"] == 2
    assert seen["multitask_books_checked_seconds"] > 4 * 3600 - 60


def test_chargebacks_that_are_due_and_losses_that_are_not_booked_are_seen(world: World, client: Client) -> None:
    job = world.started()
    dispute = contest(world, job)
    assert figures(client)["multitask_chargebacks_due"] == 0
    Chargeback.objects.update(evidence_due_at=timezone.now() + timedelta(days=2))
    assert figures(client)["multitask_chargebacks_due"] == 1
    close(world, dispute, "lost")
    seen = figures(client)
    assert (seen["multitask_chargebacks_due"], seen["multitask_losses_to_book"]) == (0, 1)


def test_differences_and_open_items_are_seen_with_their_age(db: None, client: Client) -> None:
    now = timezone.now()
    account = ProviderAccount.objects.create(provider="stripe")
    Reconciliation.objects.create(
        account=account, currency="USD", theirs_minor=5, difference_minor=5, compared_at=now,
        differs_since=now - timedelta(hours=2),
    )  # fmt: skip
    StatementLine.objects.create(
        account=account, provider_line_id="txn_1", kind="other", source="", currency="USD", amount_minor=5,
        happened_at=now, stored_at=now, state="open", opened_at=now - timedelta(days=2),
    )  # fmt: skip
    seen = figures(client)
    assert seen['multitask_provider_difference_minor{currency="USD",provider="stripe"}'] == 5
    assert seen["multitask_provider_difference_seconds"] > 7000
    assert (seen["multitask_open_items"], seen["multitask_open_item_seconds"] > 2 * 86400 - 60) == (1, True)
    StatementLine.objects.all().delete()
    Reconciliation.objects.all().delete()


def described_by(client: Client) -> set[str]:
    """The names of all metrics that are served."""
    return set(re.findall(r"^# HELP (\w+)", client.get("/metrics").content.decode(), re.M))


def test_every_metric_is_explained(db: None, client: Client) -> None:
    page = OPERATIONS.read_text()
    # Prometheus's client adds `_created` to each counter and histogram.
    names = described_by(client)
    ours = {name for name in names if name.startswith("multitask_") and not name.endswith("_created")}
    assert len(ours) > 30
    assert sorted(name for name in ours if f"`{name}`" not in page and f"`{name}{{" not in page) == []


def test_an_open_breaker_is_seen_and_has_a_rule(db: None, client: Client) -> None:
    breaker = circuit_breaker.Breaker("stripe")
    try:
        for _ in range(circuit_breaker.FAILURES_TO_OPEN):
            breaker.unanswered(was_trial=False)
        assert figures(client)['multitask_provider_breaker_open{provider="stripe"}'] == 1
    finally:
        breaker.answered()
    assert figures(client)['multitask_provider_breaker_open{provider="stripe"}'] == 0
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    alerts = [rule["alert"] for rule in rules if "multitask_provider_breaker_open" in rule["expr"]]
    assert alerts == ["ProviderNotAnswering"]


def test_every_figure_of_the_example_rules_exists(db: None, client: Client) -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"multitask_\w+", rule["expr"])}
    described = described_by(client)
    assert len(rules) == 18
    assert named <= described
    assert all(rule["labels"]["severity"] in {"page", "ticket"} for rule in rules)

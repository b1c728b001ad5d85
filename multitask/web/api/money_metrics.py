"""Figures for alerting, for Prometheus: read from the database when the figures are asked for."""

from collections.abc import Iterator
from typing import Final

import structlog
from django.db import Error
from django.utils import timezone
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from multitask.money import Money
from multitask.payments.reads import alerts, payout_budgets
from multitask.payments.reads.alerts import Alerts
from multitask.payments.reads.payout_budgets import BudgetFigures

log = structlog.get_logger(__name__)

_FIGURES: Final = {
    "multitask_books_violations": ("Invariants violated at the last check of the books.", "books_violations"),
    "multitask_books_checked_seconds": ("Age of the last check of the books.", "books_checked_seconds"),
    "multitask_provider_difference_seconds": (
        "Age of the oldest difference between the books and a provider's balance.",
        "provider_difference_seconds",
    ),
    "multitask_open_items": ("Lines of providers' statements that nobody has explained.", "open_items"),
    "multitask_open_item_seconds": ("Age of the oldest open item.", "open_item_seconds"),
    "multitask_chargebacks_due": ("Chargebacks whose evidence is due within three days.", "chargebacks_due"),
    "multitask_losses_to_book": ("Lost chargebacks whose loss is not booked.", "losses_to_book"),
    "multitask_reversals_to_decide": ("Reversals made at a provider that wait for a decision.", "reversals_to_decide"),
    "multitask_operations_stuck": ("Calls at a provider that are stuck.", "stuck_operations"),
    "multitask_operation_stuck_seconds": ("Age of the oldest stuck call.", "stuck_operation_seconds"),
    "multitask_withdrawals_failed": ("Withdrawals that failed within a day.", "failed_withdrawals"),
    "multitask_payout_budget_undecided": (
        "Payouts from a budget of which nobody knows whether the provider made them.",
        "payouts_undecided",
    ),
    "multitask_proof_seconds": ("Age of the newest signed statement.", "proof_seconds"),
}


_BUDGETS: Final = {
    "multitask_payout_budget_free_minor": "What a payout budget covers beyond what is reserved, in minor units.",
    "multitask_payout_budget_missing_minor": "What a payout budget lacks for the payouts that wait, in minor units.",
    "multitask_payout_budget_difference_minor": "What the provider reported less what the books held, in minor units.",
    "multitask_payout_budget_difference_seconds": "Age of the difference.",
    "multitask_payout_budget_compared_seconds": "Age of the last comparison.",
    "multitask_payout_budget_waiting": "Payouts that wait for the budget.",
    "multitask_payout_budget_waiting_seconds": "For how long the oldest of them has waited.",
}


class MoneyMetrics(Collector):
    """Figures of the books at the moment of asking; none while the database does not answer."""

    def describe(self) -> Iterator[Metric]:
        """Name the figures, so that registering asks nothing of the database."""
        yield from _gauges(None)
        yield from _budget_gauges([])

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        try:
            found = alerts.read(now=timezone.now())
            budgets = payout_budgets.figures(timezone.now())
        except Error as error:
            log.warning("money_not_measured", fault=type(error).__name__)
            return
        yield from _gauges(found)
        yield from _budget_gauges(budgets)


def _budget_gauges(budgets: list[BudgetFigures]) -> Iterator[Metric]:
    """Yield the figures of every payout budget, labelled by provider and currency."""
    for name, explanation in _BUDGETS.items():
        gauge = GaugeMetricFamily(name, explanation, labels=["provider", "currency"])
        for found in budgets:
            value = getattr(found, name.removeprefix("multitask_payout_budget_").removesuffix("_minor"))
            if value is not None:
                number = value.amount_minor if isinstance(value, Money) else value
                gauge.add_metric([found.provider, found.free.currency], number)
        yield gauge


def _gauges(found: Alerts | None) -> Iterator[Metric]:
    difference = GaugeMetricFamily(
        "multitask_provider_difference_minor",
        "What the books and the provider's balances differ by, in minor units.",
        labels=["provider", "currency"],
    )
    for labels, minor in ({} if found is None else found.provider_differences).items():
        difference.add_metric(list(labels), minor)
    yield difference
    shortfall = GaugeMetricFamily(
        "multitask_proof_shortfall_minor",
        "What is owed to people beyond what providers hold, by the newest signed statement, in minor units.",
        labels=["currency"],
    )
    for currency, minor in ({} if found is None else found.proof_shortfalls).items():
        shortfall.add_metric([currency], minor)
    yield shortfall
    for name, (explanation, field) in _FIGURES.items():
        gauge = GaugeMetricFamily(name, explanation, labels=[])
        value = None if found is None else getattr(found, field)
        if value is not None:
            gauge.add_metric([], value)
        yield gauge


def register() -> None:
    """Add the figures to those that `/metrics` shows."""
    REGISTRY.register(MoneyMetrics())

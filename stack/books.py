"""The ledger's trial balance beside the sandbox's own record of the money."""

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

from stack import postgres
from stack.errors import StackError
from stack.local import Local

PROVIDER = "provider:stripe:"
PATIENCE_SECONDS = 60
START_PATIENCE_SECONDS = 10
# Each look starts a program, which would take from those that are to come to an end.
PAUSE_SECONDS = 1
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Row:
    """One account of the trial balance, in minor units; balances are credits minus debits."""

    account: str
    currency: str
    debits: int
    credits: int
    balance: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing that both sides know, in minor units."""

    what: str
    ledger: int
    sandbox: int

    @property
    def gap(self) -> int:
        return self.ledger - self.sandbox


def trial_balance(local: Local) -> list[Row]:
    """What `manage.py check_ledger --accounts` says. Errors: StackError naming the broken invariants."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check_ledger", "--accounts"],
        cwd=postgres.project_folder(),
        env=local.environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise StackError(f"the books are not sound:\n{(done.stderr or done.stdout).strip()}")
    found = [line.split(" ") for line in done.stdout.splitlines()]
    return [Row(line[0], line[1], *map(int, line[2:])) for line in found if len(line) == 5 and ":" in line[0]]


def balance(rows: list[Row], account: str, currency: str = CURRENCY) -> int:
    return sum(row.balance for row in rows if row.account == account and row.currency == currency)


def sandbox_money(local: Local) -> dict[str, Any]:
    """The sandbox's own record, which no code of ours has written."""
    with urllib.request.urlopen(f"{local.sandbox}/_sandbox/money", timeout=30) as answer:  # noqa: S310
        record: dict[str, Any] = json.load(answer)
    return record


def comparisons(local: Local, rows: list[Row], currency: str = CURRENCY) -> list[Comparison]:
    """Set the ledger beside the sandbox's record. What the provider holds for us is an asset, so negative here."""
    record, low = sandbox_money(local), currency.lower()
    held = {
        account: sum(column.get(low, 0) for column in columns.values())
        for account, columns in record["accounts"].items()
    }
    platform = held.pop(str(record["platform"]), 0)
    connected = [row for row in rows if row.account.startswith(f"{PROVIDER}account:") and row.currency == currency]
    fees = sum(sums.get(low, 0) for sums in record["stripe"].values())
    return [
        Comparison("platform's balance at the provider", -balance(rows, f"{PROVIDER}balance", currency), platform),
        Comparison("freelancers' balances there", -sum(row.balance for row in connected), sum(held.values())),
        Comparison("processing fees paid", -balance(rows, "platform:processing_costs", currency), fees),
        Comparison("all accounts together", sum(row.balance for row in rows if row.currency == currency), 0),
    ]


def differing(found: list[Comparison], before: dict[str, int]) -> list[Comparison]:
    """What the two sides do not agree about, unless they were just as far apart `before`."""
    return [one for one in found if one.gap not in {0, before.get(one.what, 0)}]


def before_story(local: Local) -> tuple[list[Row], dict[str, int]]:
    """The books as the story finds them, and how far apart they are after what is under way has had a moment.

    What was done to the sandbox by hand in an earlier run, such as a chargeback, is not the story's doing.
    """
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while True:
        rows = trial_balance(local)
        gaps = {one.what: one.gap for one in comparisons(local, rows) if one.gap}
        if not gaps or time.monotonic() > deadline:
            return rows, gaps
        time.sleep(PAUSE_SECONDS)


def await_equality(local: Local, before: dict[str, int]) -> tuple[list[Row], list[Comparison]]:
    """Compare until both sides agree: what is under way needs a moment. Errors: StackError naming what differs.

    `before`: how far apart they were at the start, by what is compared; the story has to leave that as it was.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = trial_balance(local)
        found = comparisons(local, rows)
        left = differing(found, before)
        if not left:
            return rows, found
        if time.monotonic() > deadline:
            named = "; ".join(f"{one.what}: {one.ledger} in the ledger, {one.sandbox} there" for one in left)
            raise StackError(f"the ledger and the sandbox differ after {PATIENCE_SECONDS} s: {named}")
        time.sleep(PAUSE_SECONDS)

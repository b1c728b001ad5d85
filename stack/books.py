"""Compare the trial balance of the ledger with a sandbox's own record of the money."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stack import postgres
from stack.errors import StackError
from stack.local import Local

WAIT_SECONDS = 60
START_WAIT_SECONDS = 10
# Each comparison starts a process, which would slow down the ones that it waits for.
PAUSE_SECONDS = 1


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
    """One figure that both sides know, in minor units."""

    what: str
    ledger: int
    sandbox: int

    @property
    def gap(self) -> int:
        return self.ledger - self.sandbox


def trial_balance(local: Local) -> list[Row]:
    """Return the output of `manage.py check_ledger --accounts`. Raises StackError naming the broken invariants."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check_ledger", "--accounts", "--without-provider"],
        cwd=postgres.project_folder(),
        env=local.environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise StackError(f"the books are not sound:\n{(done.stderr or done.stdout).strip()}")
    found = [line.split(" ") for line in done.stdout.splitlines()]
    return [Row(line[0], line[1], *map(int, line[2:])) for line in found if len(line) == 5 and ":" in line[0]]


# How one provider's record is compared: which figures both sides know.
Compare = Callable[[Local, list[Row]], list[Comparison]]


def balance(rows: list[Row], account: str, currency: str) -> int:
    return sum(row.balance for row in rows if row.account == account and row.currency == currency)


def sandbox_money(sandbox: str) -> dict[str, Any]:
    """Return the own record of the sandbox at this address, which the application does not write."""
    with urllib.request.urlopen(f"{sandbox}/_sandbox/money", timeout=30) as answer:  # noqa: S310
        record: dict[str, Any] = json.load(answer)
    return record


def of_stripe(local: Local, rows: list[Row]) -> list[Comparison]:
    """Compare the ledger in USD with the offline Stripe.

    Money at the provider is an asset, so negative in the ledger.
    """
    record, currency, low = sandbox_money(local.sandbox), "USD", "usd"
    held = {
        account: sum(column.get(low, 0) for column in columns.values())
        for account, columns in record["accounts"].items()
    }
    platform = held.pop(str(record["platform"]), 0)
    connected = [row for row in rows if row.account.startswith("provider:stripe:account:") and row.currency == currency]
    fees, disputes = (record["stripe"].get(name, {}).get(low, 0) for name in ("fees", "dispute_fees"))
    return [
        Comparison("platform's balance at the provider", -balance(rows, "provider:stripe:balance", currency), platform),
        Comparison("freelancers' balances there", -sum(row.balance for row in connected), sum(held.values())),
        Comparison("processing fees paid", -balance(rows, "platform:processing_costs", currency), fees),
        Comparison("fees paid for chargebacks", -balance(rows, "platform:dispute_fees", currency), disputes),
        _all_accounts(rows, currency),
    ]


def of_paymob(local: Local, rows: list[Row]) -> list[Comparison]:
    """Compare the ledger in EGP with the offline Paymob.

    Paymob takes its fee with each payment, the ledger books it with the settlement: both have the same in fees and
    unsettled money together. A payout has left the provider's budget at once, and that of the ledger once it is paid.
    """
    record = sandbox_money(local.paymob)
    fees = record["fees"]

    def ours(*accounts: str) -> int:
        return -sum(balance(rows, account, "EGP") for account in accounts)

    return [
        Comparison(
            "collected at Paymob, with its fees",
            ours("provider:paymob:balance", "platform:processing_costs"),
            record["unsettled"] + fees["collecting"] + fees["collecting_vat"],
        ),
        Comparison("settled to the platform's bank", ours("provider:paymob:bank"), record["bank"]),
        Comparison("payout budget", ours("provider:paymob:budget"), record["budget"] + record["in_transit"]),
        Comparison(
            "fees and VAT of payouts",
            ours("platform:payout_fees", "platform:payout_taxes"),
            fees["payouts"] + fees["payouts_vat"],
        ),
        _all_accounts(rows, "EGP"),
    ]


def _all_accounts(rows: list[Row], currency: str) -> Comparison:
    return Comparison("all accounts together", sum(row.balance for row in rows if row.currency == currency), 0)


def differing(found: list[Comparison], before: dict[str, int]) -> list[Comparison]:
    """Return the comparisons whose difference is neither zero nor the same as `before`."""
    return [one for one in found if one.gap not in {0, before.get(one.what, 0)}]


def before_story(local: Local, compare: Compare) -> tuple[list[Row], dict[str, int]]:
    """Return the trial balance before the story, and the differences that remain after a short wait.

    A difference can come from something done by hand at the sandbox in an earlier run that is not booked yet.
    """
    deadline = time.monotonic() + START_WAIT_SECONDS
    while True:
        rows = trial_balance(local)
        gaps = {one.what: one.gap for one in compare(local, rows) if one.gap}
        if not gaps or time.monotonic() > deadline:
            return rows, gaps
        time.sleep(PAUSE_SECONDS)


def await_equality(local: Local, compare: Compare, before: dict[str, int]) -> tuple[list[Row], list[Comparison]]:
    """Compare until both sides agree, or until the timeout. Raises StackError naming the differences.

    `before`: the differences at the start, which the story must not change.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        rows = trial_balance(local)
        found = compare(local, rows)
        left = differing(found, before)
        if not left:
            return rows, found
        if time.monotonic() > deadline:
            named = "; ".join(f"{one.what}: {one.ledger} in the ledger, {one.sandbox} there" for one in left)
            raise StackError(f"the ledger and the sandbox differ after {WAIT_SECONDS} s: {named}")
        time.sleep(PAUSE_SECONDS)

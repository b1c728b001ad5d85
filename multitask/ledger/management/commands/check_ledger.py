"""`manage.py check_ledger`: check the invariants of the ledger and report the violations."""

from collections import defaultdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from multitask import ledger
from multitask.database import schema
from multitask.ledger import checks

# Exit status 1 is for broken invariants, 2 for an invalid command line.
SCHEMA_NEWER: Final = 3
SCHEMA_OLDER: Final = 4


class Command(BaseCommand):
    """Print the trial balance by currency; exit 1 and name the broken invariants, if there are any.

    If the schema belongs to another release, nothing is checked: exit 3 if the schema is newer, 4 if it is older.
    """

    help = (
        "Check every invariant of the ledger; exit 1 and name those that are broken. Exit 3 without a check if the "
        "schema is newer than this code, 4 if migrations are missing."
    )
    # System checks would import all pages and the API, which takes longer than this command.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--accounts`."""
        parser.add_argument("--accounts", action="store_true", help="print the trial balance, account by account")

    def handle(self, *_arguments: Any, accounts: bool = False, **_options: Any) -> None:
        """Print the summary, run the checks and print their result."""
        _require_schema()
        for line in [*(account_lines() if accounts else []), *summary()]:
            self.stdout.write(line)
        violations = checks.run()
        for violation in violations:
            self.stderr.write(f"broken: {violation.invariant}: {violation.detail}")
        if violations:
            broken = sorted({violation.invariant for violation in violations})
            raise CommandError(f"the books are not sound: {', '.join(broken)}", returncode=1)
        self.stdout.write(f"the books are sound: {len(checks.names())} invariants hold")


def _require_schema() -> None:
    try:
        schema.require_same()
    except schema.SchemaNewer as refusal:
        raise CommandError(f"not checked: {refusal}", returncode=SCHEMA_NEWER) from None
    except schema.SchemaOlder as refusal:
        raise CommandError(f"not checked: {refusal}", returncode=SCHEMA_OLDER) from None


def account_lines() -> list[str]:
    """Return the trial balance, one line per account: code, currency, debits, credits, balance (minor units)."""
    return [
        f"{row.account} {row.currency} {row.debits.amount_minor} {row.credits.amount_minor} {row.balance.amount_minor}"
        for row in ledger.trial_balance()
    ]


def summary() -> list[str]:
    """Return one line per currency: the number of accounts, and the sums of debits, credits and balances."""
    by_currency: defaultdict[str, list[ledger.TrialBalanceRow]] = defaultdict(list)
    for row in ledger.trial_balance():
        by_currency[row.currency].append(row)
    lines = []
    for currency, rows in by_currency.items():
        # Plain integers, since the sum over all accounts may exceed the range of Money.
        debits = sum(row.debits.amount_minor for row in rows)
        credited = sum(row.credits.amount_minor for row in rows)
        lines.append(
            f"{currency}: {len(rows)} accounts, debits {debits}, credits {credited}, "
            f"balance {credited - debits} (minor units)"
        )
    return lines or ["the books are empty"]

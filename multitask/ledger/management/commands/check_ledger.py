"""`manage.py check_ledger`: prove the books, or name what is broken."""

from collections import defaultdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from multitask import ledger
from multitask.database import schema
from multitask.ledger import checks

# The books are broken: 1. A command line that cannot be read: 2, as everywhere.
SCHEMA_NEWER: Final = 3
SCHEMA_OLDER: Final = 4


class Command(BaseCommand):
    """Prints the trial balance by currency and exits 1 naming every broken invariant.

    On the schema of another release nothing is checked: it exits 3 when the schema is newer, 4 when it is older.
    """

    help = (
        "Check every invariant of the ledger; exit 1 and name those that are broken. Exit 3 without a check when the "
        "schema is newer than this code, 4 when migrations are missing."
    )
    # They would load every page and the API, which takes longer than this.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--accounts`."""
        parser.add_argument("--accounts", action="store_true", help="print the trial balance, account by account")

    def handle(self, *_arguments: Any, accounts: bool = False, **_options: Any) -> None:
        """Print the summary, then the verdict."""
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
    """The trial balance: account, currency, debits, credits and balance in minor units, a line each."""
    return [
        f"{row.account} {row.currency} {row.debits.amount_minor} {row.credits.amount_minor} {row.balance.amount_minor}"
        for row in ledger.trial_balance()
    ]


def summary() -> list[str]:
    """One line per currency: how many accounts, all debits, all credits, and what they balance to."""
    by_currency: defaultdict[str, list[ledger.TrialBalanceRow]] = defaultdict(list)
    for row in ledger.trial_balance():
        by_currency[row.currency].append(row)
    lines = []
    for currency, rows in by_currency.items():
        # Minor units, since the sum over all accounts may be more than one amount of money can be.
        debits = sum(row.debits.amount_minor for row in rows)
        credited = sum(row.credits.amount_minor for row in rows)
        lines.append(
            f"{currency}: {len(rows)} accounts, debits {debits}, credits {credited}, "
            f"balance {credited - debits} (minor units)"
        )
    return lines or ["the books are empty"]

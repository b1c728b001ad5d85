"""`manage.py check_ledger`: check the invariants of the ledger and report the violations."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from multitask import ledger
from multitask.database import schema
from multitask.ledger import checks, proof

# Exit status 1 is for broken invariants, 2 for an invalid command line.
SCHEMA_NEWER: Final = 3
SCHEMA_OLDER: Final = 4
NOT_COMPARED: Final = 5


class Command(BaseCommand):
    """Print the trial balance by currency; exit 1 and name the broken invariants, if there are any.

    The providers' statements are read first and their balances compared; exit 5 if the books are sound and a provider
    did not answer. If the schema belongs to another release, nothing is checked: exit 3 if the schema is newer, 4 if
    it is older.
    """

    help = (
        "Check every invariant of the ledger; exit 1 and name those that are broken. Exit 3 without a check if the "
        "schema is newer than this code, 4 if migrations are missing. Exit 5 if the books are sound but could not be "
        "compared with a provider that did not answer."
    )
    # System checks would import all pages and the API, which takes longer than this command.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--accounts", action="store_true", help="print the trial balance, account by account")
        parser.add_argument(
            "--bounded",
            action="store_true",
            help="prove what was posted since the last proof and a part of what is old, as the hourly job does",
        )
        parser.add_argument(
            "--without-provider",
            action="store_true",
            help="do not read the providers' statements, and leave out the comparison with their balances",
        )

    def handle(
        self,
        *_arguments: Any,
        accounts: bool = False,
        bounded: bool = False,
        without_provider: bool = False,
        **_options: Any,
    ) -> None:
        """Print the summary, run the checks and print their result."""
        _require_schema()
        problems = [] if without_provider else checks.read_providers()
        for line in itertools.chain(account_lines() if accounts else (), summary(), problems):
            self.stdout.write(line)
        prove = proof.run if bounded else checks.run
        violations = prove(with_providers=not without_provider)
        for violation in violations:
            self.stderr.write(f"broken: {violation.invariant}: {violation.detail}")
        if violations:
            broken = sorted({violation.invariant for violation in violations})
            raise CommandError(f"the books are not sound: {', '.join(broken)}", returncode=1)
        number = len(checks.names(with_providers=not without_provider))
        found = "as far as they were read" if bounded else f"{number} invariants hold"
        self.stdout.write(f"the books are sound{', ' if bounded else ': '}{found}")
        if problems:
            raise CommandError(f"accounts not compared with their provider: {len(problems)}", returncode=NOT_COMPARED)


def _require_schema() -> None:
    try:
        schema.require_same()
    except schema.SchemaNewer as refusal:
        raise CommandError(f"not checked: {refusal}", returncode=SCHEMA_NEWER) from None
    except schema.SchemaOlder as refusal:
        raise CommandError(f"not checked: {refusal}", returncode=SCHEMA_OLDER) from None


def account_lines() -> Iterator[str]:
    """Yield the trial balance, one line per account: code, currency, debits, credits, balance (minor units)."""
    for row in ledger.each_account():
        figures = (row.debits.amount_minor, row.credits.amount_minor, row.balance.amount_minor)
        yield " ".join([row.account, row.currency, *map(str, figures)])


def summary() -> list[str]:
    """Return one line per currency: the number of accounts, and the sums of debits, credits and balances."""
    lines = [
        f"{currency}: {accounts} accounts, debits {debits}, credits {credited}, "
        f"balance {credited - debits} (minor units)"
        for currency, accounts, debits, credited in ledger.totals()
    ]
    return lines or ["the books are empty"]

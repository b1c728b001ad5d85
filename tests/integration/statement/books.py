"""A marketplace whose provider statements are read."""

from typing import Any

from multitask.payments.books import matching, statement
from multitask.payments.models import ProviderAccount, Reconciliation, StatementLine
from multitask.webhooks import statement as reading
from tests.payments_world import World


class Books(World):
    """Reads statements and shows what came of them."""

    def read_all(self) -> None:
        """Read the statements of all accounts."""
        statement.add_accounts(["stripe"], self.now)
        for account_id in ProviderAccount.objects.order_by("pk").values_list("pk", flat=True):
            reading.refresh(account_id=account_id, now=self.now)

    def open_unread(self, path: str) -> None:
        """Store the platform's lines, and open those that no posting explains, though their object was not read."""
        self.sandbox.add_fault("rate_limit", method="GET", path=path, count=1)
        reading.refresh(account_id=self.platform.pk, now=self.now)
        sources = list(StatementLine.objects.filter(state="new").values_list("source", flat=True))
        matching.match(account=self.platform, sources=sources, read=sources, now=self.now)

    @property
    def platform(self) -> ProviderAccount:
        return ProviderAccount.objects.get(account=None)

    def lines(self, **wanted: Any) -> list[tuple[str, str, int]]:
        """Kind, state and net amount of lines, oldest first."""
        rows = StatementLine.objects.filter(**wanted).order_by("happened_at", "pk")
        return [(row.kind, row.state, row.net.amount_minor) for row in rows]

    def open_items(self) -> list[tuple[str, int]]:
        """Kind and suspense of all open lines."""
        rows = StatementLine.objects.filter(state="open").order_by("pk")
        return [(row.kind, row.suspense_minor) for row in rows]

    def compared(self, account: ProviderAccount | None = None, currency: str = "USD") -> tuple[int, int, int, int]:
        """Theirs, ours, in flight and the difference."""
        row = Reconciliation.objects.get(account=account or self.platform, currency=currency)
        return row.theirs_minor, row.ours_minor, row.in_flight_minor, row.difference_minor

    def differences(self) -> list[str]:
        """Every account whose books differ from the provider's."""
        rows = Reconciliation.objects.exclude(difference_minor=0).select_related("account")
        return [f"{row.account} {row.currency} {row.difference_minor}" for row in rows]

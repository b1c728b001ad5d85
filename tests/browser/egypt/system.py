"""The whole system with EGP routed through the offline Paymob, and what happens there outside the pages."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.acceptance.system import System
from tests.paymob_process import PaymobProcess
from tests.sandbox_process import free_port

# A little longer than the cool-down of a payout destination.
COOL_DOWN = "73 hours"


class EgyptSystem(System):
    """A system whose people pay and are paid in EGP."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.paymob = PaymobProcess()
        self._paymob_port = free_port()
        super().__init__(folder, database_url)

    def settings(self) -> dict[str, str]:
        """The environment variables of every system, and the route."""
        return {
            **super().settings(),
            "ROUTES": json.dumps({"EGP": {"provider": "paymob", "kind": "platform"}}),
            "PAYMOB_API_BASE": f"http://127.0.0.1:{self._paymob_port}",
            "PAYMOB_INQUIRIES_PER_MINUTE": "0",
        }

    def addresses(self) -> tuple[str, ...]:
        """Return the servers that browsers may talk to."""
        return (*super().addresses(), self.paymob.base_url)

    def __enter__(self) -> Self:
        self.paymob.start(self._paymob_port, self.folder / "paymob", seed=1, arguments=("--inquiries-per-minute=0",))
        try:
            return super().__enter__()
        except BaseException:
            self.paymob.stop()
            raise

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        super().__exit__(*raised)
        self.paymob.stop()

    def run(self, job: str, queue: str) -> None:
        """Have the worker run a periodic job now."""
        deferred = f"('{queue}', '{job}', 0, NULL, NULL, '{{\"timestamp\": 0}}'::jsonb, NULL)"
        self.query(f"SELECT procrastinate_defer_jobs_v1(ARRAY[ROW{deferred}]::procrastinate_job_to_defer_v1[])")

    def end_cool_downs(self, name: str) -> None:
        """Let three days pass for the payout destinations of a user and for what waits for them."""
        owner = "(SELECT id FROM users_user WHERE username = %s)"
        self.query(
            f"UPDATE payments_payoutdestination SET created_at = created_at - interval '{COOL_DOWN}',"
            f" usable_from = usable_from - interval '{COOL_DOWN}', retired_at = retired_at - interval '{COOL_DOWN}'"
            f" WHERE user_id = {owner}",
            name,
        )
        self.query(
            f"UPDATE payments_disbursement SET usable_from = usable_from - interval '{COOL_DOWN}'"
            f" WHERE allotted_at IS NULL AND destination_id IN"
            f" (SELECT id FROM payments_payoutdestination WHERE user_id = {owner})",
            name,
        )

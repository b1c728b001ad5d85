"""What the providers hold: the one place from which statements read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

# An account is named as in the ledger, so that both sides meet. Closed accounts report nothing any more.
_HELD: Final = """
WITH booked AS (
    SELECT account.code, account.currency, -sum(balance.balance_minor)::bigint AS minor
      FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
     WHERE account.code ~ '^provider:[^:]+:(balance|bank|budget|account:[0-9]+)$'
     GROUP BY account.code, account.currency
), compared AS (
    SELECT 'provider:' || own.provider || coalesce(':account:' || own.account_id, ':balance') AS code, row.currency,
           row.theirs_minor AS theirs, row.ours_minor AS ours, -row.in_flight_minor AS in_flight,
           row.compared_at
      FROM payments_reconciliation row
      JOIN payments_provideraccount own ON own.id = row.account_id
      LEFT JOIN payments_connectedaccount connected ON connected.id = own.account_id
     WHERE row.compared_at IS NOT NULL AND connected.closed IS NOT TRUE
)
SELECT currency,
       coalesce(sum(theirs), 0)::bigint,
       coalesce(sum(in_flight), 0)::bigint,
       coalesce(sum(coalesce(minor, 0) - ours) FILTER (WHERE theirs IS NOT NULL), 0)::bigint,
       coalesce(sum(minor) FILTER (WHERE theirs IS NULL), 0)::bigint,
       min(compared_at)
  FROM booked FULL JOIN compared USING (code, currency)
 GROUP BY currency
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held in one currency, in minor units.

    `reported` is the providers' own figure when each account was last compared, the longest ago at `reported_at`.
    `in_flight` had left the accounts then without being final, such as payouts, less what had arrived and was not
    booked. `since` is what has moved since then by our books. `unreported` lies in accounts that the providers do not
    report, or did not yet: it is known from our books alone. `reported_at` is None if no account was compared.
    """

    reported: int
    in_flight: int
    since: int
    unreported: int
    reported_at: datetime | None

    @property
    def total(self) -> int:
        """Everything that is held."""
        return self.reported + self.in_flight + self.since + self.unreported


def by_currency() -> dict[str, Held]:
    """Return what the providers hold for us in each currency.

    That is on the platform's own balances and in all connected accounts; on a platform route also what the provider has
    settled to the platform's bank and what lies in the payout budget, by our books alone. An account that is overdrawn
    at its provider counts as the debt that it is: the platform answers for it. A difference between the provider and
    our books counts as the provider has it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HELD)
        return {
            currency: Held(reported=reported, in_flight=in_flight, since=since, unreported=unreported, reported_at=at)
            for currency, reported, in_flight, since, unreported, at in cursor.fetchall()
        }

"""What is owed to people: the accounts of the ledger whose money belongs to clients and freelancers.

All these accounts have a floor of zero. An account that is negative all the same counts as zero: what one person owes
the platform (receivables and the like are accounts of their own) never reduces what is owed to others.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db import connection

KINDS: Final = ("escrow", "contested", "pending", "available", "withdrawing", "refund", "unapplied")
# Of each kind, as a regular expression.
ACCOUNTS: Final = r"^(escrow|refund|unapplied|contested):[0-9]+$|^user:[0-9]+:(pending|available|withdrawing)$"
_ROWS_AT_ONCE: Final = 2000

# The subject under which an amount stands: `escrow:<id>`, which both sides can prove, or `user:<id>`. Money on its
# way back to a client stands under the client, a contested share under the freelancer.
# The place puts the subjects in an order that nobody can guess, so that neighbours in the tree tell nothing.
_OWED: Final = """
DECLARE owed_to_people NO SCROLL CURSOR FOR
WITH held AS (
    SELECT account.code, account.currency, balance.balance_minor AS amount_minor,
           split_part(account.code, ':', 1) AS family, split_part(account.code, ':', 2)::bigint AS id
      FROM ledger_account account
      JOIN ledger_balance balance ON balance.account_id = account.id AND balance.balance_minor > 0
     WHERE account.code ~ %s
), owed AS (
    SELECT held.currency, held.amount_minor,
           CASE held.family WHEN 'user' THEN split_part(held.code, ':', 3) ELSE held.family END AS kind,
           CASE held.family
                WHEN 'user' THEN 'user:' || held.id
                WHEN 'refund' THEN coalesce('user:' || refunded.client_id, held.code)
                WHEN 'unapplied' THEN coalesce('user:' || paid.client_id, held.code)
                WHEN 'contested' THEN coalesce('user:' || contested.freelancer_id, held.code)
                ELSE held.code END AS subject
      FROM held
      LEFT JOIN payments_refund refund ON refund.id = CASE held.family WHEN 'refund' THEN held.id END
      LEFT JOIN payments_escrow refunded ON refunded.id = refund.escrow_id
      LEFT JOIN payments_payment payment ON payment.id = CASE held.family WHEN 'unapplied' THEN held.id END
      LEFT JOIN payments_escrow paid ON paid.id = payment.escrow_id
      LEFT JOIN payments_escrow contested ON contested.id = CASE held.family WHEN 'contested' THEN held.id END
), kinds AS (
    SELECT currency, subject, kind, sum(amount_minor)::bigint AS amount_minor,
           sha256(%s || convert_to(currency || ' ' || subject, 'UTF8')) AS place
      FROM owed GROUP BY currency, subject, kind
)
SELECT currency, subject, jsonb_object_agg(kind, amount_minor)::text, place
  FROM kinds GROUP BY currency, subject, place ORDER BY currency, place
"""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed under one subject in one currency, by kind, in minor units; `place` orders the leaves."""

    currency: str
    subject: str
    amounts: dict[str, int]
    place: bytes


def rows(secret: bytes) -> Iterator[Owed]:
    """Yield everything that is owed, by currency and place. Needs an open transaction; reads a few rows at a time."""
    with connection.cursor() as cursor:
        cursor.execute(_OWED, [ACCOUNTS, secret])
        while True:
            cursor.execute(f"FETCH {_ROWS_AT_ONCE} FROM owed_to_people")
            found = cursor.fetchall()
            for currency, subject, amounts, place in found:
                yield Owed(currency, subject, json.loads(amounts), bytes(place))
            if len(found) < _ROWS_AT_ONCE:
                break
        cursor.execute("CLOSE owed_to_people")

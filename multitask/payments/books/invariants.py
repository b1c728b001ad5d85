"""Invariants between the escrows and the ledger; each is a query that returns the violations."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from django.db import connection

from multitask.ledger import checks

_BALANCE = """
SELECT account.code, sum(balance.balance_minor) AS held
  FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
 GROUP BY account.code
"""

QUERIES: Final = {
    "a closed or unpaid escrow holds no money": f"""
        SELECT format('escrow %s is %s and holds %s', escrow.id, escrow.state, books.held)
          FROM payments_escrow escrow
          JOIN ({_BALANCE}) books ON books.code = 'escrow:' || escrow.id
         WHERE escrow.state IN ('released', 'refunded', 'cancelled', 'pending_payment')
           AND books.held <> 0
    """,  # noqa: S608
    "a funded or disputed escrow holds its remaining amount": f"""
        SELECT format('escrow %s has %s left and holds %s', escrow.id,
                      escrow.total_minor - escrow.refunded_minor - coalesce(reserved.amount, 0),
                      coalesce(books.held, 0))
          FROM payments_escrow escrow
          LEFT JOIN ({_BALANCE}) books ON books.code = 'escrow:' || escrow.id
          LEFT JOIN (SELECT escrow_id, sum(amount_minor) AS amount FROM payments_refund
                      WHERE source = 'escrow' AND state = 'pending' GROUP BY escrow_id) reserved
            ON reserved.escrow_id = escrow.id
         WHERE escrow.state IN ('funded', 'disputed')
           AND escrow.total_minor - escrow.refunded_minor - coalesce(reserved.amount, 0)
               <> coalesce(books.held, 0)
    """,  # noqa: S608
    "a released escrow has released and refunded its total": f"""
        SELECT format('escrow %s: %s in, %s released, %s refunded, %s being refunded', escrow.id,
                      escrow.total_minor, escrow.released_minor, escrow.refunded_minor, coalesce(back.held, 0))
          FROM payments_escrow escrow
          LEFT JOIN (SELECT refund.escrow_id, sum(books.held) AS held FROM payments_refund refund
                       JOIN ({_BALANCE}) books ON books.code = 'refund:' || refund.id
                      WHERE refund.source = 'escrow' GROUP BY refund.escrow_id) back
            ON back.escrow_id = escrow.id
         WHERE escrow.state = 'released'
           AND escrow.total_minor <> escrow.released_minor + escrow.refunded_minor + coalesce(back.held, 0)
    """,  # noqa: S608
    "the refunded amount of an escrow is the sum of its paid refunds": """
        SELECT format('escrow %s records %s as refunded, its paid refunds are %s', escrow.id, escrow.refunded_minor,
                      coalesce(paid.amount, 0))
          FROM payments_escrow escrow
          LEFT JOIN (SELECT escrow_id, sum(amount_minor) AS amount FROM payments_refund
                      WHERE source = 'escrow' AND state = 'succeeded' GROUP BY escrow_id) paid
            ON paid.escrow_id = escrow.id
         WHERE escrow.refunded_minor <> coalesce(paid.amount, 0)
    """,
    "a pending refund holds its amount and a paid one has paid it": f"""
        SELECT format('refund %s is %s over %s and holds %s after paying %s', refund.id, refund.state,
                      refund.amount_minor, coalesce(books.held, 0), coalesce(paid.amount, 0))
          FROM payments_refund refund
          LEFT JOIN ({_BALANCE}) books ON books.code = 'refund:' || refund.id
          LEFT JOIN (SELECT header.key, sum(entry.amount_minor) AS amount
                       FROM ledger_transaction header
                       JOIN ledger_entry entry ON entry.transaction_id = header.id AND entry.amount_minor > 0
                      WHERE header.kind = 'refund_paid' GROUP BY header.key) paid
            ON paid.key = format('refund:%s:paid', refund.id)
         WHERE (refund.state = 'pending' AND coalesce(books.held, 0) <> refund.amount_minor)
            OR (refund.state = 'succeeded' AND coalesce(paid.amount, 0) <> refund.amount_minor)
    """,  # noqa: S608
    "open withdrawals are set aside until they are paid": """
        SELECT format('user %s withdraws %s %s and has %s set aside', user_id, sum(amount), currency,
                      sum(held))
          FROM (SELECT user_id, currency, amount_minor AS amount, 0 AS held FROM payments_withdrawal
                 WHERE state IN ('pending', 'processing')
                 UNION ALL
                SELECT split_part(account.code, ':', 2)::bigint, account.currency, 0,
                       balance.balance_minor
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code ~ '^user:[0-9]+:withdrawing$') sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,
    "released shares that have not settled are pending": """
        SELECT format('user %s has %s %s released and unsettled, %s pending', user_id, sum(amount),
                      currency, sum(held))
          FROM (SELECT freelancer_id AS user_id, currency,
                       released_minor - released_fee_minor AS amount, 0 AS held
                  FROM payments_escrow WHERE state = 'released' AND made_available_at IS NULL
                 UNION ALL
                SELECT split_part(account.code, ':', 2)::bigint, account.currency, 0,
                       balance.balance_minor
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code ~ '^user:[0-9]+:pending$') sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,
    "available balances are settled shares less withdrawals": """
        SELECT format('user %s settled %s %s more than was withdrawn, %s available', user_id, sum(amount),
                      currency, sum(held))
          FROM (SELECT freelancer_id AS user_id, currency,
                       released_minor - released_fee_minor AS amount, 0 AS held
                  FROM payments_escrow WHERE state = 'released' AND made_available_at IS NOT NULL
                 UNION ALL
                SELECT user_id, currency, -amount_minor, 0 FROM payments_withdrawal WHERE state <> 'failed'
                 UNION ALL
                SELECT split_part(account.code, ':', 2)::bigint, account.currency, 0,
                       balance.balance_minor
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code ~ '^user:[0-9]+:available$') sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,
    "the platform holds the fees of all releases": """
        SELECT format('fees of %s %s were taken, %s are held', sum(amount), currency, sum(held))
          FROM (SELECT currency, released_fee_minor AS amount, 0 AS held FROM payments_escrow
                 UNION ALL
                SELECT account.currency, 0, balance.balance_minor
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code = 'platform:fees') sides
         GROUP BY currency HAVING sum(amount) <> sum(held)
    """,
    "an unapplied payment is held separately until it is refunded": f"""
        SELECT format('payment %s is %s with %s received, %s being refunded and %s held separately', payment.id,
                      payment.state, payment.received_minor, coalesce(back.amount, 0), coalesce(books.held, 0))
          FROM payments_payment payment
          LEFT JOIN ({_BALANCE}) books ON books.code = 'unapplied:' || payment.id
          LEFT JOIN (SELECT payment_id, sum(amount_minor) AS amount FROM payments_refund
                      WHERE source = 'unapplied' AND state = 'pending' GROUP BY payment_id) back
            ON back.payment_id = payment.id
         WHERE coalesce(books.held, 0)
               <> CASE payment.state WHEN 'review' THEN payment.received_minor - coalesce(back.amount, 0) ELSE 0 END
    """,  # noqa: S608
    "the history matches payments, refunds, releases and withdrawals": """
        SELECT format('the history of user %s has %s for %s, which is %s over %s', happened.user_id,
                      coalesce(row.status || ' over ' || row.amount_minor, 'nothing'), happened.reference,
                      happened.status, happened.amount_minor)
          FROM (SELECT user_id, 'withdrawal:' || id AS reference, amount_minor,
                       CASE state WHEN 'processing' THEN 'pending' ELSE state END AS status
                  FROM payments_withdrawal
                 UNION ALL
                SELECT escrow.client_id, 'refund:' || refund.id, refund.amount_minor,
                       CASE refund.state WHEN 'succeeded' THEN 'completed' ELSE refund.state END
                  FROM payments_refund refund JOIN payments_escrow escrow ON escrow.id = refund.escrow_id
                 WHERE refund.state IN ('pending', 'succeeded', 'failed')
                 UNION ALL
                SELECT escrow.client_id, 'payment:' || payment.id, payment.amount_minor,
                       CASE WHEN payment.state = 'succeeded' THEN 'completed'
                            WHEN payment.state IN ('review', 'returned') THEN 'failed' ELSE payment.state END
                  FROM payments_payment payment JOIN payments_escrow escrow ON escrow.id = payment.escrow_id
                 UNION ALL
                SELECT freelancer_id, format('escrow:%s:release', id), released_minor, 'completed'
                  FROM payments_escrow WHERE state = 'released') happened
          LEFT JOIN payments_historyrow row
            ON row.user_id = happened.user_id AND row.reference = happened.reference
         WHERE (row.status = happened.status AND row.amount_minor = happened.amount_minor) IS NOT TRUE
    """,
    "history totals are the sums of the history": """
        SELECT format('user %s %s %s %s %s: totals and rows differ', user_id, currency, type, status,
                      direction)
          FROM (SELECT user_id, currency, type, status, direction, rows, amount_minor, fee_minor
                  FROM payments_historytotal
                 UNION ALL
                SELECT user_id, currency, type, status, direction, -count(*), -sum(amount_minor),
                       -sum(fee_minor)
                  FROM payments_historyrow
                 GROUP BY user_id, currency, type, status, direction) sides
         GROUP BY user_id, currency, type, status, direction
        HAVING sum(rows) <> 0 OR sum(amount_minor) <> 0 OR sum(fee_minor) <> 0
    """,
}


def _details(sql: str) -> Iterable[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT detail FROM ({sql}) found (detail) LIMIT {checks.MOST_DETAILS}")  # noqa: S608
        return [detail for (detail,) in cursor.fetchall()]


def register() -> None:
    """Add these invariants to those of `ledger.checks`."""
    known = set(checks.names())
    for name, sql in QUERIES.items():
        if name not in known:
            checks.register(name, partial(_details, sql))

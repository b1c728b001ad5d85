"""Invariants between the escrows and the ledger; each is a query that returns the violations."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from django.db import connection

from multitask.ledger import checks
from multitask.payments.books import touched
from multitask.payments.books.proof import verification
from multitask.payments.books.touched import among

# What the payee still has of an escrow's release; `Escrow.payee_share` in SQL.
_SHARE = "released_minor - released_fee_minor - netted_minor - contested_minor - reclaimed_minor"


def _held(code: str) -> str:
    """Return the SQL of what an account holds; `code` is an expression. NULL if there is no such account."""
    return f"""
            SELECT sum(balance.balance_minor) AS held
              FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
             WHERE account.code = {code}"""  # noqa: S608


def _held_by_users(*names: str) -> str:
    """Return the SQL of what the users' accounts of these names hold."""
    return f"""
                SELECT split_part(account.code, ':', 2)::bigint, account.currency, 0, balance.balance_minor
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code ~ '^user:[0-9]+:({"|".join(names)})$' AND {among("code", "account.code")}
    """  # noqa: S608


def _held_for(side: str) -> str:
    """Return the SQL of what open escrows hold for the users on one side of them."""
    return f"""
                SELECT escrow.{side}, escrow.currency, 0, coalesce(books.held, 0)
                  FROM payments_escrow escrow CROSS JOIN LATERAL ({_held("'escrow:' || escrow.id")}) books
                 WHERE escrow.state IN ('funded', 'disputed') AND {among("party", f"escrow.{side}")}
    """  # noqa: S608


QUERIES: Final = {
    "a closed or unpaid escrow holds no money": f"""
        SELECT format('escrow %s is %s and holds %s', escrow.id, escrow.state, books.held)
          FROM payments_escrow escrow
          CROSS JOIN LATERAL ({_held("'escrow:' || escrow.id")}) books
         WHERE escrow.state IN ('released', 'refunded', 'cancelled', 'pending_payment', 'charged_back')
           AND books.held <> 0 AND {among("escrow", "escrow.id")}
    """,  # noqa: S608
    "a funded or disputed escrow holds its remaining amount": f"""
        SELECT format('escrow %s has %s left and holds %s', escrow.id,
                      escrow.total_minor - escrow.refunded_minor - escrow.charged_back_minor
                      - coalesce(reserved.amount, 0), coalesce(books.held, 0))
          FROM payments_escrow escrow
          CROSS JOIN LATERAL ({_held("'escrow:' || escrow.id")}) books
          LEFT JOIN (SELECT escrow_id, sum(amount_minor) AS amount FROM payments_refund
                      WHERE source = 'escrow' AND state = 'pending' AND {among("escrow", "escrow_id")}
                      GROUP BY escrow_id) reserved
            ON reserved.escrow_id = escrow.id
         WHERE escrow.state IN ('funded', 'disputed') AND {among("escrow", "escrow.id")}
           AND escrow.total_minor - escrow.refunded_minor - escrow.charged_back_minor - coalesce(reserved.amount, 0)
               <> coalesce(books.held, 0)
    """,  # noqa: S608
    "the kept totals of escrowed money are what the escrows of both sides hold": f"""
        SELECT format('user %s has %s %s kept and %s in escrows', user_id, sum(kept), currency, sum(held))
          FROM (SELECT user_id, currency, amount_minor AS kept, 0 AS held
                  FROM payments_escrowedtotal WHERE {among("party", "user_id")}
                 UNION ALL
                {_held_for("client_id")}
                 UNION ALL
                {_held_for("freelancer_id")}) sides
         GROUP BY user_id, currency HAVING sum(kept) <> sum(held)
    """,  # noqa: S608
    "a released escrow has released and refunded its total": f"""
        SELECT format('escrow %s: %s in, %s released, %s refunded, %s being refunded, %s charged back', escrow.id,
                      escrow.total_minor, escrow.released_minor, escrow.refunded_minor, coalesce(back.held, 0),
                      escrow.charged_back_minor)
          FROM payments_escrow escrow
          LEFT JOIN (SELECT refund.escrow_id, sum(books.held) AS held FROM payments_refund refund
                       CROSS JOIN LATERAL ({_held("'refund:' || refund.id")}) books
                      WHERE refund.source = 'escrow' AND {among("escrow", "refund.escrow_id")}
                      GROUP BY refund.escrow_id) back
            ON back.escrow_id = escrow.id
         WHERE escrow.state = 'released' AND {among("escrow", "escrow.id")}
           AND escrow.total_minor <> escrow.released_minor + escrow.refunded_minor + escrow.charged_back_minor
                                     + coalesce(back.held, 0)
    """,  # noqa: S608
    "the refunded amount of an escrow is the sum of its paid refunds": f"""
        SELECT format('escrow %s records %s as refunded, its paid refunds are %s', escrow.id, escrow.refunded_minor,
                      coalesce(paid.amount, 0))
          FROM payments_escrow escrow
          LEFT JOIN (SELECT escrow_id, sum(amount_minor) AS amount FROM payments_refund
                      WHERE source = 'escrow' AND state = 'succeeded' AND {among("escrow", "escrow_id")}
                      GROUP BY escrow_id) paid
            ON paid.escrow_id = escrow.id
         WHERE escrow.refunded_minor <> coalesce(paid.amount, 0) AND {among("escrow", "escrow.id")}
    """,  # noqa: S608
    "a pending refund holds its amount and a paid one has paid it": f"""
        SELECT format('refund %s is %s over %s and holds %s after paying %s', refund.id, refund.state,
                      refund.amount_minor, coalesce(books.held, 0), coalesce(paid.amount, 0))
          FROM payments_refund refund
          CROSS JOIN LATERAL ({_held("'refund:' || refund.id")}) books
         CROSS JOIN LATERAL (
               SELECT sum(entry.amount_minor) AS amount FROM ledger_transaction header
                 JOIN ledger_entry entry ON entry.transaction_id = header.id AND entry.amount_minor > 0
                WHERE header.scope = 'payments' AND header.kind IN ('refund_paid', 'refund_paid_by_bank')
                  AND header.key IN (format('refund:%s:paid', refund.id), format('refund:%s:paid_by_bank', refund.id))
               ) paid
         WHERE {among("refund", "refund.id")} AND ((refund.state = 'pending'
                AND coalesce(books.held, 0) <> coalesce(refund.booked_minor, refund.amount_minor))
            OR (refund.state = 'succeeded' AND refund.booked_minor IS NULL
                AND coalesce(paid.amount, 0) <> refund.amount_minor))
    """,  # noqa: S608
    "open withdrawals are set aside until they are paid": f"""
        SELECT format('user %s withdraws %s %s and has %s set aside', user_id, sum(amount), currency,
                      sum(held))
          FROM (SELECT user_id, currency, amount_minor AS amount, 0 AS held FROM payments_withdrawal
                 WHERE state IN ('pending', 'processing') AND {among("user", "user_id")}
                 UNION ALL
                {_held_by_users("withdrawing")}) sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,  # noqa: S608
    "released shares that have not settled are pending": f"""
        SELECT format('user %s has %s %s released and unsettled, %s pending', user_id, sum(amount),
                      currency, sum(held))
          FROM (SELECT freelancer_id AS user_id, currency, {_SHARE} AS amount, 0 AS held
                  FROM payments_escrow
                 WHERE state = 'released' AND made_available_at IS NULL AND {among("user", "freelancer_id")}
                 UNION ALL
                SELECT user_id, currency, amount_minor - netted_minor - reversed_minor, 0
                  FROM payments_adjustment
                 WHERE amount_minor > 0 AND made_available_at IS NULL AND {among("user", "user_id")}
                 UNION ALL
                {_held_by_users("pending")}) sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,  # noqa: S608
    "available balances are settled shares less withdrawals": f"""
        SELECT format('user %s settled %s %s more than was withdrawn, %s available', user_id, sum(amount),
                      currency, sum(held))
          FROM (SELECT freelancer_id AS user_id, currency, {_SHARE} AS amount, 0 AS held
                  FROM payments_escrow
                 WHERE state = 'released' AND made_available_at IS NOT NULL AND {among("user", "freelancer_id")}
                 UNION ALL
                SELECT user_id, currency, amount_minor - netted_minor - reversed_minor, 0
                  FROM payments_adjustment
                 WHERE amount_minor > 0 AND made_available_at IS NOT NULL AND {among("user", "user_id")}
                 UNION ALL
                SELECT user_id, currency, -amount_minor, 0 FROM payments_withdrawal
                 WHERE state NOT IN ('failed', 'cancelled') AND {among("user", "user_id")}
                 UNION ALL
                SELECT escrow.freelancer_id, reversal.currency, reversal.ahead_minor, 0
                  FROM payments_reversal reversal JOIN payments_escrow escrow ON escrow.id = reversal.escrow_id
                 WHERE reversal.ahead_minor > 0 AND {among("user", "escrow.freelancer_id")}
                 UNION ALL
                {_held_by_users("available", "paid_ahead")}) sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,  # noqa: S608
    "nobody is credited for what was paid out ahead or is owed": f"""
        SELECT format('%s %s has %s too much', account.code, account.currency, sum(balance.balance_minor))
          FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
         WHERE account.code ~ '^user:[0-9]+:(paid_ahead|receivable)$' AND {among("code", "account.code")}
         GROUP BY account.code, account.currency HAVING sum(balance.balance_minor) > 0
    """,  # noqa: S608
    "receivables are what payees owe": f"""
        SELECT format('user %s owes %s %s, the books say %s', user_id, -sum(amount), currency, -sum(held))
          FROM (SELECT user_id, currency,
                       recovered_minor + written_off_minor + cancelled_minor - amount_minor AS amount, 0 AS held
                  FROM payments_receivable WHERE {among("user", "user_id")}
                 UNION ALL
                {_held_by_users("receivable")}) sides
         GROUP BY user_id, currency HAVING sum(amount) <> sum(held)
    """,  # noqa: S608
    "contested shares are held separately": f"""
        SELECT format('escrow %s holds %s of its contested %s', escrow.id, coalesce(books.held, 0),
                      escrow.contested_minor)
          FROM payments_escrow escrow
          CROSS JOIN LATERAL ({_held("'contested:' || escrow.id")}) books
         WHERE escrow.contested_minor <> coalesce(books.held, 0) AND {among("escrow", "escrow.id")}
    """,  # noqa: S608
    "a chargeback's account is what the bank has taken and no loss explains": f"""
        SELECT format('chargeback %s: %s taken, %s booked as lost, %s in the books', chargeback.id,
                      chargeback.taken_minor, coalesce(lost.amount, 0), coalesce(books.held, 0))
          FROM payments_chargeback chargeback
          CROSS JOIN LATERAL ({_held("'chargeback:' || chargeback.id")}) books
          LEFT JOIN (SELECT chargeback_id, sum(amount_minor) AS amount FROM payments_loss
                      WHERE reversed_at IS NULL AND {among("chargeback", "chargeback_id")}
                      GROUP BY chargeback_id) lost ON lost.chargeback_id = chargeback.id
         WHERE coalesce(books.held, 0) <> coalesce(lost.amount, 0) - chargeback.taken_minor
           AND {among("chargeback", "chargeback.id")}
    """,  # noqa: S608
    "losses are what their escrows record": f"""
        SELECT format('escrow %s records %s, %s, %s and %s of losses, which are %s, %s, %s and %s', escrow.id,
                      escrow.charged_back_minor, escrow.returned_minor, escrow.reclaimed_minor,
                      escrow.reclaimed_fee_minor, coalesce(lost.escrow, 0), coalesce(lost.returned, 0),
                      coalesce(lost.payee, 0), coalesce(lost.fee, 0))
          FROM payments_escrow escrow
          LEFT JOIN (SELECT loss.escrow_id, sum(loss.escrow_minor) AS escrow, sum(loss.returned_minor) AS returned,
                            sum(loss.payee_minor) AS payee, sum(loss.fee_minor) AS fee
                       FROM payments_loss loss
                       LEFT JOIN payments_chargeback chargeback ON chargeback.id = loss.chargeback_id
                       LEFT JOIN payments_refund refund ON refund.id = loss.refund_id
                       JOIN payments_payment payment ON payment.id = coalesce(chargeback.payment_id, refund.payment_id)
                      WHERE loss.reversed_at IS NULL AND payment.state = 'succeeded'
                        AND {among("escrow", "loss.escrow_id")}
                      GROUP BY loss.escrow_id) lost ON lost.escrow_id = escrow.id
         WHERE {among("escrow", "escrow.id")}
           AND (escrow.charged_back_minor, escrow.returned_minor, escrow.reclaimed_minor, escrow.reclaimed_fee_minor)
               <> (coalesce(lost.escrow, 0), coalesce(lost.returned, 0), coalesce(lost.payee, 0),
                   coalesce(lost.fee, 0))
    """,  # noqa: S608
    "the platform holds the fees of all releases": """
        SELECT format('fees of %s %s were taken, %s are held', sum(amount), currency, sum(held))
          FROM (SELECT currency, released_fee_minor - reclaimed_fee_minor AS amount, 0 AS held FROM payments_escrow
                 UNION ALL
                SELECT account.currency, 0, balance.balance_minor
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code = 'platform:fees') sides
         GROUP BY currency HAVING sum(amount) <> sum(held)
    """,
    "an unapplied payment is held separately until it is refunded": f"""
        SELECT format('payment %s is %s with %s received, %s refunded or on the way, %s lost and %s held separately',
                      payment.id, payment.state, payment.received_minor, coalesce(back.amount, 0),
                      coalesce(lost.amount, 0), coalesce(books.held, 0))
          FROM payments_payment payment
          CROSS JOIN LATERAL ({_held("'unapplied:' || payment.id")}) books
          LEFT JOIN (SELECT payment_id, sum(coalesce(booked_minor, amount_minor)) AS amount FROM payments_refund
                      WHERE source = 'unapplied' AND state IN ('pending', 'succeeded')
                        AND {among("payment", "payment_id")}
                      GROUP BY payment_id) back
            ON back.payment_id = payment.id
         CROSS JOIN LATERAL (
               SELECT sum(loss.escrow_minor) AS amount FROM payments_loss loss
                WHERE loss.reversed_at IS NULL
                  AND (loss.chargeback_id = ANY (ARRAY(
                           SELECT id FROM payments_chargeback WHERE payment_id = payment.id))
                       OR loss.refund_id = ANY (ARRAY(
                           SELECT id FROM payments_refund WHERE payment_id = payment.id)))) lost
         WHERE {among("payment", "payment.id")} AND (
               CASE WHEN payment.state IN ('review', 'returned')
                    THEN payment.received_minor - coalesce(back.amount, 0) - coalesce(lost.amount, 0) ELSE 0 END
               <> coalesce(books.held, 0)
            OR (payment.state = 'returned' AND coalesce(books.held, 0) <> 0))
    """,  # noqa: S608
    "the history matches payments, refunds, releases and withdrawals": f"""
        SELECT format('the history of user %s has %s for %s, which is %s over %s', happened.user_id,
                      coalesce(row.status || ' over ' || row.amount_minor, 'nothing'), happened.reference,
                      happened.status, happened.amount_minor)
          FROM (SELECT user_id, 'withdrawal:' || id AS reference, amount_minor,
                       CASE state WHEN 'processing' THEN 'pending' ELSE state END AS status
                  FROM payments_withdrawal WHERE {among("withdrawal", "id")}
                 UNION ALL
                SELECT escrow.client_id, 'refund:' || refund.id, refund.amount_minor,
                       CASE refund.state WHEN 'succeeded' THEN 'completed' ELSE refund.state END
                  FROM payments_refund refund JOIN payments_escrow escrow ON escrow.id = refund.escrow_id
                 WHERE refund.state IN ('pending', 'succeeded', 'failed') AND {among("refund", "refund.id")}
                 UNION ALL
                SELECT escrow.client_id, 'payment:' || payment.id, payment.amount_minor,
                       CASE WHEN payment.state = 'succeeded' THEN 'completed'
                            WHEN payment.state IN ('review', 'returned') THEN 'failed' ELSE payment.state END
                  FROM payments_payment payment JOIN payments_escrow escrow ON escrow.id = payment.escrow_id
                 WHERE {among("payment", "payment.id")}
                 UNION ALL
                SELECT freelancer_id, format('escrow:%s:release', id), released_minor, 'completed'
                  FROM payments_escrow
                 WHERE state = 'released' AND {among("escrow", "id")}) happened
          LEFT JOIN payments_historyrow row
            ON row.user_id = happened.user_id AND row.reference = happened.reference
         WHERE (row.status = happened.status AND row.amount_minor = happened.amount_minor) IS NOT TRUE
    """,  # noqa: S608
    "suspense holds what the open lines of the statements do": f"""
        SELECT format('%s holds %s %s, the open lines of its statements %s', account, sum(held), currency, sum(open))
          FROM (SELECT account.code AS account, account.currency, balance.balance_minor AS held, 0 AS open
                  FROM ledger_account account
                  JOIN ledger_balance balance ON balance.account_id = account.id
                 WHERE account.code ^@ 'suspense:' AND {among("code", "account.code")}
                 UNION ALL
                SELECT 'suspense:' || owner.provider, line.currency, 0, line.suspense_minor
                  FROM payments_statementline line
                  JOIN payments_provideraccount owner ON owner.id = line.account_id
                 WHERE line.suspense_minor <> 0 AND {among("code", "'suspense:' || owner.provider")}) sides
         GROUP BY account, currency HAVING sum(held) <> sum(open)
    """,  # noqa: S608
    "no amount in suspense is hidden": """
        SELECT format('statement line %s is %s with %s in suspense', provider_line_id, state, suspense_minor)
          FROM payments_statementline
         WHERE (state = 'open') <> (suspense_minor <> 0) OR (state = 'open' AND opened_at IS NULL)
    """,
    "the books equal the providers' balances": """
        SELECT format('%s: the books have %s %s and %s in flight, the provider %s, since %s',
                      coalesce(connected.provider_account_id, owner.provider || ', the platform'),
                      found.ours_minor, found.currency, found.in_flight_minor, found.theirs_minor,
                      to_char(found.differs_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
          FROM payments_reconciliation found
          JOIN payments_provideraccount owner ON owner.id = found.account_id
          LEFT JOIN payments_connectedaccount connected ON connected.id = owner.account_id
         WHERE found.difference_minor <> 0
    """,
    "history totals are the sums of the history": f"""
        SELECT format('user %s %s %s %s %s: totals and rows differ', user_id, currency, type, status,
                      direction)
          FROM (SELECT user_id, currency, type, status, direction, rows, amount_minor, fee_minor
                  FROM payments_historytotal WHERE {among("party", "user_id")}
                 UNION ALL
                SELECT user_id, currency, type, status, direction, -count(*), -sum(amount_minor),
                       -sum(fee_minor)
                  FROM payments_historyrow WHERE {among("party", "user_id")}
                 GROUP BY user_id, currency, type, status, direction) sides
         GROUP BY user_id, currency, type, status, direction
        HAVING sum(rows) <> 0 OR sum(amount_minor) <> 0 OR sum(fee_minor) <> 0
    """,  # noqa: S608
}


# These are about what the providers hold, as of the last comparison.
OF_PROVIDERS: Final = frozenset({"the books equal the providers' balances"})


def _details(sql: str) -> Iterable[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT detail FROM ({sql}) found (detail) LIMIT {checks.MOST_DETAILS}")  # noqa: S608
        return [detail for (detail,) in cursor.fetchall()]


def _touched_details(sql: str, names: frozenset[str]) -> Iterable[str]:
    query = touched.narrowed(sql, touched.ids(names))
    return [] if query is None else _details(query)


def register() -> None:
    """Add these invariants to those of `ledger.checks`."""
    known = set(checks.names())
    for name, sql in QUERIES.items():
        if name not in known:
            checks.register(
                name,
                partial(_details, sql),
                touched=partial(_touched_details, sql) if touched.is_narrow(sql) else None,
                of_bounded_cost=name in OF_PROVIDERS,
                of_providers=name in OF_PROVIDERS,
            )
    if verification.NAME not in known:
        checks.register(verification.NAME, verification.violations, of_bounded_cost=True)

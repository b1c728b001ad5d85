"""The invariants of the ledger. Each is a query that returns one sentence per violation.

Each query reads one snapshot, so it is correct while others post. The queries do not rely on the triggers and
constraints: they read the rows themselves, and the last query checks that the triggers and constraints exist.
"""

TRANSACTIONS_SUM_TO_ZERO = """
SELECT format('transaction %s sums to %s %s', entry.transaction_id, sum(entry.amount_minor), account.currency)
  FROM ledger_entry entry LEFT JOIN ledger_account account ON account.id = entry.account_id
 GROUP BY entry.transaction_id, account.currency HAVING sum(entry.amount_minor) <> 0
"""

CURRENCIES_SUM_TO_ZERO = """
SELECT format('all balances in %s sum to %s', account.currency, sum(balance.balance_minor))
  FROM ledger_balance balance JOIN ledger_account account ON account.id = balance.account_id
 GROUP BY account.currency HAVING sum(balance.balance_minor) <> 0
"""

TRANSACTIONS_ARE_WHOLE = """
SELECT format('transaction %s announced %s legs and has %s that move something',
              coalesce(header.id, entry.transaction_id), coalesce(header.legs::text, 'no'), coalesce(entry.legs, 0))
  FROM ledger_transaction header
  FULL JOIN (SELECT transaction_id, count(nullif(amount_minor, 0)) AS legs, max(position) AS last
               FROM ledger_entry GROUP BY transaction_id) entry ON entry.transaction_id = header.id
 WHERE (header.legs >= 2 AND entry.legs = header.legs AND entry.last = header.legs) IS NOT TRUE
"""

BALANCES_ARE_SUMS_OF_ENTRIES = """
SELECT format('account %s shard %s has debits %s, credits %s, balance %s; its entries make %s, %s, %s',
              coalesce(balance.account_id, entry.account_id), coalesce(balance.shard, entry.shard),
              balance.debits_minor, balance.credits_minor, balance.balance_minor,
              coalesce(entry.debits, 0), coalesce(entry.credits, 0), coalesce(entry.total, 0))
  FROM ledger_balance balance
  FULL JOIN (SELECT account_id, shard, sum(amount_minor) AS total,
                    coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0) AS debits,
                    coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0) AS credits
               FROM ledger_entry GROUP BY account_id, shard) entry
    ON entry.account_id = balance.account_id AND entry.shard = balance.shard
 WHERE (balance.balance_minor = coalesce(entry.total, 0) AND balance.debits_minor = coalesce(entry.debits, 0)
        AND balance.credits_minor = coalesce(entry.credits, 0)) IS NOT TRUE
"""

SEQUENCES_HAVE_NO_GAPS = """
SELECT format('account %s shard %s: sequence %s is number %s', account_id, shard, sequence, number)
  FROM (SELECT account_id, shard, sequence,
               row_number() OVER (PARTITION BY account_id, shard ORDER BY sequence) AS number
          FROM ledger_entry) entry
 WHERE sequence <> number
UNION ALL
SELECT format('account %s shard %s counts %s entries and has %s', balance.account_id, balance.shard,
              balance.sequence, count(entry.sequence))
  FROM ledger_balance balance
  LEFT JOIN ledger_entry entry ON entry.account_id = balance.account_id AND entry.shard = balance.shard
 GROUP BY balance.account_id, balance.shard HAVING balance.sequence <> count(entry.sequence)
"""

RUNNING_BALANCES_ADD_UP = """
SELECT format('account %s shard %s sequence %s: %s after %s does not leave %s', account_id, shard, sequence,
              amount_minor, earlier, balance_after_minor)
  FROM (SELECT account_id, shard, sequence, amount_minor, balance_after_minor,
               lag(balance_after_minor, 1, 0::bigint)
                   OVER (PARTITION BY account_id, shard ORDER BY sequence) AS earlier
          FROM ledger_entry) entry
 WHERE earlier::numeric + amount_minor <> balance_after_minor
"""

MOMENTS_NEVER_GO_BACK = """
SELECT format('account %s shard %s sequence %s was recorded before its predecessor', account_id, shard, sequence)
  FROM (SELECT account_id, shard, sequence, created_at,
               lag(created_at) OVER (PARTITION BY account_id, shard ORDER BY sequence) AS earlier
          FROM ledger_entry) entry
 WHERE created_at < earlier
UNION ALL
SELECT format('account %s shard %s says it last moved at %s', balance.account_id, balance.shard, balance.recorded_at)
  FROM ledger_balance balance
  LEFT JOIN ledger_entry entry ON entry.account_id = balance.account_id AND entry.shard = balance.shard
                              AND entry.sequence = balance.sequence
 WHERE balance.recorded_at IS DISTINCT FROM entry.created_at
"""

FLOORS_HOLD = """
SELECT format('account %s fell to %s at sequence %s, below its floor of %s', account.code,
              entry.balance_after_minor, entry.sequence, account.floor_minor)
  FROM ledger_account account JOIN ledger_entry entry ON entry.account_id = account.id
 WHERE entry.balance_after_minor < account.floor_minor
UNION ALL
SELECT format('account %s shard %s is kept above %s, its account above %s', account.code, balance.shard,
              balance.floor_minor, account.floor_minor)
  FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
 WHERE balance.floor_minor IS DISTINCT FROM account.floor_minor
    OR balance.balance_minor < account.floor_minor
"""

KEYS_NAME_ONE_REQUEST = """
SELECT format('key %s of scope %s names %s transactions', key, scope, count(*))
  FROM ledger_transaction GROUP BY scope, key HAVING count(*) > 1
UNION ALL
SELECT format('transaction %s is not what was asked for under its key', header.id)
  FROM ledger_transaction header
  JOIN ledger_entry entry ON entry.transaction_id = header.id
  JOIN ledger_account account ON account.id = entry.account_id
 GROUP BY header.id
HAVING header.request_hash <> ledger_request_hash(header.kind, header.reverses,
           array_agg(account.code ORDER BY entry.position),
           array_agg(account.currency ORDER BY entry.position),
           array_agg(entry.amount_minor ORDER BY entry.position))
"""

REVERSED_AT_MOST_ONCE = """
SELECT format('transaction %s is reversed %s times', reverses, count(*))
  FROM ledger_transaction WHERE reverses IS NOT NULL GROUP BY reverses HAVING count(*) > 1
UNION ALL
SELECT format('transaction %s reverses %s, which is not in the books', header.id, header.reverses)
  FROM ledger_transaction header
 WHERE header.reverses IS NOT NULL
   AND NOT EXISTS (SELECT FROM ledger_transaction target WHERE target.id = header.reverses)
"""

# An entry that was inserted at another time than its transaction could change a closed period.
RECORDED_AT_ONE_MOMENT = """
SELECT format('transaction %s of %s was recorded from %s to %s', header.id, header.created_at,
              min(entry.created_at), max(entry.created_at))
  FROM ledger_transaction header JOIN ledger_entry entry ON entry.transaction_id = header.id
 GROUP BY header.id
HAVING min(entry.created_at) <> max(entry.created_at) OR min(entry.created_at) < header.created_at
"""

ACCOUNTS_ARE_WHOLE = """
SELECT format('account %s has %s of its %s shards', account.code, count(balance.shard), account.shards)
  FROM ledger_account account
  LEFT JOIN ledger_balance balance ON balance.account_id = account.id AND balance.shard < account.shards
 GROUP BY account.id HAVING count(balance.shard) <> account.shards
UNION ALL
SELECT format('%s of transaction %s is on account %s shard %s, which does not exist', entry.amount_minor,
              entry.transaction_id, entry.account_id, entry.shard)
  FROM ledger_entry entry
  LEFT JOIN ledger_account account ON account.id = entry.account_id
 WHERE (entry.shard >= 0 AND entry.shard < account.shards) IS NOT TRUE
UNION ALL
SELECT format('%s of transaction %s is in %s, on account %s in %s', entry.amount_minor, entry.transaction_id,
              entry.currency, account.code, account.currency)
  FROM ledger_entry entry JOIN ledger_account account ON account.id = entry.account_id
 WHERE entry.currency IS DISTINCT FROM account.currency
"""

GUARDS_STAND = """
SELECT format('trigger %s on %s is missing or does not always fire', guard.name, guard.relation)
  FROM (VALUES ('ledger_account', 'append_only'), ('ledger_account', 'one_writer'),
               ('ledger_transaction', 'append_only'), ('ledger_transaction', 'has_legs'),
               ('ledger_entry', 'append_only'), ('ledger_entry', 'whole_and_balanced'),
               ('ledger_balance', 'never_removed'), ('ledger_balance', 'one_writer'),
               ('ledger_link', 'append_only'), ('ledger_checkpoint', 'append_only')) guard (relation, name)
 WHERE NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = to_regclass(guard.relation) AND tgname = guard.name AND tgenabled = 'A')
UNION ALL
SELECT format('constraint %s on %s is missing or does not hold for every row', guard.name, guard.relation)
  FROM (VALUES ('ledger_account', 'ledger_account_code_currency'),
               ('ledger_account', 'ledger_account_sharded_has_no_floor'),
               ('ledger_transaction', 'ledger_transaction_pkey'),
               ('ledger_transaction', 'ledger_transaction_scope_key'),
               ('ledger_transaction', 'ledger_transaction_reverses_fkey'),
               ('ledger_entry', 'ledger_entry_pkey'),
               ('ledger_entry', 'ledger_entry_account_sequence'),
               ('ledger_balance', 'ledger_balance_pkey'),
               ('ledger_balance', 'ledger_balance_floor'),
               ('ledger_link', 'ledger_link_pkey'),
               ('ledger_checkpoint', 'ledger_checkpoint_pkey')) guard (relation, name)
 WHERE NOT EXISTS (SELECT FROM pg_constraint
                    WHERE conrelid = to_regclass(guard.relation) AND conname = guard.name AND convalidated)
UNION ALL
SELECT 'the index that allows one reversal of a transaction is missing or not valid'
 WHERE NOT EXISTS (SELECT FROM pg_index
                    WHERE indexrelid = to_regclass('ledger_transaction_reverses')
                      AND indisunique AND indisvalid AND indisready)
"""

QUERIES = {
    "transactions_sum_to_zero": TRANSACTIONS_SUM_TO_ZERO,
    "currencies_sum_to_zero": CURRENCIES_SUM_TO_ZERO,
    "transactions_are_whole": TRANSACTIONS_ARE_WHOLE,
    "balances_are_sums_of_entries": BALANCES_ARE_SUMS_OF_ENTRIES,
    "sequences_have_no_gaps": SEQUENCES_HAVE_NO_GAPS,
    "running_balances_add_up": RUNNING_BALANCES_ADD_UP,
    "moments_never_go_back": MOMENTS_NEVER_GO_BACK,
    "floors_hold": FLOORS_HOLD,
    "keys_name_one_request": KEYS_NAME_ONE_REQUEST,
    "reversed_at_most_once": REVERSED_AT_MOST_ONCE,
    "recorded_at_one_moment": RECORDED_AT_ONE_MOMENT,
    "accounts_are_whole": ACCOUNTS_ARE_WHOLE,
    "guards_stand": GUARDS_STAND,
}

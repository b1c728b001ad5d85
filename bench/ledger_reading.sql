-- Two accounts with entries like those of ledger_post, inserted in bulk: :short and :long entries of one cent
-- each, a millisecond apart.
SET ledger.writer = 'ledger_post';
INSERT INTO ledger_account (code, currency, floor_minor, shards)
VALUES ('bench-short', 'USD', NULL, 1), ('bench-long', 'USD', NULL, 1), ('bench-bank', 'USD', NULL, 1);
INSERT INTO ledger_balance (account_id, shard) SELECT id, 0 FROM ledger_account WHERE code LIKE 'bench-%';
CREATE TEMPORARY TABLE past AS
SELECT gen_random_uuid() AS id, code, number, row_number() OVER (ORDER BY code, number) AS place,
       timestamptz '2026-01-01' + (row_number() OVER (ORDER BY code, number)) * interval '1 millisecond' AS at
  FROM (VALUES ('bench-long', {long}), ('bench-short', {short})) account (code, entries),
       generate_series(1, entries) number;
ANALYZE past;
INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at, created_at, description, details)
SELECT id, 'moved', 'bench', id::text,
       ledger_request_hash('moved', NULL, ARRAY['bench-bank', code], ARRAY['USD', 'USD'], ARRAY[-1, 1]),
       2, at, at, '', '{{}}' FROM past;
WITH account AS (SELECT code, id FROM ledger_account),
leg AS (
    SELECT id, 1 AS position, 'bench-bank' AS code, place AS sequence, -1 AS amount, -place AS after, at FROM past
    UNION ALL
    SELECT id, 2, code, number, 1, number, at FROM past)
INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence, currency, amount_minor,
                          balance_after_minor, created_at)
SELECT leg.id, position, account.id, 0, sequence, 'USD', amount, after, at FROM leg JOIN account USING (code)
 ORDER BY at, position;
UPDATE ledger_balance balance
   SET balance_minor = entry.total, sequence = entry.count, recorded_at = entry.at,
       credits_minor = greatest(entry.total, 0), debits_minor = greatest(-entry.total, 0)
  FROM (SELECT account_id, sum(amount_minor) AS total, count(*), max(created_at) AS at
          FROM ledger_entry GROUP BY account_id) entry
 WHERE entry.account_id = balance.account_id;
RESET ledger.writer;

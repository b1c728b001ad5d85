-- Accounts to post to, and copies of the ledger's tables with the same columns and indexes, but without checks and
-- triggers, and with the same fill factor of the balances.
SET ledger.writer = 'ledger_post';
INSERT INTO ledger_account (code, currency, floor_minor, shards)
SELECT 'bench-held:' || number, 'USD', 0, 1 FROM generate_series(1, 10000) number UNION ALL
SELECT 'bench-payee:' || number, 'USD', 0, 1 FROM generate_series(1, 10000) number UNION ALL
SELECT 'bench-fees:' || number, 'USD', NULL, 1 FROM generate_series(0, 31) number UNION ALL
SELECT 'bench-fees', 'USD', NULL, 32 UNION ALL
SELECT 'bench-bank', 'USD', NULL, 1;
INSERT INTO ledger_balance (account_id, shard, floor_minor)
SELECT id, shard, floor_minor FROM ledger_account, generate_series(0, shards - 1) shard
 WHERE code LIKE 'bench-%' ORDER BY id, shard;
RESET ledger.writer;

-- Every held account gets enough money for all releases, a thousand accounts per posting.
SELECT count(ledger_post('funded', 'bench', 'fund:' || batch, now(), '', '{}', NULL,
                         array_append(codes, 'bench-bank'), array_fill('USD'::text, ARRAY[1001]),
                         array_append(array_fill(0::bigint, ARRAY[1000]), NULL),
                         array_fill(1::smallint, ARRAY[1001]),
                         array_append(array_fill(1000000000000, ARRAY[1000]), -1000000000000000)))
  FROM (SELECT number / 1000 AS batch, array_agg('bench-held:' || number + 1) AS codes
          FROM generate_series(0, 9999) number GROUP BY number / 1000) batches;

CREATE TABLE bench_transaction (LIKE ledger_transaction INCLUDING INDEXES);
CREATE TABLE bench_entry (LIKE ledger_entry INCLUDING INDEXES);
CREATE TABLE bench_balance (LIKE ledger_balance INCLUDING INDEXES) WITH (fillfactor = 50);
INSERT INTO bench_balance SELECT * FROM ledger_balance ORDER BY account_id, shard;

-- Postings as ledger_post would have written them, in bulk: :postings of them, {first} to {last}. Each story has five,
-- with eleven entries: funded, released, settled, reserved and paid out, in accounts of its own and of one of
-- {people} payees. The headers' ids are in the order of their times, which end before now.
SET ledger.writer = 'ledger_post';
SET session_replication_role = replica;
SET work_mem = '128MB';
ALTER TABLE ledger_transaction DISABLE TRIGGER has_legs;
ALTER TABLE ledger_entry DISABLE TRIGGER whole_and_balanced;

CREATE TEMPORARY TABLE leg AS
SELECT story, step, position, code, CASE WHEN shards > 1 THEN NULL ELSE 0 END AS floor_minor, shards, amount
  FROM generate_series({first}, {last}) AS story CROSS JOIN LATERAL (VALUES
       (1, 1, 'bench-bank', 32, -10000), (1, 2, 'bench-held:' || story, 1, 10000),
       (2, 1, 'bench-held:' || story, 1, -10000), (2, 2, 'bench-pending:' || story % {people}, 1, 8500),
       (2, 3, 'bench-fees', 32, 1500),
       (3, 1, 'bench-pending:' || story % {people}, 1, -8500), (3, 2, 'bench-available:' || story % {people}, 1, 8500),
       (4, 1, 'bench-available:' || story % {people}, 1, -8500), (4, 2, 'bench-paying:' || story % {people}, 1, 8500),
       (5, 1, 'bench-paying:' || story % {people}, 1, -8500), (5, 2, 'bench-bank', 32, 8500)
       ) AS planned (step, position, code, shards, amount);
INSERT INTO ledger_account (code, currency, floor_minor, shards)
SELECT DISTINCT code, 'USD', floor_minor, shards FROM leg ON CONFLICT DO NOTHING;
INSERT INTO ledger_balance (account_id, shard, floor_minor)
SELECT id, shard, floor_minor FROM ledger_account, generate_series(0, shards - 1) AS shard ON CONFLICT DO NOTHING;

-- The time of a posting is also in its id (UUID version 7).
CREATE TEMPORARY TABLE posting AS
SELECT story, step, at, hash, legs,
       encode(set_byte(set_byte(overlay(uuid_send(gen_random_uuid()) PLACING
           substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
           6, 112), 8, 128), 'hex')::uuid AS id
  FROM (SELECT story, step, count(*) AS legs, timestamptz '2026-01-01' + (story * 5 + step) * interval '2 ms' AS at,
               ledger_request_hash('step ' || step, NULL, array_agg(code ORDER BY position),
                   array_agg('USD'::text ORDER BY position), array_agg(amount::bigint ORDER BY position)) AS hash
          FROM leg GROUP BY story, step) made;
INSERT INTO ledger_transaction
       (id, kind, scope, key, request_hash, legs, effective_at, created_at, description, details)
SELECT id, 'step ' || step, 'bench', story || ':' || step, hash, legs, at, at, '', '{{}}' FROM posting ORDER BY at;
INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence, currency, amount_minor,
                          balance_after_minor, created_at)
SELECT id, position, account_id, shard, earlier + row_number() OVER before, 'USD', amount,
       opening + sum(amount) OVER before, at
  FROM (SELECT posting.id, position, account.id AS account_id, balance.shard, amount, at,
               balance.sequence AS earlier, balance.balance_minor AS opening
          FROM leg JOIN posting USING (story, step)
          JOIN ledger_account account ON account.code = leg.code AND account.currency = 'USD'
          JOIN ledger_balance balance ON balance.account_id = account.id AND balance.shard = story % account.shards) legs
WINDOW before AS (PARTITION BY account_id, shard ORDER BY at ROWS UNBOUNDED PRECEDING)
 ORDER BY at, position;
UPDATE ledger_balance balance
   SET debits_minor = moved.debits, credits_minor = moved.credits, balance_minor = moved.credits - moved.debits,
       sequence = moved.entries, recorded_at = moved.at
  FROM (SELECT account_id, shard, count(*) AS entries, max(created_at) AS at,
               coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)::bigint AS debits,
               coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0)::bigint AS credits
          FROM ledger_entry GROUP BY account_id, shard) moved
 WHERE balance.account_id = moved.account_id AND balance.shard = moved.shard;
DROP TABLE leg, posting;
ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER has_legs;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER whole_and_balanced;
RESET work_mem;
RESET session_replication_role;
RESET ledger.writer;

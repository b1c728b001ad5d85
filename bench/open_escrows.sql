-- Open escrows of a client and a freelancer, inserted directly into the tables, as the application would have
-- written them once they are funded. The table `wanted` has one row: client_id, freelancer_id and escrows.

-- Existing entries must stay older: these begin where the last ones ended.
-- Foreign keys and deferred checks would check every row; the ledger is checked as a whole afterwards.
SET LOCAL session_replication_role = replica;
SET LOCAL ledger.writer = 'ledger_post';
ALTER TABLE ledger_transaction DISABLE TRIGGER has_legs;
ALTER TABLE ledger_entry DISABLE TRIGGER whole_and_balanced;

CREATE TEMPORARY TABLE opened ON COMMIT DROP AS
SELECT n, client_id, freelancer_id, 1000 + 100 * (n % 90) AS total, 150 + 15 * (n % 90) AS fee, now() AS at,
       n + (SELECT coalesce(max(id), 0) FROM payments_agreement) AS agreement_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_milestone) AS milestone_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_escrow) AS escrow_id
  FROM wanted, generate_series(1, escrows::bigint) AS n;

INSERT INTO payments_agreement
       (id, public_id, payer_id, payee_id, title, reference, link, provider, currency, fee_basis_points,
        auto_release_days, refund_answer_days, share_step, route, created_at)
SELECT agreement_id, gen_random_uuid(), client_id, freelancer_id, 'Order ' || n, 'order:' || agreement_id,
       '/orders/' || n || '/', 'stripe', 'USD', 1500, 14, 7, 1, 'connected', at
  FROM opened;

INSERT INTO payments_milestone
       (id, public_id, agreement_id, position, title, amount_minor, state, created_at, completed_at)
SELECT milestone_id, gen_random_uuid(), agreement_id, 1, 'Order ' || n, total,
       (ARRAY['funded', 'started', 'delivered', 'completed'])[1 + n % 4], at, CASE WHEN n % 4 = 3 THEN at END
  FROM opened;

INSERT INTO payments_escrow
       (id, public_id, agreement_id, milestone_id, client_id, freelancer_id, provider, provider_payment_id, currency,
        total_minor, fee_basis_points, fee_minor, freelancer_minor, share_step, route,
        auto_release_days, refund_answer_days,
        released_minor, released_fee_minor, refunded_minor, charged_back_minor, returned_minor, netted_minor,
        contested_minor, reclaimed_minor, reclaimed_fee_minor, state, created_at, funded_at, dispute_reason, release_key)
SELECT escrow_id, gen_random_uuid(), agreement_id, milestone_id, client_id, freelancer_id, 'stripe',
       'pi_bench_' || escrow_id, 'USD', total, 1500, fee, total - fee, 1, 'connected', 14, 7,
       0, 0, 0, 0, 0, 0, 0, 0, 0, 'funded', at, at, '', ''
  FROM opened;

INSERT INTO payments_escrowedtotal AS kept (user_id, currency, amount_minor)
SELECT user_id, 'USD', sum(total)
  FROM (SELECT client_id AS user_id, total FROM opened UNION ALL SELECT freelancer_id, total FROM opened) AS sides
 GROUP BY user_id
    ON CONFLICT (user_id, currency) DO UPDATE SET amount_minor = kept.amount_minor + excluded.amount_minor;

SELECT setval(pg_get_serial_sequence('payments_agreement', 'id'), max(agreement_id)),
       setval(pg_get_serial_sequence('payments_milestone', 'id'), max(milestone_id)),
       setval(pg_get_serial_sequence('payments_escrow', 'id'), max(escrow_id))
  FROM opened;

-- The ledger. The shared account may exist already.
INSERT INTO ledger_account (code, currency, floor_minor, shards)
VALUES ('provider:stripe:balance', 'USD', NULL, 32)
    ON CONFLICT (code, currency) DO NOTHING;
INSERT INTO ledger_account (code, currency, floor_minor, shards)
SELECT 'escrow:' || escrow_id, 'USD', 0, 1 FROM opened;
INSERT INTO ledger_balance (account_id, shard, floor_minor)
SELECT account.id, shard, floor_minor FROM ledger_account account, generate_series(0, shards - 1) AS shard
    ON CONFLICT DO NOTHING;

CREATE TEMPORARY TABLE leg ON COMMIT DROP AS
SELECT n, position, planned.code, amount, account.id AS account_id, (n % account.shards)::smallint AS shard
  FROM opened CROSS JOIN LATERAL (VALUES
       (1, 'provider:stripe:balance', -total), (2, 'escrow:' || escrow_id, total)) AS planned (position, code, amount)
  JOIN ledger_account account ON account.code = planned.code AND account.currency = 'USD';

CREATE TEMPORARY TABLE posting ON COMMIT DROP AS
SELECT ledger_new_id() AS id, n, at, 'escrow:' || escrow_id || ':escrow_funded' AS key, hash
  FROM opened
  JOIN (SELECT n, ledger_request_hash('escrow_funded', NULL, array_agg(code ORDER BY position),
                      array_agg('USD'::text ORDER BY position), array_agg(amount ORDER BY position)) AS hash
          FROM leg GROUP BY n) AS posted USING (n)
 ORDER BY n;

INSERT INTO ledger_transaction
       (id, kind, scope, key, request_hash, legs, effective_at, created_at, description, details)
SELECT id, 'escrow_funded', 'payments', key, hash, 2, at, at, 'Written by a benchmark', '{}' FROM posting ORDER BY n;

INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence, currency, amount_minor,
                          balance_after_minor, created_at)
SELECT posting.id, position, account_id, leg.shard,
       balance.sequence + row_number() OVER earlier, 'USD', amount,
       balance.balance_minor + sum(amount) OVER earlier, at
  FROM leg JOIN posting USING (n) JOIN ledger_balance balance USING (account_id, shard)
WINDOW earlier AS (PARTITION BY account_id, shard ORDER BY n ROWS UNBOUNDED PRECEDING);

UPDATE ledger_balance balance
   SET debits_minor = debits_minor + debited, credits_minor = credits_minor + credited,
       balance_minor = balance_minor + credited - debited, sequence = sequence + entries, recorded_at = latest
  FROM (SELECT account_id, shard, count(*) AS entries, max(at) AS latest,
               coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint AS debited,
               coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint AS credited
          FROM leg JOIN posting USING (n)
         GROUP BY account_id, shard) AS moved
 WHERE balance.account_id = moved.account_id AND balance.shard = moved.shard;

ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER has_legs;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER whole_and_balanced;

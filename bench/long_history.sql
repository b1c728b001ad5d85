-- The history of a freelancer, inserted directly into the tables, since it would take too long through the API.
-- The table `past` has one row: client_id, freelancer_id and escrows, the number of escrows to create. Each escrow is
-- funded and released, and every second one settled, so that n escrows make 2n rows of history and 2n entries
-- on the freelancer's own accounts, as the application would have written them.

-- Existing entries must stay older: this history begins where the last one ended.
-- Foreign keys and deferred checks would check every row; the ledger is checked as a whole afterwards.
SET LOCAL session_replication_role = replica;
SET LOCAL ledger.writer = 'ledger_post';
SET LOCAL work_mem = '256MB';
SET LOCAL maintenance_work_mem = '256MB';
ALTER TABLE ledger_transaction DISABLE TRIGGER has_legs;
ALTER TABLE ledger_entry DISABLE TRIGGER whole_and_balanced;
ALTER TABLE payments_historyrow ENABLE ALWAYS TRIGGER payments_history_added;
ALTER TABLE payments_historyrow ENABLE ALWAYS TRIGGER payments_history_words;

-- Creating the indexes afterwards is cheaper than updating them for each row.
CREATE TEMPORARY TABLE set_aside ON COMMIT DROP AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index
 WHERE NOT indisunique AND indrelid IN (
       'payments_historyrow'::regclass, 'payments_escrow'::regclass,
       'marketplace_task'::regclass, 'marketplace_application'::regclass,
       'payments_agreement'::regclass);
DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || string_agg(name, ', ') FROM set_aside); END $$;

CREATE TEMPORARY TABLE plan ON COMMIT DROP AS
SELECT n, client_id, freelancer_id, n % 2 = 0 AS settled,
       1000 + 100 * (n % 90) AS total, 150 + 15 * (n % 90) AS fee,  -- exactly 15 percent
       began_at + (now() - began_at) / (escrows + 1) * n AS at, (now() - began_at) / (escrows + 1) / 4 AS pause,
       n + (SELECT coalesce(max(id), 0) FROM marketplace_task) AS task_id,
       n + (SELECT coalesce(max(id), 0) FROM marketplace_application) AS application_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_agreement) AS agreement_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_milestone) AS milestone_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_escrow) AS escrow_id
  FROM past, generate_series(1, escrows::bigint) AS n,
       (SELECT coalesce(max(created_at), now() - interval '1 year') AS began_at FROM ledger_transaction) AS books;
ANALYZE plan;

INSERT INTO marketplace_application
       (id, task_id, freelancer_id, amount_minor, cover_letter, status, created_at, decided_at)
SELECT application_id, task_id, freelancer_id, total, '', 'accepted', at, at FROM plan;

INSERT INTO payments_agreement
       (id, public_id, payer_id, payee_id, title, reference, link, provider, currency, fee_basis_points,
        auto_release_days, refund_answer_days, share_step, route, created_at)
SELECT agreement_id, gen_random_uuid(), client_id, freelancer_id, 'Task ' || n, 'task:' || task_id,
       '/tasks/' || task_id || '/payment/', 'stripe', 'USD', 1500, 14, 7, 1, 'connected', at
  FROM plan;

INSERT INTO payments_milestone
       (id, public_id, agreement_id, position, title, amount_minor, state, created_at, completed_at)
SELECT milestone_id, gen_random_uuid(), agreement_id, 1, 'Task ' || n, total, 'completed', at, at FROM plan;

INSERT INTO marketplace_task
       (id, client_id, freelancer_id, accepted_application_id, agreement_id, title, description, budget_minor, currency,
        state, created_at, assigned_at)
SELECT task_id, client_id, freelancer_id, application_id, agreement_id, 'Task ' || n, 'One of many.', total, 'USD',
       'assigned', at, at
  FROM plan;

INSERT INTO payments_escrow
       (id, public_id, agreement_id, milestone_id, client_id, freelancer_id, provider, provider_payment_id, currency,
        total_minor, fee_basis_points, fee_minor, freelancer_minor, share_step, route,
        auto_release_days, refund_answer_days,
        released_minor, released_fee_minor, refunded_minor, charged_back_minor, returned_minor, netted_minor,
        contested_minor, reclaimed_minor, reclaimed_fee_minor, state, created_at, funded_at, released_at,
        made_available_at, dispute_reason, release_key)
SELECT escrow_id, gen_random_uuid(), agreement_id, milestone_id, client_id, freelancer_id, 'stripe',
       'pi_bench_' || escrow_id, 'USD', total, 1500, fee, total - fee, 1, 'connected', 14, 7,
       total, fee, 0, 0, 0, 0, 0, 0, 0, 'released', at, at, at,
       CASE WHEN settled THEN at END, '', ''
  FROM plan;

-- A few old rows have rare kinds, so that searching for them from the newest row on reads many rows.
INSERT INTO payments_historyrow
       (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency, reference, description,
        created_at, processed_at, failure_reason)
SELECT gen_random_uuid(), freelancer_id, kind, status, direction, 5000, 0, currency, kind || ':long ago:' || number,
       'Long ago', now() - interval '2 years', now() - interval '2 years', ''
  FROM past, generate_series(1, 5) AS number, (VALUES
       ('withdrawal', 'failed', 'out', 'USD'), ('escrow_release', 'completed', 'in', 'EUR'),
       ('platform_fee', 'cancelled', 'out', 'USD')) AS rare (kind, status, direction, currency);

INSERT INTO payments_historyrow
       (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency, escrow_id, sender_id,
        recipient_id, reference, description, created_at, processed_at, failure_reason)
SELECT gen_random_uuid(), freelancer_id, kind, 'completed', direction, amount, taken, 'USD', escrow_id,
       sender, recipient, 'escrow:' || escrow_id || ending, words || n || '”', at, at, ''
  FROM plan CROSS JOIN LATERAL (VALUES
       ('escrow_release', 'in', total, fee, client_id, freelancer_id, ':release', 'Earned for “Task '),
       ('platform_fee', 'out', fee, 0, freelancer_id, NULL, ':fee', 'Platform fee for “Task ')
       ) AS line (kind, direction, amount, taken, sender, recipient, ending, words)
 ORDER BY n, ending DESC;

SELECT setval(pg_get_serial_sequence('marketplace_task', 'id'), max(task_id)),
       setval(pg_get_serial_sequence('marketplace_application', 'id'), max(application_id)),
       setval(pg_get_serial_sequence('payments_agreement', 'id'), max(agreement_id)),
       setval(pg_get_serial_sequence('payments_milestone', 'id'), max(milestone_id)),
       setval(pg_get_serial_sequence('payments_escrow', 'id'), max(escrow_id))
  FROM plan;

-- The ledger. The shared accounts may exist already, from the history of another person.
INSERT INTO ledger_account (code, currency, floor_minor, shards)
SELECT code, 'USD', floor_minor, shards
  FROM past CROSS JOIN LATERAL (VALUES
       ('user:' || freelancer_id || ':pending', 0, 1), ('user:' || freelancer_id || ':available', 0, 1),
       ('platform:fees', NULL, 32), ('provider:stripe:balance', NULL, 32)) AS account (code, floor_minor, shards)
 UNION ALL
SELECT 'escrow:' || escrow_id, 'USD', 0, 1 FROM plan
    ON CONFLICT (code, currency) DO NOTHING;
INSERT INTO ledger_balance (account_id, shard, floor_minor)
SELECT account.id, shard, floor_minor FROM ledger_account account, generate_series(0, shards - 1) AS shard
    ON CONFLICT DO NOTHING;

CREATE TEMPORARY TABLE leg ON COMMIT DROP AS
SELECT n, step, position, planned.code, amount, account.id AS account_id, (n % account.shards)::smallint AS shard
  FROM plan CROSS JOIN LATERAL (VALUES
       (1, 1, 'provider:stripe:balance', -total), (1, 2, 'escrow:' || escrow_id, total),
       (2, 1, 'escrow:' || escrow_id, -total), (2, 2, 'user:' || freelancer_id || ':pending', total - fee),
       (2, 3, 'platform:fees', fee),
       (3, 1, 'user:' || freelancer_id || ':pending', -(total - fee)),
       (3, 2, 'user:' || freelancer_id || ':available', total - fee)
       ) AS planned (step, position, code, amount)
  JOIN ledger_account account ON account.code = planned.code AND account.currency = 'USD'
 WHERE step < 3 OR settled;

CREATE TEMPORARY TABLE posting ON COMMIT DROP AS
SELECT ledger_new_id() AS id, n, step, kind, legs, at + step * pause AS at,
       'escrow:' || escrow_id || ':' || kind AS key, hash
  FROM plan
  JOIN (SELECT n, step, count(*) AS legs, (ARRAY['escrow_funded', 'escrow_released', 'settled'])[step] AS kind,
               ledger_request_hash((ARRAY['escrow_funded', 'escrow_released', 'settled'])[step], NULL,
                   array_agg(code ORDER BY position), array_agg('USD'::text ORDER BY position),
                   array_agg(amount ORDER BY position)) AS hash
          FROM leg GROUP BY n, step) AS posted USING (n)
 ORDER BY n, step;

INSERT INTO ledger_transaction
       (id, kind, scope, key, request_hash, legs, effective_at, created_at, description, details)
SELECT id, kind, 'payments', key, hash, legs, at, at, 'Written by a benchmark', '{}' FROM posting ORDER BY n, step;

INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence, currency, amount_minor,
                          balance_after_minor, created_at)
SELECT posting.id, position, account_id, leg.shard,
       balance.sequence + row_number() OVER earlier, 'USD', amount,
       balance.balance_minor + sum(amount) OVER earlier, at
  FROM leg JOIN posting USING (n, step) JOIN ledger_balance balance USING (account_id, shard)
WINDOW earlier AS (PARTITION BY account_id, shard ORDER BY n, step ROWS UNBOUNDED PRECEDING);

UPDATE ledger_balance balance
   SET debits_minor = debits_minor + debited, credits_minor = credits_minor + credited,
       balance_minor = balance_minor + credited - debited, sequence = sequence + entries, recorded_at = latest
  FROM (SELECT account_id, shard, count(*) AS entries, max(at) AS latest,
               coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint AS debited,
               coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint AS credited
          FROM leg JOIN posting USING (n, step)
         GROUP BY account_id, shard) AS moved
 WHERE balance.account_id = moved.account_id AND balance.shard = moved.shard;

DO $$ BEGIN EXECUTE (SELECT string_agg(definition, '; ') FROM set_aside); END $$;
ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER has_legs;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER whole_and_balanced;
ALTER TABLE payments_historyrow ENABLE TRIGGER payments_history_added;
ALTER TABLE payments_historyrow ENABLE TRIGGER payments_history_words;

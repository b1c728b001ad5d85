-- Completed escrows that can be released, and available money that can be withdrawn, inserted directly into the tables,
-- since it would take too long through the API. The table `pairs` has one row for each client with a freelancer:
-- number, client_id and freelancer_id; `escrows` is how many escrows wait between each two of them. Each freelancer
-- has a payout account and the earnings of one large escrow.

CREATE TEMPORARY TABLE plan ON COMMIT DROP AS
SELECT n, client_id, freelancer_id, n = 0 AS settled,
       CASE WHEN n = 0 THEN 5000000 ELSE 8500 END::bigint AS total,
       CASE WHEN n = 0 THEN 750000 ELSE 1275 END::bigint AS fee,
       row_number() OVER (ORDER BY n, number) + (SELECT coalesce(max(id), 0) FROM payments_agreement) AS agreement_id,
       row_number() OVER (ORDER BY n, number) + (SELECT coalesce(max(id), 0) FROM payments_milestone) AS milestone_id,
       row_number() OVER (ORDER BY n, number) + (SELECT coalesce(max(id), 0) FROM payments_escrow) AS escrow_id,
       row_number() OVER (ORDER BY n, number) + (SELECT coalesce(max(id), 0) FROM payments_payment) AS payment_id
  FROM pairs, LATERAL generate_series(0, escrows) AS n;

INSERT INTO payments_connectedaccount
       (user_id, provider, provider_account_id, country, currency, charges_enabled, payouts_enabled, transfers_enabled,
        details_submitted, requirements, bank_currencies, disabled_reason, closed, rejection, created_at, updated_at)
SELECT freelancer_id, 'stripe', 'acct_bench' || freelancer_id, 'US', 'USD', true, true, true, true, '{}', '{USD}',
       '', false, '', now(), now()
  FROM pairs;

INSERT INTO payments_agreement
       (id, public_id, payer_id, payee_id, title, reference, link, provider, currency, fee_basis_points,
        auto_release_days, refund_answer_days, share_step, route, created_at)
SELECT agreement_id, gen_random_uuid(), client_id, freelancer_id, 'Draw a logo, number ' || n, 'bench:' || agreement_id,
       '', 'stripe', 'USD', 1500, 14, 7, 1, 'connected', now()
  FROM plan;

INSERT INTO payments_milestone
       (id, public_id, agreement_id, position, title, amount_minor, state, created_at, completed_at)
SELECT milestone_id, gen_random_uuid(), agreement_id, 1, 'Draw a logo, number ' || n, total, 'completed', now(), now()
  FROM plan;

INSERT INTO payments_escrow
       (id, public_id, agreement_id, milestone_id, client_id, freelancer_id, provider, provider_payment_id, currency,
        total_minor, fee_basis_points, fee_minor, freelancer_minor, share_step, route,
        auto_release_days, refund_answer_days,
        released_minor, released_fee_minor, refunded_minor, charged_back_minor, returned_minor, netted_minor,
        contested_minor, reclaimed_minor, reclaimed_fee_minor, state, created_at, funded_at, auto_release_at,
        released_at, made_available_at, dispute_reason, release_key)
SELECT escrow_id, gen_random_uuid(), agreement_id, milestone_id, client_id, freelancer_id, 'stripe',
       'pi_bench_' || escrow_id, 'USD', total, 1500, fee, total - fee, 1, 'connected', 14, 7,
       CASE WHEN settled THEN total ELSE 0 END, CASE WHEN settled THEN fee ELSE 0 END, 0, 0, 0, 0, 0, 0, 0,
       CASE WHEN settled THEN 'released' ELSE 'funded' END, now(), now(), now() + interval '14 days',
       CASE WHEN settled THEN now() END, CASE WHEN settled THEN now() END, '', ''
  FROM plan;

INSERT INTO payments_payment
       (id, escrow_id, provider, provider_payment_id, payer_token, provider_collection_id, amount_minor, currency, state,
        provider_status, received_minor, received_currency, fee_currency, available_at, failure_code, failure_reason,
        review_reason, is_refundable, created_at, succeeded_at)
SELECT payment_id, escrow_id, 'stripe', 'pi_bench_' || escrow_id, '', 'ch_bench_' || escrow_id, total, 'USD',
       'succeeded', 'succeeded', total, 'USD', '', now(), '', '', '', true, now(), now()
  FROM plan;

INSERT INTO payments_historyrow
       (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency, escrow_id, sender_id,
        recipient_id, reference, description, created_at, processed_at, failure_reason)
SELECT gen_random_uuid(), client_id, 'escrow_deposit', 'completed', 'out', total, 0, 'USD', escrow_id,
       client_id, freelancer_id, 'payment:' || payment_id, 'Payment into escrow', now(), now(), ''
  FROM plan;

INSERT INTO payments_historyrow
       (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency, escrow_id, sender_id,
        recipient_id, reference, description, created_at, processed_at, failure_reason)
SELECT gen_random_uuid(), user_id, kind, 'completed', direction, amount, taken, 'USD', escrow_id, client_id,
       freelancer_id, 'escrow:' || escrow_id || ending, 'Released', now(), now(), ''
  FROM plan CROSS JOIN LATERAL (VALUES
       (client_id, 'escrow_release', 'neutral', total, fee, ':release'),
       (freelancer_id, 'escrow_release', 'in', total, fee, ':release'),
       (freelancer_id, 'platform_fee', 'out', fee, 0, ':fee')
       ) AS line (user_id, kind, direction, amount, taken, ending)
 WHERE settled;

INSERT INTO payments_auditevent
       (event, at, actor_id, actor_role, actor_label, request_id, escrow_id, amount_minor, currency, note, details)
SELECT event, now(), client_id, 'client', 'bench', '', escrow_id, total, 'USD', '', '{}'
  FROM plan, unnest(ARRAY['payment_started', 'funded', 'completed']) AS event;

SELECT setval(pg_get_serial_sequence('payments_agreement', 'id'), max(agreement_id)),
       setval(pg_get_serial_sequence('payments_milestone', 'id'), max(milestone_id)),
       setval(pg_get_serial_sequence('payments_escrow', 'id'), max(escrow_id)),
       setval(pg_get_serial_sequence('payments_payment', 'id'), max(payment_id))
  FROM plan;

SELECT count(ledger_post('escrow_funded', 'payments', 'payment:' || payment_id || ':received', now(),
           'Written by a benchmark', '{}', NULL,
           ARRAY['provider:stripe:balance', 'escrow:' || escrow_id], ARRAY['USD', 'USD'], ARRAY[NULL, 0]::bigint[],
           ARRAY[32, 1]::smallint[], ARRAY[-total, total]))
  FROM plan;
SELECT count(ledger_post('escrow_released', 'payments', 'escrow:' || escrow_id || ':released', now(),
           'Written by a benchmark', '{}', NULL,
           ARRAY['escrow:' || escrow_id, 'user:' || freelancer_id || ':pending', 'platform:fees'],
           ARRAY['USD', 'USD', 'USD'], ARRAY[0, 0, NULL]::bigint[], ARRAY[1, 1, 32]::smallint[],
           ARRAY[-total, total - fee, fee]))
  FROM plan WHERE settled;
SELECT count(ledger_post('settled', 'payments', 'escrow:' || escrow_id || ':settled', now(),
           'Written by a benchmark', '{}', NULL,
           ARRAY['user:' || freelancer_id || ':pending', 'user:' || freelancer_id || ':available'],
           ARRAY['USD', 'USD'], ARRAY[0, 0]::bigint[], ARRAY[1, 1]::smallint[], ARRAY[-(total - fee), total - fee]))
  FROM plan WHERE settled;

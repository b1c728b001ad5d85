-- Work for the worker, as the application would have written it: escrows whose payment still has to be created at
-- the provider, each with its operation and its job. The table `work` has one row: client_id, freelancer_id,
-- customer_id (the provider's) and number, the number of escrows to create.

SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;

CREATE TEMPORARY TABLE plan ON COMMIT DROP AS
SELECT n, client_id, freelancer_id, customer_id, now() AS at,
       n + (SELECT coalesce(max(id), 0) FROM marketplace_task) AS task_id,
       n + (SELECT coalesce(max(id), 0) FROM marketplace_application) AS application_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_agreement) AS agreement_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_milestone) AS milestone_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_escrow) AS escrow_id,
       n + (SELECT coalesce(max(id), 0) FROM payments_payment) AS payment_id
  FROM work, generate_series(1, number::bigint) AS n;

INSERT INTO marketplace_application
       (id, task_id, freelancer_id, amount_minor, cover_letter, status, created_at, decided_at)
SELECT application_id, task_id, freelancer_id, 10000, '', 'accepted', at, at FROM plan;

INSERT INTO payments_agreement
       (id, public_id, payer_id, payee_id, title, reference, link, provider, currency, fee_basis_points,
        auto_release_days, refund_answer_days, share_step, route, created_at)
SELECT agreement_id, gen_random_uuid(), client_id, freelancer_id, 'Draw a logo', 'task:' || task_id,
       '/tasks/' || task_id || '/payment/', 'stripe', 'USD', 1500, 14, 7, 1, 'connected', at
  FROM plan;

INSERT INTO payments_milestone
       (id, public_id, agreement_id, position, title, amount_minor, state, created_at, completed_at)
SELECT milestone_id, gen_random_uuid(), agreement_id, 1, 'Draw a logo', 10000, 'agreed', at, NULL FROM plan;

INSERT INTO marketplace_task
       (id, client_id, freelancer_id, accepted_application_id, agreement_id, title, description, budget_minor, currency,
        state, created_at, assigned_at)
SELECT task_id, client_id, freelancer_id, application_id, agreement_id, 'Draw a logo', 'Round.', 10000, 'USD',
       'assigned', at, at
  FROM plan;

INSERT INTO payments_escrow
       (id, public_id, agreement_id, milestone_id, client_id, freelancer_id, provider, provider_payment_id, currency,
        total_minor, fee_basis_points, fee_minor, freelancer_minor, share_step, route, auto_release_days, refund_answer_days,
        released_minor, released_fee_minor, refunded_minor, charged_back_minor, returned_minor, netted_minor,
        contested_minor, reclaimed_minor, reclaimed_fee_minor, state, created_at, dispute_reason, release_key)
SELECT escrow_id, gen_random_uuid(), agreement_id, milestone_id, client_id, freelancer_id, 'stripe', '', 'USD', 10000,
       1500, 1500, 8500, 1, 'connected', 14, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'pending_payment', at, '', ''
  FROM plan;

INSERT INTO payments_payment
       (id, escrow_id, provider, payer_token, provider_collection_id, amount_minor, currency, state, provider_status,
        received_minor, received_currency, fee_currency, failure_code, failure_reason, review_reason, is_refundable, created_at)
SELECT payment_id, escrow_id, 'stripe', '', '', 10000, 'USD', 'pending', '', 0, '', '', '', '', '', true, at FROM plan;

SELECT setval(pg_get_serial_sequence('marketplace_task', 'id'), max(task_id)),
       setval(pg_get_serial_sequence('marketplace_application', 'id'), max(application_id)),
       setval(pg_get_serial_sequence('payments_agreement', 'id'), max(agreement_id)),
       setval(pg_get_serial_sequence('payments_milestone', 'id'), max(milestone_id)),
       setval(pg_get_serial_sequence('payments_escrow', 'id'), max(escrow_id)),
       setval(pg_get_serial_sequence('payments_payment', 'id'), max(payment_id))
  FROM plan;

SET LOCAL session_replication_role = origin;
WITH made AS (
    INSERT INTO payments_operation
           (kind, subject_id, sequence, escrow_id, provider, arguments, generation, is_uncertain, state, hold, attempts,
            provider_reference, last_error_code, last_error, created_at, next_attempt_at)
    SELECT 'create_payment', payment_id, 1, escrow_id, 'stripe',
           jsonb_build_object('amount_minor', 10000, 'currency', 'USD', 'customer', (SELECT customer.id FROM payments_customer customer
                                            WHERE customer.provider_customer_id = plan.customer_id),
                              'description', 'Escrow for “Draw a logo”'),
           1, false, 'pending', '', 0, '', '', '', at, at + interval '1 hour'
      FROM plan
    RETURNING id
)
SELECT procrastinate_defer_jobs_v1(array_agg(
       ROW('operations', 'perform_operation', 0, NULL, NULL, jsonb_build_object('operation_id', id), NULL)
       ::procrastinate_job_to_defer_v1)) FROM made;

-- What commands write beside their own rows, in one call each. Rows come as JSON, in the order in which they are to be
-- inserted. The caller holds the locks of `authorization/locks.py`, and posts to the ledger afterwards.

-- Inserts rows of the history, as `books.history.row` returns them, sorted by user. A row that brings the words of its
-- description needs only those of its agreement's title; the trigger in search.sql finds the words of the others.
CREATE FUNCTION payments_write_history(p_rows jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_historyrow
           (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency, escrow_id, refund_id,
            withdrawal_id, sender_id, recipient_id, reference, description, created_at, processed_at, failure_reason,
            search)
    SELECT gen_random_uuid(), user_id, type, status, direction, amount_minor, fee_minor, currency, escrow_id, refund_id,
           withdrawal_id, sender_id, recipient_id, reference, description, created_at, processed_at, '',
           CASE WHEN words IS NOT NULL THEN array_to_tsvector(
                ARRAY(SELECT user_id || ':' || word
                        FROM unnest(words || tsvector_to_array((
                             SELECT agreement.search FROM payments_agreement agreement WHERE agreement.id =
                                    (SELECT agreement_id FROM payments_escrow WHERE id = line.escrow_id)))) AS word)
                || (user_id || ':=' || amount_minor || currency)) END
      FROM jsonb_to_recordset(p_rows) AS line
           (user_id bigint, type text, status text, direction text, amount_minor bigint, fee_minor bigint,
            currency text, escrow_id bigint, refund_id bigint, withdrawal_id bigint, sender_id bigint,
            recipient_id bigint, reference text, description text, created_at timestamptz, processed_at timestamptz,
            words text[])
        ON CONFLICT DO NOTHING;
END $$;

-- Inserts audit events of one moment, as `books.audit.values` returns them.
CREATE FUNCTION payments_write_audit(p_at timestamptz, p_events jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_auditevent
           (event, at, actor_id, actor_role, actor_label, ip, request_id, escrow_id, user_id, withdrawal_id,
            amount_minor, currency, note, details)
    SELECT event, p_at, actor_id, actor_role, actor_label, ip, request_id, escrow_id, user_id, withdrawal_id,
           amount_minor, currency, note, details
      FROM jsonb_to_recordset(p_events) AS line
           (event text, actor_id bigint, actor_role text, actor_label text, ip inet, request_id text,
            escrow_id bigint, user_id bigint, withdrawal_id bigint, amount_minor bigint, currency text, note text,
            details jsonb);
END $$;

-- Inserts an operation, as `operations.queue.first_operation` returns it, with the job that performs it, as procrastinate
-- queues it; returns its id.
CREATE FUNCTION payments_write_operation(p_operation jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    INSERT INTO payments_operation
           (kind, subject_id, sequence, escrow_id, user_id, provider, arguments, created_at, next_attempt_at,
            generation, state, hold, attempts, is_uncertain, provider_reference, last_error_code, last_error)
    SELECT kind, subject_id, sequence, escrow_id, user_id, provider, arguments, created_at, created_at,
           1, 'pending', '', 0, false, '', '', ''
      FROM jsonb_to_record(p_operation) AS line
           (kind text, subject_id bigint, sequence smallint, escrow_id bigint, user_id bigint, provider text,
            arguments jsonb, created_at timestamptz)
    RETURNING id INTO v_id;
    PERFORM procrastinate_defer_jobs_v1(ARRAY[
        ROW('operations', 'perform_operation', 0, NULL, NULL, jsonb_build_object('operation_id', v_id), NULL)
        ]::procrastinate_job_to_defer_v1[]);
    RETURN v_id;
END $$;

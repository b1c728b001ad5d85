-- A withdrawal from a payee's account at the provider, in two calls, and the limit on how often users ask for calls.

-- Called with the account locked: returns the withdrawal that the same request made before, or NULL, and a new id.
CREATE FUNCTION payments_next_withdrawal(p_user_id bigint, p_request_key text, OUT earlier_id bigint, OUT new_id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    IF p_request_key <> '' THEN
        SELECT id INTO earlier_id FROM payments_withdrawal WHERE user_id = p_user_id AND request_key = p_request_key;
    END IF;
    IF earlier_id IS NULL THEN
        new_id := nextval(pg_get_serial_sequence('payments_withdrawal', 'id'));
    END IF;
END $$;

-- Writes a withdrawal, all but its posting: its row, the operation of its payout with its job, the history, the audit.
CREATE FUNCTION payments_withdraw(
    p_id bigint, p_public_id uuid, p_user_id bigint, p_account_id bigint, p_provider text, p_amount_minor bigint,
    p_currency text, p_request_key text, p_created_at timestamptz, p_history jsonb, p_audit jsonb, p_payout jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_withdrawal
           (id, public_id, user_id, account_id, provider, amount_minor, currency, state, request_key, failure_code,
            failure_reason, created_at, is_outside, ahead_minor, provider_status)
    VALUES (p_id, p_public_id, p_user_id, p_account_id, p_provider, p_amount_minor, p_currency, 'pending',
            p_request_key, '', '', p_created_at, false, 0, '');
    PERFORM payments_write_history(p_history);
    PERFORM payments_write_audit(p_created_at, p_audit);
    PERFORM payments_write_operation(p_payout);
END $$;

-- Counts a call, once per key. Where the user has made as many as allowed since `p_since`, it is not counted, and the
-- time of the call that makes room is returned. Calls of one user are counted one after the other, so that they cannot
-- exceed the limit; `p_lock` is the first key of these locks.
CREATE FUNCTION payments_count_call(
    p_lock int, p_user_id bigint, p_purpose text, p_key text, p_made_at timestamptz, p_since timestamptz,
    p_until timestamptz, p_most int
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    v_times timestamptz[];
    v_is_known boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(p_lock, (p_user_id % 2147483648)::int);
    SELECT array_agg(made_at ORDER BY made_at DESC), bool_or(key = p_key) INTO v_times, v_is_known
      FROM payments_providercall
     WHERE user_id = p_user_id AND purpose = p_purpose AND made_at > p_since AND made_at <= p_until;
    IF v_is_known THEN
        RETURN NULL;
    END IF;
    IF cardinality(v_times) >= p_most THEN
        RETURN v_times[p_most];
    END IF;
    INSERT INTO payments_providercall (user_id, purpose, key, made_at)
    VALUES (p_user_id, p_purpose, p_key, p_made_at);
    RETURN NULL;
END $$;

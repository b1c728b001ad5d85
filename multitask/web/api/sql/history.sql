-- The rows of a wallet's history as the API shows them, made here because a page of them in Python costs more than
-- the rest of the request. payments/history.py of the API calls it; its test compares it with the ORM's answer.

-- A moment in UTC as Django's JSON encoder writes it: milliseconds, cut off, and none for a whole second.
CREATE FUNCTION api_moment(p_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(p_at AT TIME ZONE 'UTC', CASE WHEN date_trunc('second', p_at) = p_at
                   THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"' ELSE 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"' END)
$$;

-- An amount in major units, as `Money.to_major_string`. p_digits has the decimals of currencies that do not have two.
CREATE FUNCTION api_amount(p_minor bigint, p_currency text, p_digits jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_decimals int := coalesce((p_digits ->> p_currency)::int, 2);
    v_digits text := abs(p_minor)::text;
BEGIN
    IF v_decimals > 0 THEN
        IF length(v_digits) <= v_decimals THEN
            v_digits := lpad(v_digits, v_decimals + 1, '0');
        END IF;
        v_digits := left(v_digits, -v_decimals) || '.' || right(v_digits, v_decimals);
    END IF;
    RETURN CASE WHEN p_minor < 0 THEN '-' || v_digits ELSE v_digits END;
END $$;

-- Returns how many rows of a user match, by the kept totals, and one page of them, newest first, of one moment.
-- An empty filter matches everything. p_prefix begins the references of agreements that belong to a task.
-- As payments_wallet, it is planned once in each session.
CREATE FUNCTION api_history(
    p_user bigint, p_type text, p_status text, p_currency text, p_offset bigint, p_size int,
    p_prefix text, p_digits jsonb, OUT total bigint, OUT results text
) LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_material = off SET jit = off
AS $$
DECLARE
    v_ids bigint[];
BEGIN
    SELECT coalesce(sum(rows), 0) INTO total FROM payments_historytotal
     WHERE user_id = p_user AND p_type IN (type, '') AND p_status IN (status, '') AND p_currency IN (currency, '');
    IF p_offset >= total THEN
        results := '[]';
        RETURN;
    END IF;
    IF p_type = '' AND p_status = '' AND p_currency = '' THEN
        v_ids := ARRAY(SELECT id FROM payments_historyrow WHERE user_id = p_user
                        ORDER BY id DESC OFFSET p_offset LIMIT p_size);
    ELSE
        -- A person has few kinds of rows, and the totals list them; the newest of each kind are adjacent in the index.
        v_ids := ARRAY(
            SELECT newest.id
              FROM (SELECT DISTINCT user_id, type, status, currency FROM payments_historytotal
                     WHERE user_id = p_user AND p_type IN (type, '') AND p_status IN (status, '')
                       AND p_currency IN (currency, '')) AS kind
             CROSS JOIN LATERAL (
                   SELECT id FROM payments_historyrow AS row
                    WHERE row.user_id = kind.user_id AND row.type = kind.type AND row.status = kind.status
                      AND row.currency = kind.currency
                    ORDER BY row.id DESC LIMIT p_offset + p_size) AS newest
             ORDER BY newest.id DESC OFFSET p_offset LIMIT p_size);
    END IF;
    SELECT '[' || coalesce(string_agg(row_to_json(shown)::text, ',' ORDER BY shown.id DESC), '') || ']' INTO results
      FROM (SELECT row.id, row.public_id AS transaction_id, row.type AS transaction_type, row.status, row.direction,
                   api_amount(row.amount_minor, row.currency, p_digits) AS amount,
                   api_amount(row.fee_minor, row.currency, p_digits) AS platform_fee,
                   api_amount(row.amount_minor - row.fee_minor, row.currency, p_digits) AS net_amount,
                   row.currency,
                   CASE WHEN starts_with(agreement.reference, p_prefix)
                         AND substr(agreement.reference, length(p_prefix) + 1) ~ '^[0-9]{1,19}$'
                        THEN substr(agreement.reference, length(p_prefix) + 1)::numeric END AS task,
                   agreement.title AS task_title, row.escrow_id AS escrow, sender.username AS sender_username,
                   recipient.username AS recipient_username, row.description,
                   api_moment(row.created_at) AS created_at, api_moment(row.processed_at) AS processed_at,
                   row.failure_reason,
                   coalesce(refund.is_outside, withdrawal.is_outside, false) AS made_at_provider,
                   api_amount(CASE WHEN row.type = 'escrow_release' AND row.direction = 'in'
                                   THEN coalesce(escrow.netted_minor, 0) ELSE 0 END, row.currency, p_digits)
                       AS used_for_debt
              FROM unnest(v_ids) AS wanted (id)
              JOIN payments_historyrow row ON row.id = wanted.id
              LEFT JOIN payments_escrow escrow ON escrow.id = row.escrow_id
              LEFT JOIN payments_agreement agreement ON agreement.id = escrow.agreement_id
              LEFT JOIN users_user sender ON sender.id = row.sender_id
              LEFT JOIN users_user recipient ON recipient.id = row.recipient_id
              LEFT JOIN payments_refund refund ON refund.id = row.refund_id
              LEFT JOIN payments_withdrawal withdrawal ON withdrawal.id = row.withdrawal_id) AS shown;
END $$;

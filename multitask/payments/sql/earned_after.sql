-- payments_earned_after returns what of a payee's shares in a currency became available after an escrow's, at most
-- p_enough. books/shares.py says what it is for. It begins with the newest share and stops at p_enough: a payee who
-- withdraws has few shares that are not paid out yet, however many they ever earned. The index holds every column.
CREATE OR REPLACE FUNCTION payments_earned_after(
    p_payee bigint, p_currency text, p_available_at timestamptz, p_escrow bigint, p_enough bigint) RETURNS bigint
LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_incremental_sort = off
AS $$
DECLARE
    v_share bigint;
    v_found bigint := 0;
BEGIN
    IF p_enough <= 0 THEN
        RETURN 0;
    END IF;
    FOR v_share IN
        SELECT released_minor - released_fee_minor - netted_minor - contested_minor - reclaimed_minor
          FROM payments_escrow
         WHERE freelancer_id = p_payee AND currency = p_currency AND made_available_at IS NOT NULL
           AND (made_available_at, id) > (p_available_at, p_escrow)
         ORDER BY made_available_at DESC, id DESC
    LOOP
        v_found := v_found + v_share;
        EXIT WHEN v_found >= p_enough;
    END LOOP;
    RETURN least(v_found, p_enough);
END $$;

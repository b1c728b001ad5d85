-- Locks the totals of the two sides of several escrows, in the order in which every command locks them. The trigger of
-- each escrow moves the totals of its own two sides, so a statement that changes several escrows calls this first. What
-- does not exist yet is inserted, in the same order: escrows that are about to be funded may be the first of their sides.
CREATE OR REPLACE FUNCTION payments_lock_escrowed(p_escrows bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(p_escrows) < 2 THEN
        RETURN;
    END IF;
    INSERT INTO payments_escrowedtotal AS kept (user_id, currency, amount_minor)
    SELECT DISTINCT side.user_id, escrow.currency, 0
      FROM payments_escrow escrow
     CROSS JOIN LATERAL unnest(ARRAY[escrow.client_id, escrow.freelancer_id]) AS side (user_id)
     WHERE escrow.id = ANY (p_escrows)
     ORDER BY 1, 2
        ON CONFLICT (user_id, currency) DO UPDATE SET amount_minor = kept.amount_minor;
END $$;

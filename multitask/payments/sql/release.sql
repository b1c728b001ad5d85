-- The release of an escrow, in two calls: what decides about it besides the escrow's own row, and what it writes.

-- Called with the escrow locked; each call sees what was committed before it began, so also what the lock waited for.
CREATE FUNCTION payments_release_guards(
    p_escrow_id bigint, OUT is_asked_back boolean, OUT is_undecided boolean, OUT owes boolean
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT EXISTS (SELECT FROM payments_refund refund
                    WHERE refund.escrow_id = escrow.id AND refund.source = 'escrow'
                      AND refund.state IN ('pending', 'requested')),
           EXISTS (SELECT FROM payments_approval approval
                    WHERE approval.escrow_id = escrow.id AND approval.decided_at IS NULL),
           EXISTS (SELECT FROM payments_receivable receivable
                    WHERE receivable.user_id = escrow.freelancer_id AND receivable.currency = escrow.currency
                      AND receivable.amount_minor > receivable.recovered_minor + receivable.written_off_minor
                                                    + receivable.cancelled_minor)
      INTO is_asked_back, is_undecided, owes
      FROM payments_escrow escrow WHERE escrow.id = p_escrow_id;
END $$;

-- Writes a release: the escrow, the history, the audit trail, the operation of the transfer with its job (NULL where
-- nothing is transferred), at last the posting, in the order of the locks. Returns the escrow's audit trail, which the answer shows.
CREATE FUNCTION payments_release(
    p_escrow_id bigint, p_released_at timestamptz, p_released_minor bigint, p_fee_minor bigint, p_netted_minor bigint,
    p_made_available_at timestamptz, p_key text, p_history jsonb, p_audit jsonb, p_transfer jsonb,
    p_posting ledger_request
) RETURNS SETOF payments_auditevent LANGUAGE plpgsql ROWS 10 AS $$
BEGIN
    UPDATE payments_escrow
       SET state = 'released', released_at = p_released_at, released_minor = p_released_minor,
           released_fee_minor = p_fee_minor, netted_minor = p_netted_minor, auto_release_at = NULL,
           made_available_at = p_made_available_at, release_key = p_key
     WHERE id = p_escrow_id;
    PERFORM payments_write_history(p_history);
    PERFORM payments_write_audit(p_released_at, p_audit);
    IF p_transfer IS NOT NULL THEN
        PERFORM payments_write_operation(p_transfer);
    END IF;
    PERFORM ledger_post_request(p_posting);
    RETURN QUERY SELECT * FROM payments_auditevent WHERE escrow_id = p_escrow_id ORDER BY id;
END $$;

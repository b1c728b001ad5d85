-- Writes several releases of one moment as payments_release does, in the same order of locks; the caller posts them at
-- last. The rows of the history come sorted by user.
CREATE OR REPLACE FUNCTION payments_release_many(
    p_escrows jsonb, p_history jsonb, p_audit jsonb, p_transfers jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payments_lock_escrowed(
        ARRAY(SELECT escrow FROM jsonb_to_recordset(p_escrows) AS line (escrow bigint)));
    UPDATE payments_escrow
       SET state = 'released', released_at = line.at, released_minor = line.released, released_fee_minor = line.fee,
           netted_minor = line.netted, auto_release_at = NULL, made_available_at = line.made_available_at,
           release_key = line.key
      FROM jsonb_to_recordset(p_escrows) AS line
           (escrow bigint, at timestamptz, released bigint, fee bigint, netted bigint, made_available_at timestamptz,
            key text)
     WHERE id = line.escrow;
    PERFORM payments_write_history(p_history);
    PERFORM payments_write_audit((p_escrows->0->>'at')::timestamptz, p_audit);
    PERFORM payments_write_operation(transfer)
       FROM jsonb_array_elements(p_transfers) WITH ORDINALITY AS line (transfer, number) ORDER BY number;
END $$;

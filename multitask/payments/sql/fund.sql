-- Funds escrows: writes them, their milestones and payments, the history and the audit trail; the caller holds the locks
-- of all of them, and posts at last. Each row of p_funded has the ids and the new values of one escrow, and its payment
-- as a row of the table, of which the columns below are written.
CREATE OR REPLACE FUNCTION payments_fund(p_at timestamptz, p_funded jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payments_lock_escrowed(
        ARRAY(SELECT escrow FROM jsonb_to_recordset(p_funded) AS line (escrow bigint)));
    UPDATE payments_escrow
       SET state = 'funded', funded_at = p_at, hold_until_at = line.hold_until_at,
           provider_payment_id = (line.payment).provider_payment_id
      FROM jsonb_to_recordset(p_funded) AS line (escrow bigint, hold_until_at timestamptz, payment payments_payment)
     WHERE id = line.escrow;
    UPDATE payments_milestone
       SET state = 'funded', cancelled_at = NULL
      FROM jsonb_to_recordset(p_funded) AS line (milestone bigint)
     WHERE id = line.milestone AND state = 'agreed';
    UPDATE payments_payment
       SET state = 'succeeded', succeeded_at = p_at,
           provider_payment_id = (line.payment).provider_payment_id,
           payer_token = (line.payment).payer_token,
           provider_collection_id = (line.payment).provider_collection_id,
           provider_status = (line.payment).provider_status,
           received_minor = (line.payment).received_minor, received_currency = (line.payment).received_currency,
           fee_minor = (line.payment).fee_minor, fee_currency = (line.payment).fee_currency,
           available_at = (line.payment).available_at, is_refundable = (line.payment).is_refundable,
           failure_code = (line.payment).failure_code, failure_reason = (line.payment).failure_reason
      FROM jsonb_to_recordset(p_funded) AS line (payment payments_payment)
     WHERE id = (line.payment).id;
    UPDATE payments_historyrow
       SET status = 'completed', processed_at = p_at, failure_reason = ''
      FROM jsonb_to_recordset(p_funded) AS line (client bigint, reference text)
     WHERE user_id = line.client AND payments_historyrow.reference = line.reference;
    PERFORM payments_write_audit(p_at, p_audit);
END $$;

-- payments_contests returns the chargebacks and inquiries that hold an escrow, oldest first, each as [status, when our
-- answer is due, whether it was answered or given up]; NULL if there are none. It is `holds.is_contested` with what
-- decides who has to act. payments/reads/contested_reasons.py reads it.
CREATE OR REPLACE FUNCTION payments_contests(p_escrow bigint) RETURNS jsonb LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
BEGIN
    RETURN (
        SELECT jsonb_agg(jsonb_build_array(
                   chargeback.status, chargeback.evidence_due_at,
                   chargeback.accepted_at IS NOT NULL OR coalesce(evidence.is_submitting, false)) ORDER BY chargeback.id)
          FROM payments_chargeback chargeback
          JOIN payments_payment payment ON payment.id = chargeback.payment_id AND payment.state = 'succeeded'
          LEFT JOIN payments_evidence evidence ON evidence.chargeback_id = chargeback.id
         WHERE chargeback.escrow_id = p_escrow AND chargeback.status NOT IN ('won', 'warning_closed', 'prevented')
           AND NOT EXISTS (SELECT FROM payments_loss WHERE chargeback_id = chargeback.id AND reversed_at IS NULL));
END $$;

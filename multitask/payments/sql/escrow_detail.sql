-- payments_escrow_detail returns one escrow with everything that its reader is shown, of one moment: the two sides,
-- the timeline, chargebacks, open decisions, and what is known about the place of each cent, with the names of
-- payments/reads/allocation.py `Facts`. NULL if there is no such escrow or p_reader is none of its sides; a p_reader of
-- NULL may read any. payments/reads/escrow_detail.py reads it. As payments_wallet, it is planned once in each session.
CREATE OR REPLACE FUNCTION payments_escrow_detail(p_id bigint, p_public uuid, p_reader bigint) RETURNS json
LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_material = off SET jit = off
AS $$
DECLARE
    v_escrow payments_escrow;
    v_sides json;
    v_timeline json;
    v_chargebacks json;
    v_refunds record;
    v_transfer record;
    v_facts jsonb;
    v_available bigint;
    v_withdrawing bigint;
BEGIN
    IF p_id IS NULL THEN
        SELECT * INTO v_escrow FROM payments_escrow WHERE public_id = p_public;
    ELSE
        SELECT * INTO v_escrow FROM payments_escrow WHERE id = p_id;
    END IF;
    IF v_escrow.id IS NULL OR p_reader NOT IN (v_escrow.client_id, v_escrow.freelancer_id) THEN
        RETURN NULL;
    END IF;

    SELECT json_build_object('title', agreement.title, 'reference', agreement.reference, 'milestone', milestone.state,
                             'client', client.username, 'freelancer', freelancer.username) INTO v_sides
      FROM payments_agreement agreement, payments_milestone milestone, users_user client, users_user freelancer
     WHERE agreement.id = v_escrow.agreement_id AND milestone.id = v_escrow.milestone_id
       AND client.id = v_escrow.client_id AND freelancer.id = v_escrow.freelancer_id;

    SELECT json_agg(json_build_array(id, event, at, actor_role, actor_label, amount_minor, currency, note) ORDER BY id)
      INTO v_timeline FROM payments_auditevent WHERE escrow_id = v_escrow.id;
    SELECT json_agg(chargeback ORDER BY id) INTO v_chargebacks
      FROM payments_chargeback chargeback WHERE escrow_id = v_escrow.id;

    SELECT min(state) FILTER (WHERE is_early AND state IN ('requested', 'pending')) AS open_state,
           sum(amount_minor) FILTER (WHERE is_early AND state = 'pending') AS refunding,
           coalesce(bool_or(is_early AND state = 'failed' AND holds_money), false) AS is_failed,
           coalesce(bool_or(is_early AND state = 'requested'), false) AS is_requested,
           min(answer_by_at) FILTER (WHERE is_early AND state = 'requested') AS answer_by_at,
           coalesce(bool_or(is_late AND state = 'pending'), false) AS is_returning,
           coalesce(bool_or(is_late AND state = 'failed' AND holds_money), false) AS is_return_failed
      INTO v_refunds
      FROM (SELECT *, source = 'escrow' AS is_early, source = 'released' AS is_late
              FROM payments_refund WHERE escrow_id = v_escrow.id) AS refund;

    SELECT coalesce(bool_and(operation.state = 'failed'), false) AS is_refused,
           (array_agg(operation.account_id ORDER BY sequence DESC) FILTER (WHERE operation.state = 'succeeded'))[1]
               AS account_id
      INTO v_transfer
      FROM payments_operation operation WHERE kind = 'create_transfer' AND subject_id = v_escrow.id;

    v_facts := jsonb_build_object(
        'is_processing', EXISTS (SELECT FROM payments_payment
                                  WHERE escrow_id = v_escrow.id AND state = 'pending'
                                    AND provider_status = 'processing'),
        'held', coalesce((SELECT sum(balance.balance_minor)
                            FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
                           WHERE account.code = 'escrow:' || v_escrow.id AND account.currency = v_escrow.currency), 0),
        'refunding', coalesce(v_refunds.refunding, 0),
        'is_refund_failed', v_refunds.is_failed,
        'is_refund_requested', v_refunds.is_requested,
        'answer_by_at', v_refunds.answer_by_at,
        'is_undecided', EXISTS (SELECT FROM payments_approval
                                 WHERE escrow_id = v_escrow.id AND decided_at IS NULL),
        'contests', CASE WHEN v_escrow.frozen_at IS NOT NULL THEN payments_contests(v_escrow.id) END,
        'settles_at', (SELECT available_at FROM payments_payment
                        WHERE escrow_id = v_escrow.id AND state = 'succeeded' LIMIT 1),
        'is_refused', v_transfer.is_refused,
        'account_id', v_transfer.account_id,
        'is_out_of_reach', coalesce((SELECT closed FROM payments_connectedaccount
                                      WHERE id = v_transfer.account_id), false),
        'is_returning', v_refunds.is_returning,
        'is_return_failed', v_refunds.is_return_failed,
        'is_reversed', EXISTS (SELECT FROM payments_reversal WHERE escrow_id = v_escrow.id AND NOT is_decided),
        'available', 0, 'withdrawing', 0, 'earned_after', 0,
        'arrives_at', NULL, 'leaving_id', NULL, 'leaving_from', NULL, 'leaving_allotted_at', NULL);

    IF v_escrow.made_available_at IS NOT NULL THEN
        SELECT coalesce(sum(balance.balance_minor) FILTER (WHERE account.code LIKE '%:available'), 0),
               coalesce(sum(balance.balance_minor) FILTER (WHERE account.code LIKE '%:withdrawing'), 0)
          INTO v_available, v_withdrawing
          FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
         WHERE account.code IN ('user:' || v_escrow.freelancer_id || ':available',
                                'user:' || v_escrow.freelancer_id || ':withdrawing')
           AND account.currency = v_escrow.currency;
        v_facts := v_facts || jsonb_build_object(
            'available', v_available, 'withdrawing', v_withdrawing,
            'earned_after', payments_earned_after(v_escrow.freelancer_id, v_escrow.currency,
                                                  v_escrow.made_available_at, v_escrow.id,
                                                  v_available + v_withdrawing),
            'arrives_at', (SELECT min(arrival_at) FROM payments_withdrawal
                            WHERE user_id = v_escrow.freelancer_id AND currency = v_escrow.currency
                              AND state IN ('pending', 'processing')));
        v_facts := v_facts || coalesce((
            SELECT jsonb_build_object('leaving_id', disbursement.id, 'leaving_from', usable_from,
                                      'leaving_allotted_at', allotted_at)
              FROM payments_withdrawal withdrawal
              JOIN payments_disbursement disbursement ON disbursement.withdrawal_id = withdrawal.id
             WHERE withdrawal.user_id = v_escrow.freelancer_id AND withdrawal.currency = v_escrow.currency
               AND withdrawal.state IN ('pending', 'processing')
             ORDER BY disbursement.id LIMIT 1), '{}');
    END IF;

    RETURN json_build_object(
        'escrow', row_to_json(v_escrow), 'sides', v_sides, 'timeline', v_timeline, 'chargebacks', v_chargebacks,
        'open_refund', v_refunds.open_state, 'facts', v_facts,
        -- A chargeback that has taken the money or may keep it.
        'is_contested', EXISTS (
            SELECT FROM payments_chargeback chargeback
             WHERE escrow_id = v_escrow.id AND NOT starts_with(status, 'warning_') AND status NOT IN ('won', 'prevented')
               AND NOT EXISTS (SELECT FROM payments_loss WHERE chargeback_id = chargeback.id AND reversed_at IS NULL)),
        'account', (SELECT row_to_json(account) FROM payments_connectedaccount account
                     WHERE user_id = v_escrow.freelancer_id AND provider = v_escrow.provider
                       AND provider_account_id IS NOT NULL AND retired_at IS NULL));
END $$;

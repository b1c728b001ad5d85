-- payments_wallet returns everything about one person's wallet, of one moment: the balances of the own ledger accounts,
-- the kept total of what escrows hold, the sum of the shares that are held, the lifetime totals, what decides why money
-- in escrow, pending and held money is not further, and the payout account. payments/reads/wallet.py reads it.
-- Each part reads a bounded number of rows by an index, however many there are and whoever has them; only the sum of
-- the shares that are held reads all of these, which are as many as a payee's open chargebacks. The settings make
-- every session plan once, with those indexes, however small or large the tables were when it began: planning again
-- for each call costs several times the work, and needs no prepared statement of the client.
CREATE OR REPLACE FUNCTION payments_wallet(p_user bigint, p_provider text) RETURNS json LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET enable_sort = off SET enable_incremental_sort = off SET jit = off
AS $$
DECLARE
    v_own json;
    v_lifetime json;
    v_held json;
    v_unavailable json;
    v_ids bigint[];
    v_undecided bigint[];
BEGIN
    SELECT json_agg(json_build_array(code, currency, amount)) INTO v_own FROM (
        SELECT account.code, account.currency, sum(balance.balance_minor)::bigint AS amount
          FROM ledger_account account JOIN ledger_balance balance ON balance.account_id = account.id
         WHERE account.code = ANY (ARRAY['user:' || p_user || ':available', 'user:' || p_user || ':pending',
                                         'user:' || p_user || ':withdrawing', 'user:' || p_user || ':receivable'])
         GROUP BY account.code, account.currency) AS own;

    SELECT json_agg(json_build_array(currency, earned, spent)) INTO v_lifetime FROM (
        SELECT currency,
               coalesce(sum(CASE type || ' ' || direction
                   WHEN 'escrow_release in' THEN amount_minor WHEN 'platform_fee out' THEN -amount_minor
                   WHEN 'refund out' THEN -amount_minor WHEN 'chargeback out' THEN -amount_minor
                   WHEN 'adjustment in' THEN amount_minor WHEN 'adjustment out' THEN -amount_minor END), 0) AS earned,
               coalesce(sum(CASE type || ' ' || direction
                   WHEN 'escrow_deposit out' THEN amount_minor
                   WHEN 'refund in' THEN -amount_minor WHEN 'chargeback in' THEN -amount_minor END), 0) AS spent
          FROM payments_historytotal
         WHERE user_id = p_user AND status = 'completed' AND direction <> 'neutral'
         GROUP BY currency) AS lifetime;

    IF EXISTS (SELECT FROM payments_escrowedtotal WHERE user_id = p_user AND amount_minor <> 0) THEN
        -- The oldest escrows that hold money; equal ones together. BETWEEN instead of an equality: only the index of
        -- open escrows has the order of user and id, while the primary key has that of the ids of one user.
        v_ids := ARRAY(
            SELECT id FROM (
                (SELECT id FROM payments_escrow
                  WHERE client_id BETWEEN p_user AND p_user AND state IN ('funded', 'disputed')
                  ORDER BY client_id, id LIMIT 50)
                 UNION ALL
                (SELECT id FROM payments_escrow
                  WHERE freelancer_id BETWEEN p_user AND p_user AND state IN ('funded', 'disputed')
                  ORDER BY freelancer_id, id LIMIT 50)) AS both_sides
             ORDER BY id LIMIT 50);
        -- Few of them have an approval or a refund that is open: these are looked up for all at once.
        v_undecided := ARRAY(SELECT escrow_id FROM payments_approval
                              WHERE escrow_id = ANY (v_ids) AND decided_at IS NULL);
        SELECT json_agg(explained) INTO v_held FROM (
            SELECT held.currency, held.frozen_at IS NOT NULL AS is_frozen, held.state,
                   milestone.state AS milestone_state, held.auto_release_at,
                   held.id = ANY (v_undecided) AS is_undecided,
                   refund.is_asked IS TRUE AS is_asked, refund.answer_by_at,
                   CASE WHEN held.frozen_at IS NOT NULL THEN payments_contests(held.id) END AS contests,
                   sum(held.total_minor - held.refunded_minor - held.charged_back_minor
                       - coalesce(refund.reserved_minor, 0)) AS amount_minor
              FROM payments_escrow held
              JOIN payments_milestone milestone ON milestone.id = held.milestone_id
              LEFT JOIN (SELECT escrow_id, sum(amount_minor) FILTER (WHERE state = 'pending') AS reserved_minor,
                                bool_or(state = 'requested') AS is_asked,
                                min(answer_by_at) FILTER (WHERE state = 'requested') AS answer_by_at
                           FROM payments_refund
                          WHERE escrow_id = ANY (v_ids) AND source = 'escrow' AND state IN ('requested', 'pending')
                          GROUP BY escrow_id OFFSET 0) AS refund ON refund.escrow_id = held.id
             WHERE held.id = ANY (v_ids)
             GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) AS explained;
    END IF;

    -- Some of what is pending or held; equal ones together. The order of the user leaves no other index to choose: where
    -- a few people have most rows, PostgreSQL would expect to meet thirty of them soon in any, and read all for the others.
    SELECT json_agg(explained) INTO v_unavailable FROM (
        SELECT part, currency, route, max(frozen_at) AS frozen_at, contests, available_at, is_refused, is_reversed,
               account_id, is_out_of_reach, sum(share) AS share
          FROM ((SELECT 'waiting' AS part, share.currency, share.route, share.frozen_at, share.share,
                        CASE WHEN share.frozen_at IS NOT NULL THEN payments_contests(share.id) END AS contests,
                        payment.available_at, coalesce(transfer.is_refused, false) AS is_refused,
                        false AS is_reversed, transfer.account_id, account.closed IS TRUE AS is_out_of_reach
                   FROM (SELECT id, currency, route, frozen_at, released_minor - released_fee_minor - netted_minor
                                - contested_minor - reclaimed_minor AS share
                           FROM payments_escrow
                          WHERE freelancer_id BETWEEN p_user AND p_user
                            AND state = 'released' AND made_available_at IS NULL
                            AND released_minor > released_fee_minor + netted_minor + contested_minor + reclaimed_minor
                          ORDER BY freelancer_id LIMIT 30) AS share
                   LEFT JOIN payments_payment payment ON payment.escrow_id = share.id AND payment.state = 'succeeded'
                   LEFT JOIN LATERAL (
                         SELECT bool_and(state = 'failed') AS is_refused,
                                (array_agg(operation.account_id ORDER BY sequence DESC)
                                    FILTER (WHERE state = 'succeeded'))[1] AS account_id
                           FROM payments_operation operation
                          WHERE kind = 'create_transfer' AND subject_id = share.id) AS transfer ON true
                   LEFT JOIN payments_connectedaccount account ON account.id = transfer.account_id)
                  UNION ALL
                 (SELECT 'held', currency, route, frozen_at, contested_minor,
                         CASE WHEN frozen_at IS NOT NULL THEN payments_contests(id) END, NULL, false,
                         EXISTS (SELECT FROM payments_reversal
                                  WHERE escrow_id = payments_escrow.id AND NOT is_decided), NULL, false
                    FROM payments_escrow
                   WHERE freelancer_id BETWEEN p_user AND p_user AND contested_minor > 0
                   ORDER BY freelancer_id LIMIT 30)
                  UNION ALL
                 (SELECT 'adjusted', currency, route, NULL, amount_minor - netted_minor - reversed_minor, NULL, NULL,
                         coalesce((SELECT bool_and(state = 'failed') FROM payments_operation
                                    WHERE kind = 'transfer_adjustment' AND subject_id = payments_adjustment.id), false),
                         false, NULL, false
                    FROM payments_adjustment
                   WHERE user_id BETWEEN p_user AND p_user AND made_available_at IS NULL AND amount_minor > 0
                   ORDER BY user_id LIMIT 30)) AS unavailable
         GROUP BY part, currency, route, frozen_at IS NULL, contests, available_at, is_refused, is_reversed, account_id,
                  is_out_of_reach) AS explained;

    RETURN json_build_object(
        'own', v_own, 'lifetime', v_lifetime, 'held', v_held, 'unavailable', v_unavailable,
        'contested', (SELECT json_agg(json_build_array(currency, amount_minor))
                        FROM (SELECT currency, sum(contested_minor)::bigint AS amount_minor FROM payments_escrow
                               WHERE freelancer_id BETWEEN p_user AND p_user AND contested_minor > 0
                               GROUP BY currency) AS contested),
        'escrowed', (SELECT json_agg(json_build_array(currency, amount_minor))
                       FROM payments_escrowedtotal WHERE user_id = p_user AND amount_minor <> 0),
        'account', (SELECT row_to_json(account) FROM payments_connectedaccount account
                     WHERE user_id = p_user AND provider = p_provider AND provider_account_id IS NOT NULL
                       AND retired_at IS NULL));
END $$;

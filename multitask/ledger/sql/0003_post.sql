-- The one writer of the books, which gives each entry the currency of its account.

DROP FUNCTION ledger_end_posting;

-- Ends a posting that the one statement for the common case could not: whose balances do not all hold
-- enough, which refuses it, or of which one was moved at a later moment than the posting began, because it
-- waited for somebody else's or the clock was set back. Then all its balances and entries get that moment.
CREATE FUNCTION ledger_end_posting(
    p_transaction uuid, p_accounts bigint[], p_codes text[], p_currencies text[], p_stripes smallint[],
    p_amounts bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_short text;
    v_recorded_at timestamptz;
BEGIN
    -- A balance that was moved stands at a sequence that has no entry yet; one that was not has its last one.
    SELECT min(leg.code) INTO v_short
      FROM unnest(p_accounts, p_stripes, p_codes) AS leg (account_id, stripes, code)
      JOIN ledger_balance balance ON balance.account_id = leg.account_id
           AND balance.stripe = (pg_backend_pid() % leg.stripes)::smallint
     WHERE balance.sequence = 0
        OR EXISTS (SELECT FROM ledger_entry entry
                    WHERE entry.account_id = balance.account_id AND entry.stripe = balance.stripe
                      AND entry.sequence = balance.sequence);
    IF v_short IS NOT NULL THEN
        RAISE EXCEPTION 'account % does not hold enough', v_short
            USING ERRCODE = 'ML006', DETAIL = v_short;
    END IF;

    SELECT max(balance.recorded_at) INTO v_recorded_at
      FROM unnest(p_accounts, p_stripes) AS leg (account_id, stripes)
      JOIN ledger_balance balance ON balance.account_id = leg.account_id
           AND balance.stripe = (pg_backend_pid() % leg.stripes)::smallint;
    WITH dated AS (
        UPDATE ledger_balance balance SET recorded_at = v_recorded_at
          FROM unnest(p_accounts, p_currencies, p_stripes, p_amounts)
               WITH ORDINALITY AS leg (account_id, currency, stripes, amount_minor, position)
         WHERE balance.account_id = leg.account_id
           AND balance.stripe = (pg_backend_pid() % leg.stripes)::smallint
        RETURNING leg.position, leg.amount_minor, leg.currency,
                  balance.account_id, balance.stripe, balance.sequence, balance.balance_minor
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, stripe, sequence,
                              currency, amount_minor, balance_after_minor, created_at)
    SELECT p_transaction, position, account_id, stripe, sequence,
           currency, amount_minor, balance_minor, v_recorded_at
      FROM dated;
END $$;

-- Posts one transaction of two or more legs, on as many accounts, inside the caller's transaction.
-- Leg n is p_codes[n], p_currencies[n], p_floors[n], p_stripes[n], p_amounts[n].
-- Returns the id and true, or the id of the earlier posting of the same request and false.
-- The settings make every session plan once, for index lookups, however full the tables were when it
-- began: replanning per call costs more than the posting.
CREATE OR REPLACE FUNCTION ledger_post(
    p_kind text, p_scope text, p_key text, p_effective_at timestamptz,
    p_description text, p_details jsonb, p_reverses uuid,
    p_codes text[], p_currencies text[], p_floors bigint[], p_stripes smallint[],
    p_amounts bigint[], OUT posting_id uuid, OUT created boolean
) LANGUAGE plpgsql SECURITY DEFINER
    SET ledger.writer = 'ledger_post'
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_accounts bigint[];
    v_recorded_at timestamptz;
BEGIN
    -- The header first: whoever posts under the same key waits here, holding no balance.
    -- Along with it comes the account of each leg, in order: its id, NULL where it is not opened yet, and
    -- 0 where it exists with other terms.
    INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at,
                                    created_at, reverses, description, details)
    VALUES (ledger_new_id(), p_kind, p_scope, p_key,
            ledger_request_hash(p_kind, p_reverses, p_codes, p_currencies, p_amounts), cardinality(p_codes),
            p_effective_at, clock_timestamp(), p_reverses, p_description, p_details)
    ON CONFLICT (scope, key) DO NOTHING
    RETURNING id, true, created_at, ARRAY(
        SELECT (SELECT CASE WHEN account.stripes = leg.stripes
                             AND account.floor_minor IS NOT DISTINCT FROM leg.floor_minor
                            THEN account.id ELSE 0 END
                  FROM ledger_account account
                 WHERE account.code = leg.code AND account.currency = leg.currency)
          FROM (SELECT unnest(p_codes) AS code, unnest(p_currencies) AS currency,
                       unnest(p_floors) AS floor_minor, unnest(p_stripes) AS stripes) leg)
    INTO posting_id, created, v_recorded_at, v_accounts;

    IF (0 = ANY (v_accounts)) IS NOT FALSE THEN
        IF posting_id IS NULL THEN
            created := false;
            posting_id := ledger_earlier_posting(
                p_scope, p_key, ledger_request_hash(p_kind, p_reverses, p_codes, p_currencies, p_amounts));
            RETURN;
        END IF;
        IF array_position(v_accounts, NULL) IS NOT NULL THEN
            v_accounts := ledger_open_accounts(p_codes, p_currencies, p_floors, p_stripes);
        END IF;
        IF 0 = ANY (v_accounts) THEN
            RAISE EXCEPTION 'account % exists with another floor or number of stripes',
                p_codes[array_position(v_accounts, 0::bigint)]
                USING ERRCODE = 'ML005', DETAIL = p_codes[array_position(v_accounts, 0::bigint)];
        END IF;
    END IF;

    -- Balances are locked and moved in one order for all, those that most others want last, so that nobody
    -- deadlocks and the hot ones are held shortest: the sorted legs drive a nested loop. Whoever waits for
    -- a balance moves what he finds then, not what was there when the statement began. A balance that does
    -- not hold enough is not moved; entries are written if all were, and none was moved at a later moment.
    WITH moved AS (
        UPDATE ledger_balance balance
           SET debits_minor = balance.debits_minor + greatest(-leg.amount_minor, 0),
               credits_minor = balance.credits_minor + greatest(leg.amount_minor, 0),
               balance_minor = balance.balance_minor + leg.amount_minor,
               sequence = balance.sequence + 1,
               recorded_at = greatest(balance.recorded_at, v_recorded_at)
          FROM (SELECT unnest(v_accounts) AS account_id, unnest(p_stripes) AS stripes,
                       unnest(p_currencies) AS currency, unnest(p_amounts) AS amount_minor, generate_subscripts(p_amounts, 1) AS position
                 ORDER BY stripes, account_id) leg
         WHERE balance.account_id = leg.account_id
           AND balance.stripe = (pg_backend_pid() % leg.stripes)::smallint
           AND (balance.balance_minor + leg.amount_minor < balance.floor_minor) IS NOT TRUE
        RETURNING leg.position, leg.amount_minor, leg.currency,
                  balance.account_id, balance.stripe, balance.sequence, balance.balance_minor, balance.recorded_at
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, stripe, sequence,
                              currency, amount_minor, balance_after_minor, created_at)
    SELECT posting_id, position, account_id, stripe, sequence,
           currency, amount_minor, balance_minor, v_recorded_at
      FROM moved
     WHERE (SELECT count(*) FROM moved WHERE recorded_at = v_recorded_at) = cardinality(p_codes);
    IF NOT FOUND THEN
        PERFORM ledger_end_posting(posting_id, v_accounts, p_codes, p_currencies, p_stripes, p_amounts);
    END IF;
END $$;

-- A function that is replaced loses its settings: these two look for their tables in this schema alone, as in
-- 0001_post.sql. The guard of added entries reads no table, and ledger_post's own search path holds while it runs
-- there; to others it refuses everything, unless they say that they are the writer.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION ledger_post SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION ledger_check_header_has_legs SET search_path = %I, pg_temp', current_schema());
END $$;

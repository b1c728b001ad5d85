-- The one writer of the books.

-- A time-ordered random id (UUID version 7), which keeps new rows together in the indexes.
CREATE FUNCTION ledger_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- What makes two requests under one key the same request: what they ask to move, and no more.
-- Words, details and moments may differ between the attempts of one request.
CREATE FUNCTION ledger_request_hash(
    p_kind text, p_reverses uuid, p_codes text[], p_currencies text[], p_amounts bigint[]
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(ROW(p_kind, p_reverses, p_codes, p_currencies, p_amounts)::text, 'UTF8'))
$$;

-- Opens the accounts of a posting that do not exist yet, with every stripe of each, in code order.
-- Called before any balance is locked: it waits only for others who are opening accounts, and they
-- insert in the same order. Returns the account of each leg as ledger_post wants it.
CREATE FUNCTION ledger_open_accounts(
    p_codes text[], p_currencies text[], p_floors bigint[], p_stripes smallint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_opened bigint[];
BEGIN
    WITH opened AS (
        INSERT INTO ledger_account (code, currency, floor_minor, stripes)
        SELECT DISTINCT ON (code, currency) code, currency, floor_minor, stripes
          FROM unnest(p_codes, p_currencies, p_floors, p_stripes)
               AS leg (code, currency, floor_minor, stripes)
         WHERE NOT EXISTS (SELECT FROM ledger_account account
                            WHERE account.code = leg.code AND account.currency = leg.currency)
         ORDER BY code, currency
        ON CONFLICT (code, currency) DO NOTHING
        RETURNING id
    )
    SELECT array_agg(id) INTO v_opened FROM opened;
    INSERT INTO ledger_balance (account_id, stripe, floor_minor)
    SELECT account.id, stripe, account.floor_minor
      FROM ledger_account account, generate_series(0, account.stripes - 1) AS stripe
     WHERE account.id = ANY (v_opened);
    RETURN ARRAY(
        SELECT CASE WHEN account.stripes = leg.stripes
                     AND account.floor_minor IS NOT DISTINCT FROM leg.floor_minor
                    THEN account.id ELSE 0 END
          FROM unnest(p_codes, p_currencies, p_floors, p_stripes)
               WITH ORDINALITY AS leg (code, currency, floor_minor, stripes, position)
          JOIN ledger_account account ON account.code = leg.code AND account.currency = leg.currency
         ORDER BY leg.position);
END $$;

-- The earlier posting under a key, if it was of the same request.
CREATE FUNCTION ledger_earlier_posting(p_scope text, p_key text, p_hash bytea) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
    v_hash bytea;
BEGIN
    SELECT id, request_hash INTO v_id, v_hash FROM ledger_transaction
     WHERE scope = p_scope AND key = p_key;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'the key was taken by a transaction that this one cannot see'
            USING ERRCODE = 'serialization_failure';
    ELSIF v_hash <> p_hash THEN
        RAISE EXCEPTION 'key % of % was used for another request', p_key, p_scope
            USING ERRCODE = 'ML004', DETAIL = v_id::text;
    END IF;
    RETURN v_id;
END $$;

-- Posts one transaction of two or more legs, on as many accounts, inside the caller's transaction.
-- Leg n is p_codes[n], p_currencies[n], p_floors[n], p_stripes[n], p_amounts[n].
-- Returns the id and true, or the id of the earlier posting of the same request and false.
-- Each statement below takes a fresh snapshot, so that what is read after waiting is what holds.
-- The settings make every session plan once, for index lookups, however full the tables were when it
-- began: replanning per call costs more than the posting.
CREATE FUNCTION ledger_post(
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
    v_hash bytea := ledger_request_hash(p_kind, p_reverses, p_codes, p_currencies, p_amounts);
    v_accounts bigint[];
    v_recorded_at timestamptz;
    v_short text;
BEGIN
    -- The header first: whoever posts under the same key waits here, holding no balance.
    -- Along with it comes the account of each leg, in order: its id, NULL where it is not opened yet, and
    -- 0 where it exists with other terms.
    INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at,
                                    created_at, reverses, description, details)
    VALUES (ledger_new_id(), p_kind, p_scope, p_key, v_hash, cardinality(p_codes),
            p_effective_at, clock_timestamp(), p_reverses, p_description, p_details)
    ON CONFLICT (scope, key) DO NOTHING
    RETURNING id, ARRAY(
        SELECT (SELECT CASE WHEN account.stripes = leg.stripes
                             AND account.floor_minor IS NOT DISTINCT FROM leg.floor_minor
                            THEN account.id ELSE 0 END
                  FROM ledger_account account
                 WHERE account.code = leg.code AND account.currency = leg.currency)
          FROM unnest(p_codes, p_currencies, p_floors, p_stripes)
               AS leg (code, currency, floor_minor, stripes))
    INTO posting_id, v_accounts;
    created := posting_id IS NOT NULL;
    IF NOT created THEN
        posting_id := ledger_earlier_posting(p_scope, p_key, v_hash);
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

    -- Lock in one order for all, the rows that most others want last, so that nobody deadlocks
    -- and the hot rows are held shortest.
    SELECT greatest(max(recorded_at), clock_timestamp()), min(code) FILTER (WHERE is_short)
      INTO v_recorded_at, v_short
      FROM (SELECT balance.recorded_at, leg.code,
                   balance.balance_minor + leg.amount_minor < balance.floor_minor AS is_short
              FROM unnest(v_accounts, p_stripes, p_codes, p_amounts)
                   AS leg (account_id, stripes, code, amount_minor)
              JOIN ledger_balance balance ON balance.account_id = leg.account_id
                   AND balance.stripe = (pg_backend_pid() % leg.stripes)::smallint
             ORDER BY leg.stripes > 1, leg.account_id
               FOR NO KEY UPDATE OF balance) locked;
    IF v_short IS NOT NULL THEN
        RAISE EXCEPTION 'account % does not hold enough', v_short
            USING ERRCODE = 'ML006', DETAIL = v_short;
    END IF;

    WITH moved AS (
        UPDATE ledger_balance balance
           SET debits_minor = balance.debits_minor + greatest(-leg.amount_minor, 0),
               credits_minor = balance.credits_minor + greatest(leg.amount_minor, 0),
               balance_minor = balance.balance_minor + leg.amount_minor,
               sequence = balance.sequence + 1,
               recorded_at = v_recorded_at
          FROM unnest(v_accounts, p_stripes, p_amounts)
               WITH ORDINALITY AS leg (account_id, stripes, amount_minor, position)
         WHERE balance.account_id = leg.account_id
           AND balance.stripe = (pg_backend_pid() % leg.stripes)::smallint
        RETURNING leg.position, leg.amount_minor,
                  balance.account_id, balance.stripe, balance.sequence, balance.balance_minor
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, stripe, sequence,
                              amount_minor, balance_after_minor, created_at)
    SELECT posting_id, position, account_id, stripe, sequence,
           amount_minor, balance_minor, v_recorded_at
      FROM moved;
END $$;

-- Whoever may post is named one by one. The functions look for their tables in this schema alone, so
-- that nobody slips another table under their names.
REVOKE EXECUTE ON FUNCTION ledger_post FROM PUBLIC;
DO $$
DECLARE
    v_function regprocedure;
BEGIN
    FOREACH v_function IN ARRAY ARRAY(
        SELECT oid::regprocedure FROM pg_proc
         WHERE pronamespace = current_schema()::regnamespace
           AND proname IN ('ledger_post', 'ledger_check_added_entries', 'ledger_check_header_has_legs'))
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', v_function, current_schema());
    END LOOP;
END $$;

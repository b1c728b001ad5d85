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

-- The accounts of the legs, in the order of the legs: ids (NULL where not opened yet), the stripe
-- of each that this connection writes to, and one account that exists with other terms, if any.
CREATE FUNCTION ledger_find_accounts(
    p_codes text[], p_currencies text[], p_floors bigint[], p_stripes smallint[],
    OUT accounts bigint[], OUT places smallint[], OUT changed text
) LANGUAGE sql STABLE AS $$
    SELECT array_agg(account.id ORDER BY position),
           array_agg((pg_backend_pid() % leg.stripes)::smallint ORDER BY position),
           min(account.code) FILTER (WHERE account.stripes <> leg.stripes
                               OR account.floor_minor IS DISTINCT FROM leg.floor_minor)
      FROM unnest(p_codes, p_currencies, p_floors, p_stripes)
           WITH ORDINALITY AS leg (code, currency, floor_minor, stripes, position)
      LEFT JOIN ledger_account account ON account.code = leg.code
                                      AND account.currency = leg.currency
$$;

-- Opens the accounts of a posting that do not exist yet, with every stripe of each, in code order.
-- Called before any balance is locked: it waits only for others who are opening accounts, and they
-- insert in the same order.
CREATE FUNCTION ledger_open_accounts(
    p_codes text[], p_currencies text[], p_floors bigint[], p_stripes smallint[]
) RETURNS void LANGUAGE plpgsql AS $$
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
    SELECT array_agg(id ORDER BY id) FROM opened INTO v_opened;
    INSERT INTO ledger_balance (account_id, stripe, floor_minor)
    SELECT account.id, stripe, account.floor_minor
      FROM ledger_account account, generate_series(0, account.stripes - 1) AS stripe
     WHERE account.id = ANY (v_opened);
END $$;

-- Posts one transaction of two or more legs inside the caller's transaction.
-- Leg n is p_codes[n], p_currencies[n], p_floors[n], p_stripes[n], p_amounts[n].
-- Returns the id and true, or the id of the earlier posting of the same request and false.
-- Each statement below takes a fresh snapshot, so that what is read after waiting is what holds.
CREATE FUNCTION ledger_post(
    p_kind text, p_scope text, p_key text, p_effective_at timestamptz,
    p_description text, p_details jsonb, p_reverses uuid,
    p_codes text[], p_currencies text[], p_floors bigint[], p_stripes smallint[],
    p_amounts bigint[], OUT posting_id uuid, OUT created boolean
) LANGUAGE plpgsql AS $$
DECLARE
    v_hash bytea := ledger_request_hash(p_kind, p_reverses, p_codes, p_currencies, p_amounts);
    v_earlier_hash bytea;
    v_accounts bigint[];
    v_places smallint[];
    v_changed text;
    v_short text;
    v_recorded_at timestamptz;
BEGIN
    -- The header first: whoever posts under the same key waits here, holding no balance.
    WITH header AS (
        INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at,
                                        created_at, reverses, description, details)
        VALUES (ledger_new_id(), p_kind, p_scope, p_key, v_hash, cardinality(p_codes),
                p_effective_at, clock_timestamp(), p_reverses, p_description, p_details)
        ON CONFLICT (scope, key) DO NOTHING
        RETURNING id
    )
    SELECT (SELECT id FROM header), accounts, places, changed
      INTO posting_id, v_accounts, v_places, v_changed
      FROM ledger_find_accounts(p_codes, p_currencies, p_floors, p_stripes);

    IF posting_id IS NULL THEN
        SELECT id, request_hash INTO posting_id, v_earlier_hash
          FROM ledger_transaction WHERE scope = p_scope AND key = p_key;
        IF posting_id IS NULL THEN
            RAISE EXCEPTION 'the key was taken by a transaction this one cannot see'
                USING ERRCODE = 'serialization_failure';
        ELSIF v_earlier_hash <> v_hash THEN
            RAISE EXCEPTION 'key % of % was used for another request', p_key, p_scope
                USING ERRCODE = 'ML004', DETAIL = posting_id::text;
        END IF;
        created := false;
        RETURN;
    END IF;

    IF array_position(v_accounts, NULL) IS NOT NULL THEN
        PERFORM ledger_open_accounts(p_codes, p_currencies, p_floors, p_stripes);
        SELECT accounts, places, changed INTO v_accounts, v_places, v_changed
          FROM ledger_find_accounts(p_codes, p_currencies, p_floors, p_stripes);
    END IF;
    IF v_changed IS NOT NULL THEN
        RAISE EXCEPTION 'account % exists with another floor or number of stripes', v_changed
            USING ERRCODE = 'ML005', DETAIL = v_changed;
    END IF;

    -- Lock in one order for all, the rows that most others want last, so that nobody deadlocks
    -- and the hot rows are held shortest.
    SELECT greatest(max(locked.recorded_at), clock_timestamp()), min(locked.code) FILTER (WHERE short)
      INTO v_recorded_at, v_short
      FROM (SELECT balance.recorded_at, net.code,
                   balance.balance_minor + net.amount_minor < balance.floor_minor AS short
              FROM (SELECT account_id, place, stripes, min(code) AS code,
                           sum(amount_minor)::bigint AS amount_minor
                      FROM unnest(v_accounts, v_places, p_stripes, p_codes, p_amounts)
                           AS leg (account_id, place, stripes, code, amount_minor)
                     GROUP BY account_id, place, stripes) net
              JOIN ledger_balance balance ON balance.account_id = net.account_id
                                         AND balance.stripe = net.place
             ORDER BY net.stripes > 1, net.account_id, net.place
               FOR UPDATE OF balance) locked;
    IF v_short IS NOT NULL THEN
        RAISE EXCEPTION 'account % does not hold enough', v_short
            USING ERRCODE = 'ML006', DETAIL = v_short;
    END IF;

    -- Legs on one account are entered credits first, so that no sequence dips below the floor.
    WITH leg AS (
        SELECT account_id, place, position, amount_minor,
               row_number() OVER entered AS nth, sum(amount_minor) OVER entered AS running_minor
          FROM unnest(v_accounts, v_places, p_amounts)
               WITH ORDINALITY AS leg (account_id, place, amount_minor, position)
        WINDOW entered AS (PARTITION BY account_id, place ORDER BY amount_minor DESC, position)
    ), moved AS (
        UPDATE ledger_balance balance
           SET debits_minor = balance.debits_minor + net.debits_minor,
               credits_minor = balance.credits_minor + net.credits_minor,
               balance_minor = balance.balance_minor + net.credits_minor - net.debits_minor,
               sequence = balance.sequence + net.legs,
               recorded_at = v_recorded_at
          FROM (SELECT account_id, place, count(*) AS legs,
                       coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0) AS credits_minor,
                       coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0) AS debits_minor
                  FROM leg GROUP BY account_id, place) net
         WHERE balance.account_id = net.account_id AND balance.stripe = net.place
        RETURNING balance.account_id, balance.stripe,
                  balance.sequence - net.legs AS sequence,
                  balance.balance_minor - net.credits_minor + net.debits_minor AS balance_minor
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, stripe, sequence,
                              amount_minor, balance_after_minor, created_at)
    SELECT posting_id, leg.position, leg.account_id, leg.place, moved.sequence + leg.nth,
           leg.amount_minor, moved.balance_minor + leg.running_minor, v_recorded_at
      FROM leg JOIN moved ON moved.account_id = leg.account_id AND moved.stripe = leg.place;
    created := true;
END $$;

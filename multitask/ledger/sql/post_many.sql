-- ledger_post_many: ledger_post for many transactions in one call, with the same rules, errors and order of locks.

-- Posts transactions in the given order, inside the caller's transaction: all of them or none.
-- Transaction n is p_kinds[n], p_scopes[n], ...; its legs are the next p_legs[n] of p_codes, p_currencies, ...
-- Returns for each what ledger_post does. If two have the same key, the second is a repetition of the first.
-- Each balance is locked and moved once, by what all legs together move, if it stays above its floor after each of
-- them. All entries get the same time.
CREATE FUNCTION ledger_post_many(
    p_kinds text[], p_scopes text[], p_keys text[], p_effective_at timestamptz[],
    p_descriptions text[], p_details jsonb[], p_reverses uuid[], p_legs smallint[],
    p_codes text[], p_currencies text[], p_floors bigint[], p_shards smallint[],
    p_amounts bigint[], OUT posting_ids uuid[], OUT created boolean[]
) LANGUAGE plpgsql SECURITY DEFINER
    SET ledger.writer = 'ledger_post'
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_recorded_at timestamptz;
    v_hashes bytea[];
    v_added uuid[];
    v_number integer;
    -- Of each leg: the number of its transaction, its position in it, and its account.
    v_transactions integer[];
    v_positions smallint[];
    v_accounts bigint[];
    -- Of each balance, in the order in which they are locked: shard, and sequence and amount before this call.
    v_balance_shards smallint[];
    v_sequences bigint[];
    v_openings bigint[];
    v_latest timestamptz;
BEGIN
    -- Locked before the clock is read, as in ledger_post: ledger_closed_until relies on it.
    LOCK TABLE ledger_transaction IN ROW EXCLUSIVE MODE;
    v_recorded_at := clock_timestamp();
    posting_ids := ARRAY(SELECT ledger_new_id() FROM generate_subscripts(p_keys, 1));

    SELECT array_agg(number ORDER BY number, position), array_agg(position ORDER BY number, position)
      INTO v_transactions, v_positions
      FROM (SELECT unnest(p_legs) AS legs, generate_subscripts(p_legs, 1) AS number) asked,
           generate_series(1, legs) AS position;
    IF cardinality(v_transactions) IS DISTINCT FROM cardinality(p_codes) THEN
        RAISE EXCEPTION 'there are % legs, and % were announced', cardinality(p_codes), cardinality(v_transactions)
            USING ERRCODE = 'ML002';
    END IF;
    SELECT array_agg(ledger_request_hash(kind, reverses, p_codes[first:last], p_currencies[first:last],
                                         p_amounts[first:last]) ORDER BY number)
      INTO v_hashes
      FROM (SELECT number, kind, reverses, last - legs + 1 AS first, last
              FROM (SELECT number, kind, reverses, legs, (sum(legs) OVER (ORDER BY number))::integer AS last
                      FROM (SELECT unnest(p_kinds) AS kind, unnest(p_reverses) AS reverses, unnest(p_legs) AS legs,
                                   generate_subscripts(p_legs, 1) AS number) asked) ended) request;

    -- In the order of their keys, so that two calls with the same keys wait for each other in one order.
    WITH added AS (
        INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at,
                                        created_at, reverses, description, details)
        SELECT posting_ids[number], kind, scope, key, v_hashes[number], legs, p_effective_at[number],
               v_recorded_at, p_reverses[number], p_descriptions[number], p_details[number]
          FROM (SELECT unnest(p_kinds) AS kind, unnest(p_scopes) AS scope, unnest(p_keys) AS key,
                       unnest(p_legs) AS legs, generate_subscripts(p_keys, 1) AS number) asked
         ORDER BY scope, key, number
        ON CONFLICT (scope, key) DO NOTHING
        RETURNING id
    )
    SELECT array_agg(id) INTO v_added FROM added;
    created := ARRAY(SELECT id = ANY (v_added) IS TRUE FROM unnest(posting_ids) WITH ORDINALITY AS asked (id, number)
                      ORDER BY number);

    IF false = ANY (created) THEN
        FOR v_number IN SELECT number FROM unnest(created) WITH ORDINALITY AS asked (is_new, number) WHERE NOT is_new LOOP
            posting_ids[v_number] := ledger_earlier_posting(p_scopes[v_number], p_keys[v_number], v_hashes[v_number]);
        END LOOP;
        SELECT array_agg(number ORDER BY place), array_agg(position ORDER BY place), array_agg(code ORDER BY place),
               array_agg(currency ORDER BY place), array_agg(floor_minor ORDER BY place),
               array_agg(shards ORDER BY place), array_agg(amount_minor ORDER BY place)
          INTO v_transactions, v_positions, p_codes, p_currencies, p_floors, p_shards, p_amounts
          FROM unnest(v_transactions, v_positions, p_codes, p_currencies, p_floors, p_shards, p_amounts)
               WITH ORDINALITY AS leg (number, position, code, currency, floor_minor, shards, amount_minor, place)
         WHERE created[number];
        IF v_transactions IS NULL THEN
            RETURN;
        END IF;
    END IF;

    v_accounts := ARRAY(
        SELECT (SELECT CASE WHEN account.shards = leg.shards
                             AND account.floor_minor IS NOT DISTINCT FROM leg.floor_minor
                            THEN account.id ELSE 0 END
                  FROM ledger_account account
                 WHERE account.code = leg.code AND account.currency = leg.currency)
          FROM (SELECT unnest(p_codes) AS code, unnest(p_currencies) AS currency,
                       unnest(p_floors) AS floor_minor, unnest(p_shards) AS shards) leg);
    IF array_position(v_accounts, NULL) IS NOT NULL THEN
        v_accounts := ledger_open_accounts(p_codes, p_currencies, p_floors, p_shards);
    END IF;
    IF 0 = ANY (v_accounts) THEN
        RAISE EXCEPTION 'account % exists with another floor or number of shards',
            p_codes[array_position(v_accounts, 0::bigint)]
            USING ERRCODE = 'ML005', DETAIL = p_codes[array_position(v_accounts, 0::bigint)];
    END IF;

    -- In ledger_post the second leg on an account finds the balance moved already, and the rest does not balance.
    IF EXISTS (SELECT FROM unnest(v_transactions, v_accounts) AS leg (number, account_id)
                GROUP BY number, account_id HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'a transaction has two legs on one account' USING ERRCODE = 'ML002';
    END IF;

    -- The same order of locks as in ledger_post.
    WITH moved AS (
        UPDATE ledger_balance balance
           SET debits_minor = balance.debits_minor + total.debits_minor,
               credits_minor = balance.credits_minor + total.credits_minor,
               balance_minor = balance.balance_minor + total.credits_minor - total.debits_minor,
               sequence = balance.sequence + total.entries,
               recorded_at = greatest(balance.recorded_at, v_recorded_at)
          FROM (SELECT account_id, shards, count(*) AS entries, min(after_minor) AS lowest_minor,
                       sum(greatest(-amount_minor, 0))::bigint AS debits_minor,
                       sum(greatest(amount_minor, 0))::bigint AS credits_minor
                  FROM (SELECT account_id, shards, amount_minor,
                               (sum(amount_minor) OVER (PARTITION BY account_id ORDER BY place))::bigint AS after_minor
                          FROM (SELECT unnest(v_accounts) AS account_id, unnest(p_shards) AS shards,
                                       unnest(p_amounts) AS amount_minor,
                                       generate_subscripts(p_amounts, 1) AS place) leg) step
                 GROUP BY shards, account_id ORDER BY shards, account_id) total
         WHERE balance.account_id = total.account_id
           AND balance.shard = (pg_backend_pid() % total.shards)::smallint
           AND (balance.balance_minor + total.lowest_minor < balance.floor_minor) IS NOT TRUE
        RETURNING total.shards, balance.account_id, balance.shard, balance.recorded_at,
                  balance.sequence - total.entries AS earlier,
                  balance.balance_minor - total.credits_minor + total.debits_minor AS opening_minor
    )
    SELECT array_agg(shard ORDER BY shards, account_id), array_agg(earlier ORDER BY shards, account_id),
           array_agg(opening_minor ORDER BY shards, account_id), max(recorded_at)
      INTO v_balance_shards, v_sequences, v_openings, v_latest FROM moved;

    IF coalesce(cardinality(v_balance_shards), 0) < (SELECT count(DISTINCT id) FROM unnest(v_accounts) AS id) THEN
        PERFORM ledger_refuse_short(v_accounts, p_codes, p_shards);
    END IF;
    IF v_latest > v_recorded_at THEN
        -- A balance carries a later time: all balances and entries get it (ledger_end_posting).
        v_recorded_at := v_latest;
        UPDATE ledger_balance balance SET recorded_at = v_latest
          FROM (SELECT unnest(v_accounts) AS account_id, unnest(p_shards) AS shards) leg
         WHERE balance.account_id = leg.account_id
           AND balance.shard = (pg_backend_pid() % leg.shards)::smallint;
    END IF;

    INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence,
                              currency, amount_minor, balance_after_minor, created_at)
    SELECT posting_ids[number], position, account_id, v_balance_shards[balance],
           v_sequences[balance] + row_number() OVER earlier,
           currency, amount_minor, v_openings[balance] + (sum(amount_minor) OVER earlier)::bigint, v_recorded_at
      FROM (SELECT *, dense_rank() OVER (ORDER BY shards, account_id) AS balance
              FROM (SELECT unnest(v_transactions) AS number, unnest(v_positions) AS position,
                           unnest(v_accounts) AS account_id, unnest(p_shards) AS shards,
                           unnest(p_currencies) AS currency, unnest(p_amounts) AS amount_minor,
                           generate_subscripts(p_amounts, 1) AS place) leg) step
    WINDOW earlier AS (PARTITION BY shards, account_id ORDER BY place)
     ORDER BY place;
END $$;

-- Each role that may post is granted it by name, and it reads and writes in this schema only, as ledger_post does.
REVOKE EXECUTE ON FUNCTION ledger_post_many FROM PUBLIC;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION ledger_post_many SET search_path = %I, pg_temp', current_schema());
END $$;

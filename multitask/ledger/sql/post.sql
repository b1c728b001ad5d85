-- ledger_post, the only function that writes to the ledger, and the functions that it calls.
-- They use as few and as small statements as they can: each costs several times its work in setup and teardown.

-- A time-ordered random id (UUID version 7), which keeps new rows next to each other in the indexes.
-- PostgreSQL has such a function from version 18 on; before that, it is built from a random UUID.
DO $do$
BEGIN
    IF to_regprocedure('pg_catalog.uuidv7()') IS NOT NULL THEN
        CREATE FUNCTION ledger_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.uuidv7()';
    ELSE
        CREATE FUNCTION ledger_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
            SELECT encode(set_bit(set_bit(overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
        $$;
    END IF;
END $do$;

-- Two requests with the same key are the same request if they ask to move the same amounts. Description, details
-- and times are not part of the hash: they may differ between the attempts of one request.
CREATE FUNCTION ledger_request_hash(
    p_kind text, p_reverses uuid, p_codes text[], p_currencies text[], p_amounts bigint[]
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(ROW(p_kind, p_reverses, p_codes, p_currencies, p_amounts)::text, 'UTF8'))
$$;

-- Opens the accounts of a posting that do not exist yet, with all their shards, in the order of their codes.
-- Called before any balance is locked: it can only wait for other postings that open accounts, and they insert
-- in the same order. Returns the account of each leg, in order: its id, or 0 if it exists with other terms.
CREATE FUNCTION ledger_open_accounts(
    p_codes text[], p_currencies text[], p_floors bigint[], p_shards smallint[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_opened bigint[];
BEGIN
    WITH opened AS (
        INSERT INTO ledger_account (code, currency, floor_minor, shards)
        SELECT DISTINCT ON (code, currency) code, currency, floor_minor, shards
          FROM unnest(p_codes, p_currencies, p_floors, p_shards)
               AS leg (code, currency, floor_minor, shards)
         WHERE NOT EXISTS (SELECT FROM ledger_account account
                            WHERE account.code = leg.code AND account.currency = leg.currency)
         ORDER BY code, currency
        ON CONFLICT (code, currency) DO NOTHING
        RETURNING id
    )
    SELECT array_agg(id) INTO v_opened FROM opened;
    INSERT INTO ledger_balance (account_id, shard, floor_minor)
    SELECT account.id, shard, account.floor_minor
      FROM ledger_account account, generate_series(0, account.shards - 1) AS shard
     WHERE account.id = ANY (v_opened);
    RETURN ARRAY(
        SELECT CASE WHEN account.shards = leg.shards
                     AND account.floor_minor IS NOT DISTINCT FROM leg.floor_minor
                    THEN account.id ELSE 0 END
          FROM unnest(p_codes, p_currencies, p_floors, p_shards)
               WITH ORDINALITY AS leg (code, currency, floor_minor, shards, position)
          JOIN ledger_account account ON account.code = leg.code AND account.currency = leg.currency
         ORDER BY leg.position);
END $$;

-- Returns the id of the earlier posting with a key, if it was the same request.
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

-- Refuses a posting of which a balance was not moved, since it would have become too low.
CREATE FUNCTION ledger_refuse_short(p_accounts bigint[], p_codes text[], p_shards smallint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_short text;
BEGIN
    -- The sequence of a balance that was moved has no entry yet; that of a balance that was not moved has one.
    SELECT min(leg.code) INTO v_short
      FROM unnest(p_accounts, p_shards, p_codes) AS leg (account_id, shards, code)
      JOIN ledger_balance balance ON balance.account_id = leg.account_id
           AND balance.shard = (pg_backend_pid() % leg.shards)::smallint
     WHERE balance.sequence = 0
        OR EXISTS (SELECT FROM ledger_entry entry
                    WHERE entry.account_id = balance.account_id AND entry.shard = balance.shard
                      AND entry.sequence = balance.sequence);
    IF v_short IS NOT NULL THEN
        RAISE EXCEPTION 'account % does not hold enough', v_short
            USING ERRCODE = 'ML006', DETAIL = v_short;
    END IF;
END $$;

-- Finishes a posting that the single statement of ledger_post could not. Either a balance is too low, and the
-- posting is refused. Or a balance already carries a later time than the start of this posting, because it waited
-- for another posting or the clock was set back: then all its balances and entries get that later time.
CREATE FUNCTION ledger_end_posting(
    p_transaction uuid, p_accounts bigint[], p_codes text[], p_currencies text[], p_shards smallint[],
    p_amounts bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_recorded_at timestamptz;
BEGIN
    PERFORM ledger_refuse_short(p_accounts, p_codes, p_shards);
    SELECT max(balance.recorded_at) INTO v_recorded_at
      FROM unnest(p_accounts, p_shards) AS leg (account_id, shards)
      JOIN ledger_balance balance ON balance.account_id = leg.account_id
           AND balance.shard = (pg_backend_pid() % leg.shards)::smallint;
    WITH dated AS (
        UPDATE ledger_balance balance SET recorded_at = v_recorded_at
          FROM unnest(p_accounts, p_currencies, p_shards, p_amounts)
               WITH ORDINALITY AS leg (account_id, currency, shards, amount_minor, position)
         WHERE balance.account_id = leg.account_id
           AND balance.shard = (pg_backend_pid() % leg.shards)::smallint
        RETURNING leg.position, leg.amount_minor, leg.currency,
                  balance.account_id, balance.shard, balance.sequence, balance.balance_minor
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence,
                              currency, amount_minor, balance_after_minor, created_at)
    SELECT p_transaction, position, account_id, shard, sequence,
           currency, amount_minor, balance_minor, v_recorded_at
      FROM dated;
END $$;

-- Posts one transaction of two or more legs, each on an account of its own, inside the caller's transaction.
-- Leg n is p_codes[n], p_currencies[n], p_floors[n], p_shards[n], p_amounts[n].
-- Returns the id and true, or the id of the earlier posting of the same request and false.
-- The process id of the connection selects the shard, so that all statements and postings of a transaction use the same rows.
-- The settings make every session plan once, with index lookups, however small or large the tables were when it
-- began: planning again for each call costs more than the posting.
CREATE FUNCTION ledger_post(
    p_kind text, p_scope text, p_key text, p_effective_at timestamptz,
    p_description text, p_details jsonb, p_reverses uuid,
    p_codes text[], p_currencies text[], p_floors bigint[], p_shards smallint[],
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
    -- The header comes first: another posting with the same key waits here, before it locks a balance.
    -- The same statement returns the account of each leg, in order: its id, NULL if it is not opened yet, and 0 if
    -- it exists with other terms.
    INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at,
                                    created_at, reverses, description, details)
    VALUES (ledger_new_id(), p_kind, p_scope, p_key,
            ledger_request_hash(p_kind, p_reverses, p_codes, p_currencies, p_amounts), cardinality(p_codes),
            p_effective_at, clock_timestamp(), p_reverses, p_description, p_details)
    ON CONFLICT (scope, key) DO NOTHING
    RETURNING id, true, created_at, ARRAY(
        SELECT (SELECT CASE WHEN account.shards = leg.shards
                             AND account.floor_minor IS NOT DISTINCT FROM leg.floor_minor
                            THEN account.id ELSE 0 END
                  FROM ledger_account account
                 WHERE account.code = leg.code AND account.currency = leg.currency)
          FROM (SELECT unnest(p_codes) AS code, unnest(p_currencies) AS currency,
                       unnest(p_floors) AS floor_minor, unnest(p_shards) AS shards) leg)
    INTO posting_id, created, v_recorded_at, v_accounts;

    IF (0 = ANY (v_accounts)) IS NOT FALSE THEN
        IF posting_id IS NULL THEN
            created := false;
            posting_id := ledger_earlier_posting(
                p_scope, p_key, ledger_request_hash(p_kind, p_reverses, p_codes, p_currencies, p_amounts));
            RETURN;
        END IF;
        IF array_position(v_accounts, NULL) IS NOT NULL THEN
            v_accounts := ledger_open_accounts(p_codes, p_currencies, p_floors, p_shards);
        END IF;
        IF 0 = ANY (v_accounts) THEN
            RAISE EXCEPTION 'account % exists with another floor or number of shards',
                p_codes[array_position(v_accounts, 0::bigint)]
                USING ERRCODE = 'ML005', DETAIL = p_codes[array_position(v_accounts, 0::bigint)];
        END IF;
    END IF;

    -- All postings lock and move balances in the same order, so that none deadlocks, and hot ones last, so that
    -- they are locked for the shortest time: the sorted legs drive a nested loop. After waiting for a balance, the
    -- UPDATE moves its newest version, not the one of its snapshot. A balance that is too low is not moved.
    -- Entries are written only if all balances were moved and none carries a later time than this posting.
    WITH moved AS (
        UPDATE ledger_balance balance
           SET debits_minor = balance.debits_minor + greatest(-leg.amount_minor, 0),
               credits_minor = balance.credits_minor + greatest(leg.amount_minor, 0),
               balance_minor = balance.balance_minor + leg.amount_minor,
               sequence = balance.sequence + 1,
               recorded_at = greatest(balance.recorded_at, v_recorded_at)
          FROM (SELECT unnest(v_accounts) AS account_id, unnest(p_shards) AS shards,
                       unnest(p_currencies) AS currency, unnest(p_amounts) AS amount_minor,
                       generate_subscripts(p_amounts, 1) AS position
                 ORDER BY shards, account_id) leg
         WHERE balance.account_id = leg.account_id
           AND balance.shard = (pg_backend_pid() % leg.shards)::smallint
           AND (balance.balance_minor + leg.amount_minor < balance.floor_minor) IS NOT TRUE
        RETURNING leg.position, leg.amount_minor, leg.currency,
                  balance.account_id, balance.shard, balance.sequence, balance.balance_minor, balance.recorded_at
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence,
                              currency, amount_minor, balance_after_minor, created_at)
    SELECT posting_id, position, account_id, shard, sequence,
           currency, amount_minor, balance_minor, v_recorded_at
      FROM moved
     WHERE (SELECT count(*) FROM moved WHERE recorded_at = v_recorded_at) = cardinality(p_codes);
    IF NOT FOUND THEN
        PERFORM ledger_end_posting(posting_id, v_accounts, p_codes, p_currencies, p_shards, p_amounts);
    END IF;
END $$;

-- The arguments of ledger_post as one value, for functions that write something else and then post.
CREATE TYPE ledger_request AS (
    kind text, scope text, key text, effective_at timestamptz, description text, details jsonb, reverses uuid,
    codes text[], currencies text[], floors bigint[], shards smallint[], amounts bigint[]
);

CREATE FUNCTION ledger_post_request(p_request ledger_request, OUT posting_id uuid, OUT created boolean)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT posted.posting_id, posted.created INTO posting_id, created
      FROM ledger_post(p_request.kind, p_request.scope, p_request.key, p_request.effective_at, p_request.description,
                       p_request.details, p_request.reverses, p_request.codes, p_request.currencies, p_request.floors,
                       p_request.shards, p_request.amounts) AS posted;
END $$;

-- Each role that may post is granted it by name. The function runs with its owner's rights, so it reads and writes
-- in this schema only: nobody can put another table under the same name in front of it.
REVOKE EXECUTE ON FUNCTION ledger_post FROM PUBLIC;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION ledger_post SET search_path = %I, pg_temp', current_schema());
END $$;

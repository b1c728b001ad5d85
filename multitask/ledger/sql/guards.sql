-- What the database refuses to any role and in any statement. Every trigger is ENABLE ALWAYS, so that
-- session_replication_role = replica does not switch it off.
-- SQLSTATEs of class ML belong to the ledger; multitask/ledger/errors.py translates them.

-- Accounts, transactions and entries are append-only; balances are never deleted.
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the books are append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'ML001';
END $$;

-- Only ledger_post may write, and it sets the variable ledger.writer while it runs. This prevents mistakes, not
-- attacks, since anybody can set the variable. To prevent attacks, use a role that may execute ledger_post and
-- has no right to write to the tables (docs/decisions/0011). Transactions need no such guard: none can be
-- committed without entries.
-- The test is in the function, not in a WHEN clause: PostgreSQL prepares a WHEN clause again for every statement.
CREATE FUNCTION ledger_refuse_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post' THEN
        RAISE EXCEPTION '% on % is refused: only ledger_post writes the books', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'ML003';
    END IF;
    RETURN NULL;
END $$;

-- One statement inserts all the legs of a transaction: two or more, at positions from 1 on, each of which moves
-- something, summing to zero in each currency. No later statement can add a leg, because it would have to start
-- at position 1 again.
-- The loop accepts the common case, one transaction in one currency, which costs less than preparing one
-- aggregate query. Anything else is checked by the queries below the loop.
CREATE FUNCTION ledger_check_added_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_leg record;
    v_first record;
    v_legs integer := 0;
    v_last integer := 0;
    v_total bigint := 0;
    v_transaction uuid;
BEGIN
    IF current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post' THEN
        RAISE EXCEPTION 'INSERT on ledger_entry is refused: only ledger_post writes the books'
            USING ERRCODE = 'ML003';
    END IF;
    FOR v_leg IN SELECT transaction_id, currency, position, amount_minor FROM added_entries LOOP
        IF v_legs = 0 THEN
            v_first := v_leg;
        END IF;
        v_legs := v_legs + 1;
        v_last := greatest(v_last, v_leg.position);
        IF v_leg.transaction_id <> v_first.transaction_id OR v_leg.currency <> v_first.currency
           OR v_leg.position < 1 OR v_leg.amount_minor = 0
        THEN
            v_last := 0;
            EXIT;
        END IF;
        v_total := v_total + v_leg.amount_minor;
    END LOOP;
    -- The primary key allows each position once, so if the highest position equals the number of legs, the
    -- positions are 1 to that number.
    IF v_legs = 0 OR (v_total = 0 AND v_last = v_legs AND v_legs >= 2) THEN
        RETURN NULL;
    END IF;
    SELECT transaction_id INTO v_transaction FROM added_entries GROUP BY transaction_id
    HAVING NOT (count(*) >= 2 AND min(position) = 1 AND max(position) = count(nullif(amount_minor, 0)));
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is refused: its legs are not two or more from the first on, or move nothing',
            v_transaction USING ERRCODE = 'ML002';
    END IF;
    SELECT transaction_id INTO v_transaction FROM added_entries
     GROUP BY transaction_id, currency HAVING sum(amount_minor) <> 0;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is refused: its legs do not sum to zero in each currency',
            v_transaction USING ERRCODE = 'ML002';
    END IF;
    RETURN NULL;
END $$;

-- A transaction can only be committed with the number of legs that its header states. The legs were inserted
-- together at positions from 1 on, so the highest position is their number.
CREATE FUNCTION ledger_check_header_has_legs() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    v_last smallint;
BEGIN
    SELECT position INTO v_last FROM ledger_entry WHERE transaction_id = NEW.id ORDER BY position DESC LIMIT 1;
    IF v_last IS DISTINCT FROM NEW.legs THEN
        RAISE EXCEPTION 'transaction % is refused: it announced % legs and has %', NEW.id, NEW.legs, coalesce(v_last, 0)
            USING ERRCODE = 'ML002';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER one_writer BEFORE INSERT ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_writer();
CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_writer();

CREATE TRIGGER whole_and_balanced AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS added_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_added_entries();
CREATE CONSTRAINT TRIGGER has_legs AFTER INSERT ON ledger_transaction
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_check_header_has_legs();

ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER one_writer;
ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER has_legs;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER whole_and_balanced;
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER one_writer;

-- The deferred check runs at COMMIT, with the search path of the session: fix its own, so that it reads the tables
-- of this schema. ledger_check_added_entries needs none, since it reads only the inserted rows.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION ledger_check_header_has_legs SET search_path = %I, pg_temp', current_schema());
END $$;

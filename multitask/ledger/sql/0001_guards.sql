-- What the database itself refuses, whoever asks and by whichever statement. Every trigger is
-- ENABLE ALWAYS, so that session_replication_role = replica does not switch it off.
-- SQLSTATEs of class ML are the ledger's own; multitask/ledger/errors.py names them.

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the books are append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'ML001';
END $$;

-- Writing past ledger_post is a mistake. The variable that it sets while it runs stops mistakes alone,
-- since anybody may set it; what stops malice is a role that may execute ledger_post and has no right to
-- write to the tables. Headers need no such guard: none is committed without entries.
CREATE FUNCTION ledger_refuse_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: only ledger_post writes the books', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'ML003';
END $$;

-- One statement inserts all the legs of a header: as many as the header says, in positions from one
-- on, on accounts that exist, summing to zero in each currency. A cheap look settles the common case of
-- one currency; whatever does not pass it is looked at closely.
CREATE FUNCTION ledger_check_added_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_transaction uuid;
BEGIN
    IF current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post' THEN
        RAISE EXCEPTION 'INSERT on ledger_entry is refused: only ledger_post writes the books'
            USING ERRCODE = 'ML003';
    END IF;
    IF NOT EXISTS (
        SELECT FROM added_entries entry
          LEFT JOIN ledger_transaction header ON header.id = entry.transaction_id
          LEFT JOIN ledger_account account ON account.id = entry.account_id
         GROUP BY entry.transaction_id, header.legs, account.currency
        HAVING (count(*) = header.legs AND min(entry.position) = 1 AND max(entry.position) = header.legs
                AND sum(entry.amount_minor) = 0 AND account.currency IS NOT NULL) IS NOT TRUE)
    THEN
        RETURN NULL;
    END IF;
    SELECT entry.transaction_id INTO v_transaction
      FROM added_entries entry
      LEFT JOIN ledger_transaction header ON header.id = entry.transaction_id
      LEFT JOIN ledger_account account ON account.id = entry.account_id
     GROUP BY entry.transaction_id
    HAVING (count(account.id) = min(header.legs) AND count(*) = min(header.legs)
            AND min(entry.position) = 1 AND max(entry.position) = min(header.legs)) IS NOT TRUE;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is refused: its legs are not those that its header announced',
            v_transaction USING ERRCODE = 'ML002';
    END IF;
    SELECT entry.transaction_id INTO v_transaction
      FROM added_entries entry JOIN ledger_account account ON account.id = entry.account_id
     GROUP BY entry.transaction_id, account.currency HAVING sum(entry.amount_minor) <> 0;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is refused: its legs do not sum to zero in each currency',
            v_transaction USING ERRCODE = 'ML002';
    END IF;
    RETURN NULL;
END $$;

-- A header cannot be committed alone. Its legs were checked as they came, so one is proof of all.
CREATE FUNCTION ledger_check_header_has_legs() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'transaction % is refused: it has no legs', NEW.id USING ERRCODE = 'ML002';
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

CREATE TRIGGER one_writer BEFORE INSERT ON ledger_account FOR EACH STATEMENT
    WHEN (current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post')
    EXECUTE FUNCTION ledger_refuse_writer();
CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE ON ledger_balance FOR EACH STATEMENT
    WHEN (current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post')
    EXECUTE FUNCTION ledger_refuse_writer();

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

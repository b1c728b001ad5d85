-- What the database itself refuses, whoever asks and by whichever statement. Every trigger is
-- ENABLE ALWAYS, so that session_replication_role = replica does not switch it off.
-- SQLSTATEs of class ML are the ledger's own; multitask/ledger/errors.py names them.

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the books are append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'ML001';
END $$;

-- One statement inserts all the legs of a header: as many as the header says, summing to zero in
-- each currency, on accounts that exist, and already counted in the accounts' balances.
CREATE FUNCTION ledger_check_added_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_transaction uuid;
    v_reason text;
BEGIN
    SELECT per_currency.transaction_id,
           CASE WHEN bool_or(header_legs IS NULL) THEN 'it has no header'
                WHEN bool_or(strays > 0) THEN 'an account or balance does not match'
                WHEN sum(added) <> min(header_legs) OR min(first_position) <> 1
                     OR max(last_position) <> min(header_legs)
                     THEN 'its legs are not the ones that its header announced'
                WHEN bool_or(total <> 0) THEN 'its legs do not sum to zero in each currency'
           END
      INTO v_transaction, v_reason
      FROM (
            SELECT entry.transaction_id, account.currency, min(header.legs) AS header_legs,
                   count(*) AS added, sum(entry.amount_minor) AS total,
                   min(entry.position) AS first_position, max(entry.position) AS last_position,
                   count(*) FILTER (WHERE (entry.sequence <= balance.sequence) IS NOT TRUE) AS strays
              FROM added_entries entry
              LEFT JOIN ledger_transaction header ON header.id = entry.transaction_id
              LEFT JOIN ledger_account account ON account.id = entry.account_id
              LEFT JOIN ledger_balance balance ON balance.account_id = entry.account_id
                                              AND balance.stripe = entry.stripe
             GROUP BY entry.transaction_id, account.currency
           ) per_currency
     GROUP BY per_currency.transaction_id
    HAVING bool_or(header_legs IS NULL) OR bool_or(strays > 0) OR bool_or(total <> 0)
        OR sum(added) <> min(header_legs) OR min(first_position) <> 1
        OR max(last_position) <> min(header_legs)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entries of transaction % are refused: %', v_transaction, v_reason
            USING ERRCODE = 'ML002';
    END IF;
    RETURN NULL;
END $$;

-- A header cannot be committed alone. Its legs were checked as they came, so one is proof of all.
CREATE FUNCTION ledger_check_header_has_legs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'transaction % is refused: it has no legs', NEW.id USING ERRCODE = 'ML002';
    END IF;
    RETURN NULL;
END $$;

-- A balance moves only together with the entries that say why.
CREATE FUNCTION ledger_check_moved_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM moved_to AS later
          LEFT JOIN moved_from AS earlier USING (account_id, stripe)
         CROSS JOIN LATERAL (
                SELECT count(*) AS added,
                       coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0) AS credited,
                       coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0) AS debited
                  FROM ledger_entry entry
                 WHERE entry.account_id = later.account_id AND entry.stripe = later.stripe
                   AND entry.sequence > earlier.sequence AND entry.sequence <= later.sequence) entries
         WHERE (added = later.sequence - earlier.sequence
                AND credited = later.credits_minor - earlier.credits_minor
                AND debited = later.debits_minor - earlier.debits_minor
                AND later.floor_minor IS NOT DISTINCT FROM earlier.floor_minor
                AND later.recorded_at >= coalesce(earlier.recorded_at, later.recorded_at)) IS NOT TRUE
    ) THEN
        RAISE EXCEPTION 'a balance moves only with entries that say why' USING ERRCODE = 'ML003';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_check_opened_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence <> 0 OR NEW.debits_minor <> 0 OR NEW.credits_minor <> 0
       OR NOT EXISTS (SELECT FROM ledger_account account
                       WHERE account.id = NEW.account_id AND NEW.stripe < account.stripes
                         AND account.floor_minor IS NOT DISTINCT FROM NEW.floor_minor) THEN
        RAISE EXCEPTION 'an account opens with a balance of zero and its own floor'
            USING ERRCODE = 'ML003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER complete_and_balanced AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS added_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_added_entries();
CREATE CONSTRAINT TRIGGER has_legs AFTER INSERT ON ledger_transaction
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_check_header_has_legs();
CREATE TRIGGER moves_with_entries AFTER UPDATE ON ledger_balance
    REFERENCING OLD TABLE AS moved_from NEW TABLE AS moved_to
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_moved_balances();
CREATE TRIGGER opens_at_zero BEFORE INSERT ON ledger_balance
    FOR EACH ROW EXECUTE FUNCTION ledger_check_opened_balance();

ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_transaction ENABLE ALWAYS TRIGGER has_legs;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER complete_and_balanced;
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER moves_with_entries;
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER opens_at_zero;

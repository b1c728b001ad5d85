-- The guards of 0001_guards.sql again, as strict as before, with less to do for each posting. PostgreSQL
-- reads every CHECK and every WHEN anew for each statement, which costs several times what it takes to
-- answer them: what the insert trigger looks at anyhow moves there, and two checks of a row become one.

-- One statement inserts all the legs of a header: two or more, as many as the header says, in positions
-- from one on, each of which moves something, on accounts that exist, summing to zero in each currency. A
-- cheap look settles the common case of one currency; whatever does not pass it is looked at closely.
-- Headers and accounts are found by subqueries, which look into an index however small the tables were
-- when the session planned them; a join may have been planned to read them whole.
CREATE OR REPLACE FUNCTION ledger_check_added_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_transaction uuid;
BEGIN
    IF current_setting('ledger.writer', true) = 'ledger_post' AND NOT EXISTS (
        SELECT FROM (SELECT transaction_id, position, amount_minor,
                            (SELECT currency FROM ledger_account account WHERE account.id = entry.account_id)
                       FROM added_entries entry) leg
         GROUP BY transaction_id, currency
        HAVING (min(position) = 1 AND max(position) >= 2 AND count(nullif(amount_minor, 0)) = max(position)
                AND currency IS NOT NULL AND sum(amount_minor) = 0
                AND max(position) = (SELECT legs FROM ledger_transaction header
                                      WHERE header.id = leg.transaction_id)) IS NOT TRUE)
    THEN
        RETURN NULL;
    END IF;
    IF current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post' THEN
        RAISE EXCEPTION 'INSERT on ledger_entry is refused: only ledger_post writes the books'
            USING ERRCODE = 'ML003';
    END IF;
    SELECT entry.transaction_id INTO v_transaction
      FROM added_entries entry
      LEFT JOIN ledger_transaction header ON header.id = entry.transaction_id
      LEFT JOIN ledger_account account ON account.id = entry.account_id
     GROUP BY entry.transaction_id
    HAVING (count(account.id) = min(header.legs) AND count(nullif(entry.amount_minor, 0)) = min(header.legs)
            AND min(entry.position) = 1 AND max(entry.position) = min(header.legs) AND min(header.legs) >= 2)
           IS NOT TRUE;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is refused: its legs are not those that its header announced, or move nothing',
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

ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_moves_something;
ALTER TABLE ledger_transaction DROP CONSTRAINT ledger_transaction_at_least_two_legs;

-- A floor of NULL is no floor: it leaves the check undecided, which passes.
ALTER TABLE ledger_balance
    DROP CONSTRAINT ledger_balance_adds_up,
    DROP CONSTRAINT ledger_balance_floor,
    ADD CONSTRAINT ledger_balance_adds_up_above_floor
        CHECK (balance_minor = credits_minor - debits_minor AND balance_minor >= floor_minor);

CREATE OR REPLACE FUNCTION ledger_refuse_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ledger.writer', true) IS DISTINCT FROM 'ledger_post' THEN
        RAISE EXCEPTION '% on % is refused: only ledger_post writes the books', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'ML003';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER one_writer ON ledger_account;
CREATE TRIGGER one_writer BEFORE INSERT ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_writer();
ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER one_writer;
DROP TRIGGER one_writer ON ledger_balance;
CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_writer();
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER one_writer;

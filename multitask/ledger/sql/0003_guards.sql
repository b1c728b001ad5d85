-- The guards of the legs with fewer queries. What one statement adds is checked by the statement's own rows; that
-- it is what the header announced, once for each header when it is committed.

-- One statement inserts all the legs of a transaction: two or more, in positions from one on, each of which
-- moves something, summing to zero in each currency. No later statement fits in, since it would begin at one again.
-- A walk over the rows settles the common case of one transaction in one currency, which costs less than to set up
-- one aggregate; whatever does not pass it is looked at closely.
CREATE OR REPLACE FUNCTION ledger_check_added_entries() RETURNS trigger LANGUAGE plpgsql AS $$
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
    -- No two legs of a transaction have one position, so as many as the last one says are one to the last.
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

-- A header is committed with the legs that it announced: they were added together in positions from one on, so the
-- last one tells how many there are.
CREATE OR REPLACE FUNCTION ledger_check_header_has_legs() RETURNS trigger LANGUAGE plpgsql
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

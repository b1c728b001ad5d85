-- The view and the functions that multitask/ledger/reading.py and periods.py use.

-- An entry with the code of its account and the header of its transaction.
CREATE VIEW ledger_line AS
SELECT entry.transaction_id, entry.position, account.code, account.currency, entry.shard, entry.sequence,
       entry.amount_minor, entry.balance_after_minor, header.kind, header.description,
       header.effective_at, entry.created_at, entry.account_id
  FROM ledger_entry entry
  JOIN ledger_account account ON account.id = entry.account_id
  JOIN ledger_transaction header ON header.id = entry.transaction_id;

-- Returns the highest sequence of a shard that was recorded before a moment; 0 if there is none.
-- Sequences have no gaps and times never decrease, so a binary search finds it without an index on the time.
CREATE FUNCTION ledger_sequence_before(p_account bigint, p_shard smallint, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_below bigint := 0;
    v_top bigint;
    v_middle bigint;
BEGIN
    SELECT sequence INTO v_top FROM ledger_balance WHERE account_id = p_account AND shard = p_shard;
    WHILE v_below < v_top LOOP
        v_middle := v_below + (v_top - v_below + 1) / 2;
        IF (SELECT created_at < p_at FROM ledger_entry
             WHERE account_id = p_account AND shard = p_shard AND sequence = v_middle) THEN
            v_below := v_middle;
        ELSE
            v_top := v_middle - 1;
        END IF;
    END LOOP;
    RETURN v_below;
END $$;

-- Returns the moment before which nothing can be recorded any more: now, or the start of the oldest transaction
-- that is posting. A posting locks ledger_transaction before it reads the clock, and every role can see who holds
-- a lock. If a transaction hides its start from this role, nothing counts as closed.
CREATE FUNCTION ledger_closed_until() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_oldest timestamptz;
BEGIN
    SELECT min(coalesce(activity.xact_start, 'epoch')) INTO v_oldest
      FROM pg_locks held LEFT JOIN pg_stat_activity activity ON activity.pid = held.pid
     WHERE held.locktype = 'relation' AND held.relation = 'ledger_transaction'::regclass
       AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND held.mode = 'RowExclusiveLock' AND held.granted
       AND held.pid IS DISTINCT FROM pg_backend_pid();
    RETURN least(v_now, v_oldest);
END $$;

-- The tables of the ledger: accounts, their running balances, and the append-only record of transactions.
-- Amounts are signed minor units (bigint). A positive amount credits an account, a negative one debits it,
-- and a balance is credits minus debits.
-- PostgreSQL prepares every CHECK again for every statement, so the tables that each posting writes have only
-- one, the floor of a balance. ledger_post and the triggers of guards.sql enforce the other rules;
-- ledger.checks proves them.

CREATE TABLE ledger_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CHECK (code ~ '^[A-Za-z0-9_.:@-]{1,200}$'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- The lowest balance that the account may have; NULL for no lower limit.
    floor_minor bigint CHECK (floor_minor <= 0),
    -- The balance of a hot account is spread over several rows (shards), so that concurrent postings do not
    -- wait for one row.
    shards smallint NOT NULL CHECK (shards BETWEEN 1 AND 256),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ledger_account_code_currency UNIQUE (code, currency),
    -- A floor on each shard would not limit the sum of all shards.
    CONSTRAINT ledger_account_sharded_has_no_floor CHECK (shards = 1 OR floor_minor IS NULL)
);

CREATE TABLE ledger_transaction (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of what the request asked to move: kind, reversal, and legs in order.
    request_hash bytea NOT NULL,
    -- The number of entries of this transaction. They have the positions 1 to legs and are all inserted by one
    -- statement, so that no leg can be added later.
    legs smallint NOT NULL,
    effective_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    reverses uuid REFERENCES ledger_transaction (id),
    description text NOT NULL,
    details jsonb NOT NULL,
    CONSTRAINT ledger_transaction_scope_key UNIQUE (scope, key)
);

-- Partial, so that the many transactions that reverse nothing do not write to it.
CREATE UNIQUE INDEX ledger_transaction_reverses ON ledger_transaction (reverses)
    WHERE reverses IS NOT NULL;

-- No foreign keys: the key-share lock on the row of a hot account costs a third of the throughput. ledger_post
-- finds the account of each leg itself, and ledger.checks proves that the account and the transaction exist.
CREATE TABLE ledger_entry (
    transaction_id uuid NOT NULL,
    account_id bigint NOT NULL,
    amount_minor bigint NOT NULL,
    sequence bigint NOT NULL,
    balance_after_minor bigint NOT NULL,
    created_at timestamptz NOT NULL,
    position smallint NOT NULL,
    shard smallint NOT NULL,
    -- The currency of the account, repeated here so that the guard of the sums (guards.sql) reads it from the
    -- inserted rows and needs no lookup. ledger_post writes the currency by which it found the account, and
    -- ledger.checks compares the two.
    currency text NOT NULL,
    PRIMARY KEY (transaction_id, position),
    CONSTRAINT ledger_entry_account_sequence UNIQUE (account_id, shard, sequence)
);

-- Half-empty pages and no index on a column that changes keep every update on its page (HOT updates).
CREATE TABLE ledger_balance (
    account_id bigint NOT NULL REFERENCES ledger_account (id),
    debits_minor bigint NOT NULL DEFAULT 0,
    credits_minor bigint NOT NULL DEFAULT 0,
    -- Credits minus debits. Only ledger.checks proves it: one statement moves all three columns, and a CHECK
    -- costs each posting as much as writing two rows.
    balance_minor bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL DEFAULT 0,
    floor_minor bigint,
    -- When the last entry was recorded; the next one is never recorded earlier.
    recorded_at timestamptz,
    shard smallint NOT NULL,
    PRIMARY KEY (account_id, shard),
    -- Without a floor (NULL) the comparison is NULL, and a CHECK accepts NULL.
    CONSTRAINT ledger_balance_floor CHECK (balance_minor >= floor_minor)
) WITH (fillfactor = 50);

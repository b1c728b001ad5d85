-- The books: accounts, their running balances, and the append-only record of what moved.
-- Amounts are signed minor units (bigint). A positive amount credits an account, a negative one
-- debits it, and a balance is credits minus debits.
-- PostgreSQL reads every CHECK anew for every statement, so the tables that each posting writes have
-- only those that guard money; the rest is the posting function's to see to.

CREATE TABLE ledger_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CHECK (code ~ '^[A-Za-z0-9_.:@-]{1,200}$'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- The lowest balance the account may have; NULL means that it may fall without end.
    floor_minor bigint CHECK (floor_minor <= 0),
    -- A hot account spreads its balance over several rows, so that writers do not queue.
    stripes smallint NOT NULL CHECK (stripes BETWEEN 1 AND 256),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ledger_account_code_currency UNIQUE (code, currency),
    -- A floor on one stripe would say nothing about the sum of all stripes.
    CONSTRAINT ledger_account_striped_has_no_floor CHECK (stripes = 1 OR floor_minor IS NULL)
);

CREATE TABLE ledger_transaction (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of what the request asked to move (kind, reversal, legs in order).
    request_hash bytea NOT NULL,
    -- How many entries belong to this header. They have the positions 1 to legs and are all inserted
    -- by one statement, so that no leg fits in later.
    legs smallint NOT NULL,
    effective_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    reverses uuid REFERENCES ledger_transaction (id),
    description text NOT NULL,
    details jsonb NOT NULL,
    CONSTRAINT ledger_transaction_at_least_two_legs CHECK (legs >= 2),
    CONSTRAINT ledger_transaction_scope_key UNIQUE (scope, key)
);

-- Partial, so that the many transactions that reverse nothing pay nothing for it.
CREATE UNIQUE INDEX ledger_transaction_reverses ON ledger_transaction (reverses)
    WHERE reverses IS NOT NULL;

-- No foreign keys: the key-share lock on a hot account's row costs a third of the throughput, and
-- the insert trigger of 0001_guards.sql looks for header and account of every entry instead.
CREATE TABLE ledger_entry (
    transaction_id uuid NOT NULL,
    account_id bigint NOT NULL,
    amount_minor bigint NOT NULL,
    sequence bigint NOT NULL,
    balance_after_minor bigint NOT NULL,
    created_at timestamptz NOT NULL,
    position smallint NOT NULL,
    stripe smallint NOT NULL,
    PRIMARY KEY (transaction_id, position),
    CONSTRAINT ledger_entry_account_sequence UNIQUE (account_id, stripe, sequence),
    CONSTRAINT ledger_entry_moves_something CHECK (amount_minor <> 0)
);

-- Half-empty pages and no index on a changing column keep every update on its page (HOT).
CREATE TABLE ledger_balance (
    account_id bigint NOT NULL REFERENCES ledger_account (id),
    debits_minor bigint NOT NULL DEFAULT 0,
    credits_minor bigint NOT NULL DEFAULT 0,
    balance_minor bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL DEFAULT 0,
    floor_minor bigint,
    -- When the last entry was recorded; the next one is never recorded earlier.
    recorded_at timestamptz,
    stripe smallint NOT NULL,
    PRIMARY KEY (account_id, stripe),
    CONSTRAINT ledger_balance_adds_up CHECK (balance_minor = credits_minor - debits_minor),
    CONSTRAINT ledger_balance_floor CHECK (balance_minor >= floor_minor)
) WITH (fillfactor = 50);

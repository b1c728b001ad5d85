-- The hash chain over the ledger's transactions (multitask/ledger/chain.py). Nothing that posts reads or writes it,
-- so it costs a posting nothing: a job appends links for transactions that are closed.

CREATE TABLE ledger_link (
    -- 1 for the first link; no number is left out.
    number bigint PRIMARY KEY CHECK (number > 0),
    -- A link covers the transactions whose ids come after the last one of the link before, up to this one.
    last_transaction uuid NOT NULL UNIQUE,
    -- The number of transactions that this link and all before it cover.
    transactions bigint NOT NULL CHECK (transactions > 0),
    -- The SHA-256 of each transaction of this link, in the order of their ids, 32 bytes each.
    digests bytea NOT NULL CHECK (length(digests) > 0 AND length(digests) % 32 = 0),
    -- The SHA-256 of the hash of the link before and of this link.
    hash bytea NOT NULL CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Hashes do not compress, and a digest is read with all others of its link.
ALTER TABLE ledger_link ALTER COLUMN digests SET STORAGE EXTERNAL;

CREATE INDEX ledger_link_transactions ON ledger_link (transactions);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_link
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE ledger_link ENABLE ALWAYS TRIGGER append_only;

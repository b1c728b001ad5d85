-- The checkpoints of the incremental proof (multitask/ledger/checkpoints.py): what was proven, up to which link of the
-- hash chain. Each is written in one statement after all that it states was proven, and none is ever changed.

CREATE TABLE ledger_checkpoint (
    -- 1 for the first checkpoint; no number is left out.
    number bigint PRIMARY KEY CHECK (number > 0),
    -- The transactions of this link and of all before it are proven; the hash of that link, and how many they are.
    link bigint NOT NULL CHECK (link > 0),
    link_hash bytea NOT NULL CHECK (length(link_hash) = 32),
    transactions bigint NOT NULL CHECK (transactions > 0),
    -- The last link that was read again, as part of the round that reads all old ones again.
    reread bigint NOT NULL CHECK (reread >= 0),
    -- The SHA-256 of the hash of the checkpoint before and of this one.
    hash bytea NOT NULL CHECK (length(hash) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
ALTER TABLE ledger_checkpoint ENABLE ALWAYS TRIGGER append_only;

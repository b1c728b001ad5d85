-- The invariants of other packages that a proof found broken (multitask/ledger/broken.py): each later proof checks them
-- as a whole, until they hold again.

CREATE TABLE ledger_broken (
    -- The name of the invariant.
    name text PRIMARY KEY,
    -- When it was last found broken.
    found_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

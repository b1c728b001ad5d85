-- In the order in which postings take them, so that none is met half-way.
LOCK TABLE ledger_transaction, ledger_account, ledger_balance, ledger_entry IN ACCESS EXCLUSIVE MODE;

-- Each entry names its currency, so that the guard of the sums finds it in the rows that it is given and looks up
-- nothing: ledger_post writes there the currency by which it found the account, and ledger.checks compares the two.
ALTER TABLE ledger_entry ADD COLUMN currency text;
ALTER TABLE ledger_entry DISABLE TRIGGER append_only;
UPDATE ledger_entry entry SET currency = account.currency
  FROM ledger_account account WHERE account.id = entry.account_id;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_entry ALTER COLUMN currency SET NOT NULL;

-- That a balance is credits minus debits is proved by ledger.checks alone: the one statement that moves a balance
-- moves all three, and a CHECK costs each posting as much as two rows.
-- A floor of NULL is no floor: it leaves the check undecided, which passes.
ALTER TABLE ledger_balance
    DROP CONSTRAINT ledger_balance_adds_up_above_floor,
    ADD CONSTRAINT ledger_balance_floor CHECK (balance_minor >= floor_minor);

-- Counts and sums of history rows, kept as rows come and change, so that a wallet of a million
-- rows answers as fast as one of ten. Statement triggers with transition tables: one upsert for
-- a statement, in one order, so that commands do not deadlock over the totals.

CREATE FUNCTION payments_history_totals_add() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_historytotal AS t
           (user_id, currency, type, status, direction, rows, amount_minor, fee_minor)
    SELECT user_id, currency, type, status, direction, sum(n), sum(n * amount_minor), sum(n * fee_minor)
      FROM (SELECT user_id, currency, type, status, direction, amount_minor, fee_minor, 1 AS n
              FROM new_rows) AS changes
     GROUP BY user_id, currency, type, status, direction
     ORDER BY user_id, currency, type, status, direction
        ON CONFLICT (user_id, currency, type, status, direction) DO UPDATE
       SET rows = t.rows + excluded.rows,
           amount_minor = t.amount_minor + excluded.amount_minor,
           fee_minor = t.fee_minor + excluded.fee_minor;
    RETURN NULL;
END $$;

CREATE FUNCTION payments_history_totals_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_historytotal AS t
           (user_id, currency, type, status, direction, rows, amount_minor, fee_minor)
    SELECT user_id, currency, type, status, direction, sum(n), sum(n * amount_minor), sum(n * fee_minor)
      FROM (SELECT user_id, currency, type, status, direction, amount_minor, fee_minor, 1 AS n
              FROM new_rows
             UNION ALL
            SELECT user_id, currency, type, status, direction, amount_minor, fee_minor, -1
              FROM old_rows) AS changes
     GROUP BY user_id, currency, type, status, direction
    HAVING sum(n) <> 0 OR sum(n * amount_minor) <> 0 OR sum(n * fee_minor) <> 0
     ORDER BY user_id, currency, type, status, direction
        ON CONFLICT (user_id, currency, type, status, direction) DO UPDATE
       SET rows = t.rows + excluded.rows,
           amount_minor = t.amount_minor + excluded.amount_minor,
           fee_minor = t.fee_minor + excluded.fee_minor;
    RETURN NULL;
END $$;

CREATE TRIGGER payments_history_added AFTER INSERT ON payments_historyrow
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION payments_history_totals_add();

CREATE TRIGGER payments_history_changed AFTER UPDATE ON payments_historyrow
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION payments_history_totals_change();

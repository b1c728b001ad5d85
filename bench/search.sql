-- People, tasks, agreements, escrows and history for the searches, inserted directly into the tables. N of each,
-- numbered from a first number on; the first person is the client of all and has all of the history. Every row has the words
-- "every" and "كل", every thousandth has "rare" and "نادرة", ten have "ten" and "عشرة".
SET LOCAL session_replication_role = replica;
SET LOCAL maintenance_work_mem = '256MB';
ALTER TABLE payments_historyrow ENABLE ALWAYS TRIGGER payments_history_words;
ALTER TABLE payments_historyrow ENABLE ALWAYS TRIGGER payments_history_added;

-- Creating the indexes afterwards is cheaper than updating them for each row.
CREATE TEMPORARY TABLE set_aside ON COMMIT DROP AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index
 WHERE NOT indisunique AND indrelid IN ('users_user'::regclass, 'marketplace_task'::regclass,
       'payments_agreement'::regclass, 'payments_escrow'::regclass, 'payments_historyrow'::regclass);
DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || string_agg(name, ', ') FROM set_aside); END $$;

CREATE TEMPORARY TABLE planned ON COMMIT DROP AS
SELECT n + {first} - 1 AS id,
       'every كل ' || CASE WHEN n % 1000 = 7 THEN 'rare نادرة ' ELSE '' END
       || CASE WHEN n % ({rows} / 10) = 3 THEN 'ten عشرة ' ELSE '' END || 'word' || n % 5000 || ' كلمة' || n % 3000 AS words
  FROM generate_series(1, {rows}) AS n;

INSERT INTO users_user (id, username, password, email, email_confirmed_at, is_superuser, is_client, is_freelancer,
                        staff_role, is_staff, is_active, country, default_currency, language, time_zone, created_at)
SELECT id, 'somebody.' || id, '', replace(split_part(words, 'word', 1), ' ', '.') || id || '@every.test', now(), false,
       true, false, '', false, true, 'EG', 'EGP', 'ar', 'UTC', now()
  FROM (SELECT id, regexp_replace(words, '[^a-z0-9 ]', '', 'g') AS words FROM planned) AS latin;
INSERT INTO marketplace_task (id, client_id, title, description, budget_minor, currency, state, created_at)
SELECT id, {first}, words, 'A description of ' || words, 100, 'EGP', 'open', now() FROM planned;
INSERT INTO payments_agreement (id, public_id, payer_id, payee_id, title, reference, link, provider, currency,
                                fee_basis_points, auto_release_days, refund_answer_days, share_step, route, created_at)
SELECT id, gen_random_uuid(), {first}, {first} + 1, words, 'bench:' || id, '', 'stripe', 'EGP', 1500, 14, 7, 1, 'connected', now()
  FROM planned;
INSERT INTO payments_historyrow (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency,
                                 sender_id, reference, description, created_at, failure_reason)
SELECT gen_random_uuid(), {first}, 'adjustment', 'completed', 'in', 1000 + id, 0, 'EGP', {first} + 1, 'bench:' || id,
       words, now(), '' FROM planned;
DO $$ BEGIN EXECUTE (SELECT string_agg(definition, '; ') FROM set_aside); END $$;
ALTER TABLE payments_historyrow ENABLE TRIGGER payments_history_words;
ALTER TABLE payments_historyrow ENABLE TRIGGER payments_history_added;

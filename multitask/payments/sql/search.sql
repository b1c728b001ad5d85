-- The words of agreements and of rows of the history, for the searches. The functions are in database/sql/search.sql.

ALTER TABLE payments_agreement ADD COLUMN search tsvector GENERATED ALWAYS AS (array_to_tsvector(search_lexemes(title))) STORED;
CREATE INDEX payments_agreement_search ON payments_agreement USING gin (search) WITH (fastupdate = off);

-- A row is found by its description, the title of its agreement and the name of the other side, and by its amount; its
-- own user's name would be in every row. Every word has the user's id before it, so that the index leads to the rows of
-- one user; an amount is written as "7:=8500USD". Titles and names never change. A release adds a hundred words and
-- beginnings of words; written one by one into the lists of a user with many rows they would be most of what the release
-- writes. So they wait in a list that is merged at 512 kB, which takes a search a fraction of a millisecond to read.
ALTER TABLE payments_historyrow ADD COLUMN search tsvector;
CREATE INDEX payments_history_search ON payments_historyrow USING gin (search)
    WITH (fastupdate = on, gin_pending_list_limit = 512);

CREATE FUNCTION payments_history_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_title text;
    v_of_title tsvector;
    v_names text := (SELECT string_agg(username, ' ') FROM users_user
                      WHERE id IN (NEW.sender_id, NEW.recipient_id) AND id <> NEW.user_id);
BEGIN
    SELECT agreement.title, agreement.search INTO v_title, v_of_title
      FROM payments_escrow escrow JOIN payments_agreement agreement ON agreement.id = escrow.agreement_id
     WHERE escrow.id = NEW.escrow_id;
    -- The words of the title, which most descriptions quote, were found when the agreement was opened.
    NEW.search := array_to_tsvector(
        ARRAY(SELECT NEW.user_id || ':' || lexeme FROM unnest(
            search_lexemes(concat_ws(' ', coalesce(replace(NEW.description, '“' || v_title || '”', ' '), NEW.description), v_names))
            || tsvector_to_array(v_of_title)) AS lexeme)
        || (NEW.user_id || ':=' || NEW.amount_minor || NEW.currency));
    RETURN NEW;
END $$;

-- The rows of a release bring their words (commands.sql), since finding them takes as long as all else that it writes.
CREATE TRIGGER payments_history_words BEFORE INSERT ON payments_historyrow
    FOR EACH ROW WHEN (NEW.search IS NULL) EXECUTE FUNCTION payments_history_words();
CREATE TRIGGER payments_history_new_words BEFORE UPDATE OF description, amount_minor ON payments_historyrow
    FOR EACH ROW EXECUTE FUNCTION payments_history_words();

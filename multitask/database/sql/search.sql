-- Words as a search compares them. The same as multitask/text/folding.py, where each step is explained; a property test
-- holds both equal. Results are stored in columns: a change here needs a migration that computes them anew. Their
-- indexes have no list of pending entries (fastupdate), which every search would have to read, or a short one where
-- rows are written all the time.

CREATE FUNCTION search_folded(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    -- "C" folds ASCII alone, whatever the locale of the database.
    v_plain text COLLATE "C" := value;
BEGIN
    IF octet_length(value) <> char_length(value) THEN
        v_plain := regexp_replace(normalize(value, NFKD),
            '[\u0300-\u036f\u0483-\u0487\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8'
            '\u06ea-\u06ed\u08d3-\u08ff\u0640\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]', '', 'g');
        v_plain := replace(replace(v_plain, U&'\064A\0654\0648', 'وو'), 'ءو', 'وو');
        v_plain := regexp_replace(v_plain, '[\u0653-\u0655]', '', 'g');
        v_plain := translate(v_plain, 'ŁłØøĐđÐðĦħıŦŧ', 'llooddddhhitt');
        v_plain := translate(v_plain, 'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩς', 'αβγδεζηθικλμνξοπρστυφχψωσ');
        v_plain := translate(v_plain, 'АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ', 'абвгдежзиклмнопрстуфхцчшщъыьэюя');
        v_plain := translate(v_plain, 'ЂЄЅІЈЉЊЋЏҐ', 'ђєѕіјљњћџґ');
        -- The last letter, a hamza on the line, has no counterpart and is removed.
        v_plain := translate(v_plain, 'ٱىیےةہەھکڪپڤچء', 'اييي' || 'هههه' || 'كك' || 'بفج');
        v_plain := translate(v_plain, '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹', '01234567890123456789');
        v_plain := replace(replace(replace(replace(v_plain, 'ß', 'ss'), 'ẞ', 'ss'), 'æ', 'ae'), 'Æ', 'ae');
        v_plain := replace(replace(replace(replace(v_plain, 'œ', 'oe'), 'Œ', 'oe'), 'þ', 'th'), 'Þ', 'th');
    END IF;
    RETURN btrim(regexp_replace(lower(v_plain),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u060c\u060d\u061b\u061e\u061f\u066a-\u066d\u06d4'
        '\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u3003\u3008-\u3011\ufe10-\ufe6f\ufffc-\uffff]+', ' ', 'g'), ' ');
END $$;

CREATE FUNCTION search_lexemes(value text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    v_forms text[] := string_to_array(search_folded(value), ' ');
BEGIN
    IF octet_length(value) <> char_length(value) THEN
        v_forms := v_forms || ARRAY(
            SELECT form FROM unnest(v_forms) AS word
             CROSS JOIN LATERAL (VALUES
                   (regexp_replace(word, '^(?:ال(?=..)|[وفبك]ال(?=...)|لل(?=...)|[وف](?:[بك]ال|لل)(?=...))', '')),
                   (regexp_replace(word, '^[وفبلك](?=...)', ''))) AS forms (form)
             WHERE form <> word);
    END IF;
    RETURN ARRAY(SELECT DISTINCT left(form, letters) FROM unnest(v_forms) AS form, generate_series(1, 15) AS letters
                  WHERE letters BETWEEN least(2, length(form)) AND length(form));
END $$;

-- A dump is restored with an empty search path.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION search_lexemes(text) SET search_path = %I, pg_temp', current_schema());
END $$;

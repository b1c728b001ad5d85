"""How SQL is broken on purpose: each place once, comments and quoted words never."""

from stack import sql_changes

GUARD = "-- a <> b\nSELECT 'x <> y' FROM t\n WHERE a <> 0 AND b >= 1;\n"


def test_each_place_is_broken_by_itself() -> None:
    broken = [(change.line, change.before, change.after) for change in sql_changes.changes(GUARD)]

    assert broken == [(3, "<>", "="), (3, "AND", "OR"), (3, ">=", ">")]


def test_all_else_stays_as_it_was() -> None:
    first = next(sql_changes.changes(GUARD))

    assert first.text == GUARD.replace("a <> 0", "a = 0")


def test_what_a_later_file_says_again_is_left_alone() -> None:
    function = "CREATE FUNCTION f() LANGUAGE plpgsql AS $$\nBEGIN IF a <> 0 THEN b; END IF; END $$;\n"
    trigger = "CREATE TRIGGER one BEFORE INSERT\n ON t WHEN (a <> 0) EXECUTE FUNCTION f();\n"
    trigger += "ALTER TABLE t ENABLE ALWAYS TRIGGER one;\n"
    later = "CREATE OR REPLACE FUNCTION f() ...; DROP TRIGGER one ON t; ALTER TABLE t DROP CONSTRAINT some;"
    text = f"{function}{trigger} CONSTRAINT some CHECK (a <> 0),\n CONSTRAINT other CHECK (b <> 0)\n"

    assert {change.line for change in sql_changes.changes(text, later)} == {7}
    assert {change.line for change in sql_changes.changes(text)} == {2, 4, 5, 6, 7}


def test_what_was_replaced_before_and_is_again_or_is_dropped_is_left_alone() -> None:
    replaced = "CREATE OR REPLACE FUNCTION f() AS $$ a <> 0 $$;\nCREATE FUNCTION g() AS $$ a <> 0 $$;\n"
    text = f"{replaced}ADD CONSTRAINT some\n    CHECK (b <> 0);\nSELECT c <> 0;\n"
    later = "DROP FUNCTION g; CREATE OR REPLACE FUNCTION f() ...; DROP CONSTRAINT some;"

    assert {change.line for change in sql_changes.changes(text, later)} == {5}
    assert {change.line for change in sql_changes.changes(text)} == {1, 2, 4, 5}

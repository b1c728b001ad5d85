"""Mutations of SQL: each place is changed once, comments and quoted strings never."""

from stack import sql_changes

GUARD = "-- a <> b\nSELECT 'x <> y' FROM t\n WHERE a <> 0 AND b >= 1;\n"


def test_each_place_is_changed_separately() -> None:
    broken = [(change.line, change.before, change.after) for change in sql_changes.changes(GUARD)]

    assert broken == [(3, "<>", "="), (3, "AND", "OR"), (3, ">=", ">")]


def test_the_rest_of_the_text_is_unchanged() -> None:
    first = next(sql_changes.changes(GUARD))

    assert first.text == GUARD.replace("a <> 0", "a = 0")

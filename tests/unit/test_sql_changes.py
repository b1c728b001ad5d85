"""How SQL is broken on purpose: each place once, comments and quoted words never."""

from stack import sql_changes

GUARD = "-- a <> b\nSELECT 'x <> y' FROM t\n WHERE a <> 0 AND b >= 1;\n"


def test_each_place_is_broken_by_itself() -> None:
    broken = [(change.line, change.before, change.after) for change in sql_changes.changes(GUARD)]

    assert broken == [(3, "<>", "="), (3, "AND", "OR"), (3, ">=", ">")]


def test_all_else_stays_as_it_was() -> None:
    first = next(sql_changes.changes(GUARD))

    assert first.text == GUARD.replace("a <> 0", "a = 0")

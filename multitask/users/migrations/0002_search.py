"""The functions that fold text for searches, and the words of users' names and addresses."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

from multitask import database

FUNCTIONS = (Path(database.__file__).parent / "sql" / "search.sql").read_text()
FUNCTIONS_UNDONE = """
DROP FUNCTION search_lexemes(text);
DROP FUNCTION search_folded(text);
"""
WORDS = """
ALTER TABLE users_user ADD COLUMN search tsvector
    GENERATED ALWAYS AS (array_to_tsvector(search_lexemes(username || ' ' || email))) STORED;
CREATE INDEX users_user_search ON users_user USING gin (search) WITH (fastupdate = off);
"""
WORDS_UNDONE = "ALTER TABLE users_user DROP COLUMN search;"


class Migration(migrations.Migration):
    """Add the functions and the column; other applications' columns use the functions too."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("users", "0001_initial")]
    operations: ClassVar[list[migrations.RunSQL]] = [
        migrations.RunSQL(FUNCTIONS, FUNCTIONS_UNDONE),
        migrations.RunSQL(WORDS, WORDS_UNDONE),
    ]

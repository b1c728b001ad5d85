"""The database of a simulation: created once as a copy of a migrated one, emptied before each story."""

import itertools

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

# Of a new database: who may see what.
STATIC = {"auth_permission", "django_content_type", "django_migrations"}


# The functions of the triggers that refuse to remove anything, whoever asks; 8 is DELETE and 32 is TRUNCATE.
_REFUSING = """
SELECT DISTINCT pg_get_functiondef(tgfoid) FROM pg_trigger WHERE tgenabled = 'A' AND (tgtype & 40) > 0
"""
_EMPTIES = "current_setting('simulation.empties', true) = 'on'"


def make(name: str, server: str, template: str = "") -> None:
    """Make a database on a server, copied from a migrated one or migrated anew."""
    with psycopg.connect(server, autocommit=True) as admin:
        source = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + source)


def drop(name: str, server: str) -> None:
    """Drop a database."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate() -> None:
    """Apply the migrations to the database that the settings name."""
    call_command("migrate", verbosity=0)


class Emptied:
    """Makes the database as new: no rows, and every number from the beginning, so that a story finds it the same."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            tables = sorted(set(itertools.chain(*cursor.fetchall())) - STATIC)
            cursor.execute("SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences")
            sequences = sorted(itertools.chain(*cursor.fetchall()))
            # In this database alone: our code is guarded as ever, and who says that it empties is not.
            cursor.execute(_REFUSING)
            for (definition,) in cursor.fetchall():
                cursor.execute(definition.replace("BEGIN", f"BEGIN IF {_EMPTIES} THEN RETURN OLD; END IF;", 1))
        self._truncate = f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"
        self._delete = "; ".join(f"DELETE FROM {table}" for table in tables)
        self._renumber = f"SELECT {', '.join(f'setval({name!r}, 1, false)' for name in sequences)}"
        self._times = 0

    def __call__(self) -> None:
        """Empty it."""
        # Deleting few rows is quicker; truncating takes away what deleting leaves behind.
        statement = self._truncate if self._times % 40 == 0 else self._delete
        self._times += 1
        with connection.cursor() as cursor:
            cursor.execute(
                "SET session_replication_role = replica; SET simulation.empties = 'on';"
                f"{statement};{self._renumber};"
                "SET session_replication_role = DEFAULT; SET simulation.empties = 'off'"
            )

"""Compare the schema of the database with this code, by its applied migrations."""

from dataclasses import dataclass

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader


@dataclass(frozen=True, slots=True)
class Difference:
    """Migrations as `app.name`: those that are not applied yet, and those that are applied but not in this code."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]


class SchemaDiffers(Exception):
    """The schema differs from that of this code; the message is one line that names the migrations."""


class SchemaNewer(SchemaDiffers):
    """A later release migrated the schema, so the assumptions of this code about the data may be wrong."""


class SchemaOlder(SchemaDiffers):
    """Migrations of this release are not applied."""


def difference() -> Difference:
    """Compare the applied migrations with those of this code. Raises Django's database errors."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = tuple(f"{migration.app_label}.{migration.name}" for migration, _backwards in plan)
    return Difference(missing, _unknown(executor.loader))


def require_same() -> None:
    """Require the schema of this release. Raises SchemaNewer or SchemaOlder, which name the migrations."""
    found = difference()
    if found.unknown:
        raise SchemaNewer(
            f"the schema is newer than this code, which does not know {_named(found.unknown)}: use the later release"
        )
    if found.missing:
        raise SchemaOlder(f"the schema is older than this code, it lacks {_named(found.missing)}: apply the migrations")


def _unknown(loader: MigrationLoader) -> tuple[str, ...]:
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)  # The migrations that a squashed one replaces.
    return tuple(f"{app}.{name}" for app, name in sorted(set(loader.applied_migrations) - known))


def _named(migrations: tuple[str, ...]) -> str:
    more = len(migrations) - 3
    return ", ".join(migrations[:3]) + (f" and {more} more" if more > 0 else "")

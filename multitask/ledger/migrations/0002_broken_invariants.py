"""Create the table of the invariants that were found broken, from sql/; it only adds a table."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql" / "broken.sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL([SQL.read_text()], ["DROP TABLE ledger_broken"])]

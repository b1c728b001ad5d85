"""Gives each entry its currency, which lets the guard of the sums do without looking up accounts."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_lighter_posting")]

    operations = [migrations.RunSQL([(SQL / f"0003_{name}.sql").read_text()]) for name in ("tables", "guards", "post")]

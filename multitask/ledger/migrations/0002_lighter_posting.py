"""Posts with less work for each posting: new bodies for the guards and for the posting function, from sql/."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL([(SQL / f"0002_{name}.sql").read_text()]) for name in ("guards", "post")]

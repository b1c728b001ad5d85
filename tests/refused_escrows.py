"""Lets the database refuse changes of one escrow, as a fault that no code of ours causes."""

from django.db import connection


def refuse(escrow_id: int) -> None:
    """Let every change of the escrow's row fail with "refused"."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_escrow() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER refuse_escrow BEFORE UPDATE ON payments_escrow FOR EACH ROW"
            f" WHEN (NEW.id = {int(escrow_id)}) EXECUTE FUNCTION refuse_escrow()"
        )


def allow() -> None:
    """Let it change again."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse_escrow ON payments_escrow")

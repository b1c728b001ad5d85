"""Kept totals, words of the history, tables that only grow, and functions of hot reads and commands."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
FILES = ("history_totals", "escrowed_totals", "audit_guard", "proof_guard", "search", "wallet", "escrow_detail")
TOTALS, ESCROWED, AUDIT, PROOF, WORDS, WALLET, DETAIL = ((SQL / f"{name}.sql").read_text() for name in FILES)
COMMAND_FILES = ("commands", "release", "withdrawal")
COMMANDS, RELEASE, WITHDRAWAL = ((SQL / f"{name}.sql").read_text() for name in COMMAND_FILES)

UNDO_TOTALS = """
DROP TRIGGER payments_history_added ON payments_historyrow;
DROP TRIGGER payments_history_changed ON payments_historyrow;
DROP FUNCTION payments_history_totals_add();
DROP FUNCTION payments_history_totals_change();
"""
UNDO_ESCROWED = """
DROP TRIGGER payments_escrow_opened ON payments_escrow;
DROP TRIGGER payments_escrow_moved ON payments_escrow;
DROP TRIGGER payments_refund_reserved ON payments_refund;
DROP TRIGGER payments_refund_ended ON payments_refund;
DROP FUNCTION payments_escrowed_by_escrow();
DROP FUNCTION payments_escrowed_by_refund();
DROP FUNCTION payments_escrowed_add(bigint, bigint, text, bigint);
"""
UNDO_AUDIT = """
DROP TRIGGER payments_audit_append_only ON payments_auditevent;
DROP TRIGGER payments_audit_no_truncate ON payments_auditevent;
DROP FUNCTION payments_audit_refuse();
"""
UNDO_PROOF = """
DROP TRIGGER payments_proof_append_only ON payments_proofstatement;
DROP TRIGGER payments_proof_no_truncate ON payments_proofstatement;
DROP FUNCTION payments_proof_refuse();
"""

UNDO_WORDS = """
DROP TRIGGER payments_history_words ON payments_historyrow;
DROP TRIGGER payments_history_new_words ON payments_historyrow;
DROP FUNCTION payments_history_words();
ALTER TABLE payments_historyrow DROP COLUMN search;
ALTER TABLE payments_agreement DROP COLUMN search;
"""
UNDO_COMMANDS = """
DROP FUNCTION payments_write_history(jsonb);
DROP FUNCTION payments_write_audit(timestamptz, jsonb);
DROP FUNCTION payments_write_operation(jsonb);
"""
UNDO_RELEASE = """
DROP FUNCTION payments_release_guards(bigint);
DROP FUNCTION payments_release(
    bigint, timestamptz, bigint, bigint, bigint, timestamptz, text, jsonb, jsonb, jsonb, ledger_request);
"""
UNDO_WITHDRAWAL = """
DROP FUNCTION payments_next_withdrawal(bigint, text);
DROP FUNCTION payments_withdraw(
    bigint, uuid, bigint, bigint, text, bigint, text, text, timestamptz, jsonb, jsonb, jsonb);
DROP FUNCTION payments_count_call(int, bigint, text, text, timestamptz, timestamptz, timestamptz, int);
"""


class Migration(migrations.Migration):
    """Adds triggers and functions; the SQL is in `payments/sql/`."""

    dependencies = [("payments", "0001_initial"), ("users", "0002_search"), ("ledger", "0001_initial")]
    operations = [
        migrations.RunSQL(TOTALS, UNDO_TOTALS),
        migrations.RunSQL(ESCROWED, UNDO_ESCROWED),
        migrations.RunSQL(AUDIT, UNDO_AUDIT),
        migrations.RunSQL(PROOF, UNDO_PROOF),
        migrations.RunSQL(WORDS, UNDO_WORDS),
        migrations.RunSQL(WALLET, "DROP FUNCTION payments_wallet(bigint, text)"),
        migrations.RunSQL(DETAIL, "DROP FUNCTION payments_escrow_detail(bigint, uuid, bigint)"),
        migrations.RunSQL(COMMANDS, UNDO_COMMANDS),
        migrations.RunSQL(RELEASE, UNDO_RELEASE),
        migrations.RunSQL(WITHDRAWAL, UNDO_WITHDRAWAL),
    ]

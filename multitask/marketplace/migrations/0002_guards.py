"""Constraints that span two tables: a composite foreign key and a trigger. The words of tasks, for the search."""

from typing import ClassVar

from django.db import migrations

# The accepted application belongs to this task and to its freelancer.
ACCEPTED_BELONGS = """
ALTER TABLE marketplace_task ADD CONSTRAINT marketplace_task_accepted_belongs
    FOREIGN KEY (accepted_application_id, id, freelancer_id)
    REFERENCES marketplace_application (id, task_id, freelancer_id);
"""
ACCEPTED_BELONGS_UNDONE = "ALTER TABLE marketplace_task DROP CONSTRAINT marketplace_task_accepted_belongs;"

# A client cannot apply for their own task. The client and the currency of a task never change.
TWO_PEOPLE = """
CREATE FUNCTION marketplace_refuse_own_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM marketplace_task
               WHERE id = NEW.task_id AND client_id = NEW.freelancer_id) THEN
        RAISE EXCEPTION 'a client cannot apply for their own task'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'marketplace_application_two_people';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER marketplace_application_two_people
    BEFORE INSERT OR UPDATE OF task_id, freelancer_id ON marketplace_application
    FOR EACH ROW EXECUTE FUNCTION marketplace_refuse_own_application();
CREATE FUNCTION marketplace_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the client and the currency of a task never change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'marketplace_task_unchanging';
END $$;
CREATE TRIGGER marketplace_task_unchanging
    BEFORE UPDATE ON marketplace_task FOR EACH ROW
    WHEN (OLD.client_id <> NEW.client_id OR OLD.currency <> NEW.currency)
    EXECUTE FUNCTION marketplace_refuse_change();
"""
TWO_PEOPLE_UNDONE = """
DROP TRIGGER marketplace_task_unchanging ON marketplace_task;
DROP FUNCTION marketplace_refuse_change();
DROP TRIGGER marketplace_application_two_people ON marketplace_application;
DROP FUNCTION marketplace_refuse_own_application();
"""

WORDS = """
ALTER TABLE marketplace_task ADD COLUMN search tsvector
    GENERATED ALWAYS AS (array_to_tsvector(search_lexemes(title || ' ' || description))) STORED;
CREATE INDEX marketplace_task_search ON marketplace_task USING gin (search) WITH (fastupdate = off);
"""
WORDS_UNDONE = "ALTER TABLE marketplace_task DROP COLUMN search;"


class Migration(migrations.Migration):
    """Add the constraints and the column."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("marketplace", "0001_initial"), ("users", "0002_search")]
    operations: ClassVar[list[migrations.RunSQL]] = [
        migrations.RunSQL(ACCEPTED_BELONGS, ACCEPTED_BELONGS_UNDONE),
        migrations.RunSQL(TWO_PEOPLE, TWO_PEOPLE_UNDONE),
        migrations.RunSQL(WORDS, WORDS_UNDONE),
    ]

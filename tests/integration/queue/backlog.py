"""A backlog of webhooks, written by SQL as the entry would have written it, one job for each object."""

from django.db import connection

_FILL = """
WITH stored AS (
    INSERT INTO webhooks_incomingevent (
        provider, event_id, kind, account_id, subject, object_id, payload,
        received_at, waiting_since, next_attempt_at, state, attempts, last_error, awaited
    )
    SELECT 'stripe', 'evt_backlog_' || %(name)s || number, 'setup_intent.created', '', %(subject)s,
           %(name)s || number %% %(objects)s, '{}', moment, moment, moment, 'received', 0, '', %(awaited)s
      FROM generate_series(1, %(number)s) AS number,
           (SELECT now() - interval '10 minutes' AS moment) AS past
    RETURNING id, concat_ws(' ', provider, subject, account_id, object_id) AS key
)
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args)
SELECT 'webhooks', 'process_webhook', %(priority)s, key, jsonb_build_object('event_id', min(id))
  FROM stored GROUP BY key ORDER BY min(id)
"""


def fill(
    number: int,
    *,
    subject: str = "setup",
    name: str = "seti_",
    objects: int | None = None,
    awaited: bool = False,
    analyzed: bool = True,
) -> None:
    """Store events that came ten minutes ago, each of an object of its own unless `objects` says how many."""
    values = {
        "number": number,
        "subject": subject,
        "name": name,
        "objects": objects or number + 1,
        "awaited": awaited,
        "priority": 10 if awaited else 0,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FILL, values)
        if analyzed:
            cursor.execute("ANALYZE webhooks_incomingevent, procrastinate_jobs")

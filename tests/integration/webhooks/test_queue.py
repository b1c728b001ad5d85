"""New jobs are not announced: a NOTIFY would let only one commit at a time wait for the disk."""

import psycopg
import pytest
from django.db import transaction

from multitask.database import jobs
from multitask.webhooks import storage


@pytest.mark.django_db(transaction=True)
def test_a_new_job_sends_no_notice(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN procrastinate_any_queue_v1")

        with transaction.atomic():
            jobs.defer(storage.TASK, queue=storage.QUEUE, event_id=1)
        listener.execute("NOTIFY procrastinate_any_queue_v1, 'the end'")

        notices = [notice.payload for notice in listener.notifies(timeout=10, stop_after=1)]
    assert notices == ["the end"]

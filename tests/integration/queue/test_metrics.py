"""What waits in the queue can be seen where Prometheus asks."""

import pytest
from django.db import connection
from django.test import Client

from multitask.config.job_table import Ended, JobTable
from multitask.database import jobs
from multitask.webhooks.models import IncomingEvent
from tests.integration.queue import backlog
from tests.integration.queue.test_taken_jobs import silent_for

pytestmark = pytest.mark.django_db


def figures(client: Client) -> dict[str, float]:
    lines = client.get("/metrics").content.decode().splitlines()
    pairs = (
        line.rsplit(" ", 1)
        for line in lines
        if line.startswith(("multitask_queue", "multitask_webhooks", "multitask_workers"))
    )
    return {name: float(value) for name, value in pairs}


def test_the_backlog_of_webhooks_is_seen(client: Client) -> None:
    assert figures(client) == {"multitask_webhooks_lag_seconds": 0.0, "multitask_workers": 0.0}
    backlog.fill(20)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)"
            " VALUES ('emails', 'send_email', now() + interval '1 hour'),"
            " ('operations', 'perform_operation', now() - interval '90 seconds')"
        )

    seen = figures(client)

    assert seen['multitask_queue_jobs{queue="webhooks"}'] == 20
    assert seen['multitask_queue_jobs{queue="emails"}'] == 1
    assert seen['multitask_queue_oldest_seconds{queue="emails"}'] == 0
    assert seen['multitask_queue_oldest_seconds{queue="operations"}'] >= 90
    assert seen["multitask_webhooks_lag_seconds"] >= 600
    IncomingEvent.objects.update(state="processed")
    assert figures(client)["multitask_webhooks_lag_seconds"] == 0


def test_a_worker_is_counted_while_it_looks_for_jobs(client: Client) -> None:
    table = JobTable()
    table.take({"operations": 1}, Ended())
    assert figures(client)["multitask_workers"] == 1

    silent_for(jobs.STALLED_SECONDS + 1)

    assert figures(client)["multitask_workers"] == 0

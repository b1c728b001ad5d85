"""The API's own chore; it is found by name, as `web` and `multitask.jobs` do not know each other."""

from django.utils import timezone
from procrastinate.contrib.django import app

from multitask.web.api import idempotency


@app.periodic(cron="23 * * * *")
@app.task(name="purge_idempotency", queue="operations", queueing_lock="purge_idempotency")
def purge_idempotency(timestamp: int) -> None:
    """Forget idempotency keys that are older than they are promised to be kept."""
    idempotency.purge(now=timezone.now())

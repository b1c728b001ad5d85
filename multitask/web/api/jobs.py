"""The API's periodic job, in a module of its own since `web` and `multitask.jobs` do not import each other."""

from django.core.management import call_command
from procrastinate.contrib.django import app


@app.periodic(cron="23 * * * *")
@app.task(name="purge_expired", queue="maintenance", queueing_lock="purge_expired")
def purge_expired(timestamp: int) -> None:
    """Delete what is kept for a time and whose time is over."""
    call_command("purge_expired")

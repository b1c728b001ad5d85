"""The API's own chore; it is found by name, as `web` and `multitask.jobs` do not know each other."""

from django.core.management import call_command
from procrastinate.contrib.django import app


@app.periodic(cron="23 * * * *")
@app.task(name="purge_expired", queue="polls", queueing_lock="purge_expired")
def purge_expired(timestamp: int) -> None:
    """Forget answers, sessions and login attempts whose time is over."""
    call_command("purge_expired")

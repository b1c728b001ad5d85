"""Registers the API with Django, for its table of idempotency keys, its page and its styles."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Holds the HTTP API."""

    name = "multitask.web.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let `/metrics` show what waits in the queue."""
        from multitask.web.api import queue_metrics  # What it imports may not be loaded before.

        queue_metrics.register()

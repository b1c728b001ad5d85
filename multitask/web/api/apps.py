"""Registers the API with Django, for its table of idempotency keys, its page and its styles."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The app of the HTTP API."""

    name = "multitask.web.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the queue's metrics."""
        from multitask.web.api import queue_metrics  # Its imports need the app registry.

        queue_metrics.register()

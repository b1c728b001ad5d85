"""Registers the API with Django, for its table of idempotency keys, its page and its styles."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The app of the HTTP API."""

    name = "multitask.web.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the metrics of the queue and of the books."""
        from multitask.web.api import money_metrics, queue_metrics  # Their imports need the app registry.

        queue_metrics.register()
        money_metrics.register()

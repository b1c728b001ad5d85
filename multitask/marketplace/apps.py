"""The Django application of the marketplace."""

from django.apps import AppConfig


class MarketplaceConfig(AppConfig):
    """Configures the application for tasks and their applications."""

    name = "multitask.marketplace"
    label = "marketplace"
    default_auto_field = "django.db.models.BigAutoField"

"""Django app of incoming webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """The app of incoming webhooks."""

    name = "multitask.webhooks"
    label = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

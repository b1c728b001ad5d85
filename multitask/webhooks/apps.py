"""Django app of incoming webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Stores every event that a provider sends."""

    name = "multitask.webhooks"
    label = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

"""Registers the webhooks room with Django."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Keeps every event that a provider sent."""

    name = "multitask.webhooks"
    label = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

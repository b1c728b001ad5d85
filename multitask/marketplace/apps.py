"""Registers the marketplace with Django."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Holds tasks and applications."""

    name = "multitask.marketplace"
    label = "marketplace"
    default_auto_field = "django.db.models.BigAutoField"

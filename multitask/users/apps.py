"""Registers the users room with Django."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Holds the project's own user model."""

    name = "multitask.users"
    label = "users"
    default_auto_field = "django.db.models.BigAutoField"

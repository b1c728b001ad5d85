"""The Django app of users."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """The app with the project's user model."""

    name = "multitask.users"
    label = "users"
    default_auto_field = "django.db.models.BigAutoField"

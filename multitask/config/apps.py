"""The settings as a Django app, so that they can register system checks."""

from django.apps import AppConfig
from django.core import checks

from multitask.config import memory
from multitask.config.emails import emails_leave


class ConfigConfig(AppConfig):
    """Register the checks of `manage.py check --deploy`."""

    name = "multitask.config"

    def ready(self) -> None:
        """Register the check of the emails; all modules that every program needs are loaded at this point."""
        checks.register(emails_leave, checks.Tags.compatibility, deploy=True)
        memory.keep_what_is_loaded()

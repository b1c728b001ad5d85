"""The settings as an app, so that they can be checked."""

from django.apps import AppConfig
from django.core import checks

from multitask.config import memory
from multitask.config.emails import emails_leave


class ConfigConfig(AppConfig):
    """Registers what `manage.py check --deploy` asks."""

    name = "multitask.config"

    def ready(self) -> None:
        """Let the check of the emails be asked before a deployment; what every program needs is loaded now."""
        checks.register(emails_leave, checks.Tags.compatibility, deploy=True)
        memory.keep_what_is_loaded()

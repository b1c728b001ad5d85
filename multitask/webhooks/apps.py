"""Django app of incoming webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """The app of incoming webhooks."""

    name = "multitask.webhooks"
    label = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let the checks of the books read the providers' statements."""
        from multitask.ledger import checks
        from multitask.webhooks import statement

        checks.register_reader(statement.read_for_checks)

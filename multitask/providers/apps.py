"""The Django app of the payment providers."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Makes the providers known to the operation engine, and registers the system check of the routes."""

    name = "multitask.providers"
    label = "providers"

    def ready(self) -> None:
        """Connect once every app has loaded."""
        from django.core import checks

        from multitask import providers
        from multitask.payments.operations import engine
        from multitask.providers.checks import check_routes

        engine.connect(providers.get, providers.every)
        checks.register(check_routes, checks.Tags.compatibility)

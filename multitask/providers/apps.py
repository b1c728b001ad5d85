"""Registers the providers' room with Django."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Tells payments, which stand below, how a provider is found by its name."""

    name = "multitask.providers"
    label = "providers"

    def ready(self) -> None:
        """Connect once every app has loaded."""
        from multitask import providers
        from multitask.payments.operations import engine

        engine.connect(providers.get)

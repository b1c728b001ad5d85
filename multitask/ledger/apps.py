"""The ledger as a Django application."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Registers the room under the label `ledger`."""

    name = "multitask.ledger"
    label = "ledger"

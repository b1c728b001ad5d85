"""The ledger as a Django application."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Register the package under the label `ledger`."""

    name = "multitask.ledger"
    label = "ledger"

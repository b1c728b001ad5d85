"""The Django app of the payment rules."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Registers the payments' own checks of the books when Django starts."""

    name = "multitask.payments"
    label = "payments"

    def ready(self) -> None:
        """Let `ledger.checks` run what only this room knows of."""
        from multitask.payments import amounts, invariants
        from multitask.tasks import board

        invariants.register()
        board.connect(amounts.complaint)

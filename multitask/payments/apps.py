"""The Django app of the payment rules."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Connects what payments adds to the rooms below and to the operation engine, in every process."""

    name = "multitask.payments"
    label = "payments"

    def ready(self) -> None:
        """Install handlers, carriers and the checks of the books."""
        from multitask.payments import operation_handlers
        from multitask.payments.authorization import approvals
        from multitask.payments.books import invariants
        from multitask.payments.operations import engine

        engine.install(operation_handlers.HANDLERS)
        approvals.install(operation_handlers.CARRIERS)
        invariants.register()

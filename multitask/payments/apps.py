"""The Django app of the payment rules."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Registers operation handlers, executors of approved decisions and invariants, in every process."""

    name = "multitask.payments"
    label = "payments"

    def ready(self) -> None:
        """Install handlers, executors and invariants."""
        from multitask.payments import operation_handlers
        from multitask.payments.authorization import approvals
        from multitask.payments.books import invariants
        from multitask.payments.operations import engine

        engine.install(operation_handlers.HANDLERS)
        approvals.install(operation_handlers.EXECUTORS, operation_handlers.SUBJECT_EXECUTORS)
        invariants.register()

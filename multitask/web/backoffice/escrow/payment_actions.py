"""Actions on a payment of which the provider does not show by which try it was paid."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments.authorization import access
from multitask.payments.errors import NotFound
from multitask.payments.funding import unnamed_tries
from multitask.payments.models import Payment
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import links
from multitask.web.backoffice.base.actions import (
    Action,
    SharedReasonForm,
    Submission,
    Summary,
    escrow_summary,
    require_id,
)
from multitask.web.pages.base.fields import TextField


class TryForm(SharedReasonForm):
    """The provider's id of the try that paid, and how that is known."""

    transaction_id = TextField(label=gettext_lazy("The provider's id of the transaction that paid"), max_length=30)

    def __init__(self, *args: Any, **options: Any) -> None:
        """Ask for the id first."""
        super().__init__(*args, **options)
        self.order_fields(["transaction_id", "note"])


class NameTry(Action):
    """Name the try that paid an order."""

    name = "name-try"
    power = Power.ADJUST
    title = gettext_lazy("Name the transaction that paid")
    button_label = gettext_lazy("Name the transaction")

    def subject(self, actor: Actor, subject_id: int | None) -> Payment:
        """Return the payment, with its escrow."""
        payment = Payment.objects.filter(pk=require_id(subject_id)).first()
        if payment is None:
            raise NotFound
        payment.escrow = access.escrow(actor, payment.escrow_id)
        return payment

    def form(self, subject: Payment, *args: Any) -> forms.Form:
        """Return the form for the provider's id."""
        return TryForm(*args)

    def summary(self, subject: Payment) -> Summary:
        """Return the order at the provider, and the escrow."""
        return [(_("Order at the provider"), str(subject)), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Payment) -> list[str]:
        """Return what is asked of the provider."""
        return [
            _("The order is paid, and the provider does not say by which of its transactions. Its dashboard shows it."),
            _("The transaction is read at the provider: only if it paid this order does the payment count."),
        ]

    def execute(self, subject: Payment, submission: Submission) -> object:
        """Read the payment by this transaction."""
        return unnamed_tries.name_try(
            actor=submission.actor,
            payment_id=subject.pk,
            transaction_id=submission.data["transaction_id"],
            note=submission.note,
            now=submission.now,
        )

    def success_message(self, subject: Payment, outcome: object) -> str:
        """Return the confirmation."""
        return _("The payment was found and counts.")

    def result_address(self, subject: Payment) -> str:
        """Return the escrow's page, at the payment."""
        return links.escrow(subject.escrow_id, f"payment-{subject.pk}")

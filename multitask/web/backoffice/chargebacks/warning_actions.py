"""Actions on an early fraud warning: refund the client in time, or close it with a reason."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.errors import NotFound
from multitask.payments.escrow import unapplied
from multitask.payments.losses import fraud_warnings, positions, refund_losses
from multitask.payments.models import Escrow, FraudWarning, Payment
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import links, waterfall_words
from multitask.web.backoffice.base.actions import (
    Action,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
    require_id,
)
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import moment, money


class WarningAction(Action):
    """An action on a fraud warning."""

    power = Power.REFUND

    def subject(self, actor: Actor, subject_id: int | None) -> FraudWarning:
        """Return the warning, with its escrow."""
        found = FraudWarning.objects.select_related("payment").filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        found.escrow = access.escrow(actor, found.escrow_id)
        return found

    def summary(self, subject: FraudWarning) -> Summary:
        """Return what the bank suspects, which payment, and the escrow."""
        return [
            (_("Fraud warning"), subject.pk),
            (_("Payment"), f"{subject.payment}, {status_labels.label(subject.payment.state)}"),
            (_("Reason of the bank"), status_labels.bank_reason(subject.reason)),
            (_("Since"), moment(subject.opened_at)),
            *escrow_summary(subject.escrow),
        ]

    def result_address(self, subject: FraudWarning) -> str:
        """Return the escrow's page, at the warning."""
        return links.escrow(subject.escrow_id, f"warning-{subject.pk}")


class RefundWarning(WarningAction):
    """Refund the client before a chargeback."""

    name = "refund-warning"
    title = gettext_lazy("Refund before a chargeback")
    button_label = gettext_lazy("Refund the client")
    is_irreversible = True

    def summary(self, subject: FraudWarning) -> Summary:
        """Return the warning's summary; after the release, also who bears the refund."""
        is_released = subject.escrow.state == EscrowState.RELEASED.value
        if not is_released or not positions.is_in_escrow(subject.payment):
            return super().summary(subject)
        escrow = subject.escrow
        shares = waterfall_words.of_preview(refund_losses.preview(escrow, _left(escrow)), escrow.currency)
        return [*super().summary(subject), *shares]

    def consequences(self, subject: FraudWarning) -> list[str]:
        """Return what is refunded and why."""
        escrow, payment, name = subject.escrow, subject.payment, subject.escrow.client.username
        is_in_escrow = positions.is_in_escrow(payment)
        amount = _left(escrow) if is_in_escrow else _left_under_review(payment)
        untouched = _("The whole payment goes back to %(name)s; the escrow is not touched.") % {"name": name}
        return [
            _("%(amount)s goes back to the card of %(name)s.") % {"amount": money(amount), "name": name},
            *([] if is_in_escrow else [untouched]),
            _("A refund in time ends the warning and saves the fee of a chargeback."),
            *approval_warning(escrow, amount if is_in_escrow else unapplied.left(payment)),
        ]

    def execute(self, subject: FraudWarning, submission: Submission) -> object:
        """Refund it, or ask for approval."""
        return fraud_warnings.refund(
            actor=submission.actor,
            warning_id=subject.pk,
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: FraudWarning, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The refund is on its way."))


class CloseWarning(WarningAction):
    """Close the warning without a refund."""

    name = "close-warning"
    title = gettext_lazy("Close the fraud warning")
    button_label = gettext_lazy("Close without a refund")

    def consequences(self, subject: FraudWarning) -> list[str]:
        """Return that a chargeback may still come."""
        return [
            _("Nothing moves. The warning leaves the work queue."),
            _("The bank may still open a chargeback, which costs its fee."),
        ]

    def execute(self, subject: FraudWarning, submission: Submission) -> object:
        """Close it."""
        return fraud_warnings.close(
            actor=submission.actor, warning_id=subject.pk, note=submission.note, now=submission.now
        )

    def success_message(self, subject: FraudWarning, outcome: object) -> str:
        """Return the confirmation."""
        return _("The fraud warning is closed.")


def _left(escrow: Escrow) -> Money:
    """Return what a refund of everything would send back."""
    if escrow.state != EscrowState.RELEASED.value:
        return escrow.remaining
    return Money(escrow.released_minor - escrow.returned_minor, escrow.currency)


def _left_under_review(payment: Payment) -> Money:
    """Return what a refund would send back of a payment that fits no escrow, in the currency of its charge."""
    held = unapplied.left(payment)
    return held if held.currency == payment.currency else unapplied.left_of_charge(payment)

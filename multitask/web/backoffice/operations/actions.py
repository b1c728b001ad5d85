"""Actions on calls at the provider and on webhooks."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments import staff_commands
from multitask.payments.authorization import access
from multitask.payments.errors import NotFound, WrongState
from multitask.payments.losses import adjustments
from multitask.payments.models import Adjustment, Escrow, Operation, Reversal
from multitask.payments.payouts import reversals, transfer_retries
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import (
    Action,
    EscrowAction,
    ReasonForm,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
    require_id,
)
from multitask.web.pages.templatetags.money import moment, money
from multitask.webhooks import dismissal, incoming
from multitask.webhooks.models import IncomingEvent


class RetryCall(Action):
    """Try an open call now."""

    name = "retry-call"
    power = Power.ADJUST
    title = gettext_lazy("Try the call again now")
    button_label = gettext_lazy("Try now")

    def subject(self, actor: Actor, subject_id: int | None) -> Operation:
        """Return the call."""
        found = Operation.objects.filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def summary(self, subject: Operation) -> Summary:
        """Return the call's kind, state, attempts and last error."""
        return [
            (_("Call"), labels.of("operation_kind", subject.kind)),
            (_("State"), labels.of("operation", subject.state)),
            (_("Attempts"), subject.attempts),
            (_("Last error"), subject.last_error or "–"),
        ]

    def consequences(self, subject: Operation) -> list[str]:
        """Return why it is safe."""
        sentence = _("A worker makes the call now with the same idempotency key, so it takes effect only once.")
        if not subject.hold:
            return [sentence]
        reason = labels.of("hold", subject.hold)
        return [sentence, _("It stays held while this lasts: %(reason)s.") % {"reason": reason}]

    def execute(self, subject: Operation, submission: Submission) -> object:
        """Queue it."""
        return staff_commands.retry_operation(
            actor=submission.actor, operation_id=subject.pk, note=submission.note, now=submission.now
        )

    def success_message(self, subject: Operation, outcome: object) -> str:
        """Return the confirmation."""
        return _("A worker tries it now. Look again in a moment.")

    def result_address(self, subject: Operation) -> str:
        """Return the call's page."""
        return links.of(subject)


class RetryOverdueCalls(Action):
    """Try every overdue call now."""

    name = "retry-overdue-calls"
    power = Power.ADJUST
    title = gettext_lazy("Retry all overdue calls")
    button_label = gettext_lazy("Retry all overdue calls")

    def subject(self, actor: Actor, subject_id: int | None) -> None:
        """Accept no id: the action applies to all overdue calls. Raises NotFound."""
        if subject_id is not None:
            raise NotFound

    def form(self, subject: None, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return ReasonForm(*args)

    def summary(self, subject: None) -> Summary:
        """Return nothing: there is no single subject."""
        return []

    def consequences(self, subject: None) -> list[str]:
        """Return why it is safe."""
        return [
            _("Every overdue call is given to a worker again, with its own idempotency key."),
            _("This happens automatically every few seconds; doing it by hand helps after workers were down."),
        ]

    def execute(self, subject: None, submission: Submission) -> object:
        """Queue them."""
        return staff_commands.sweep_operations(actor=submission.actor, note=submission.note, now=submission.now)

    def success_message(self, subject: None, outcome: object) -> str:
        """Return how many calls were given to workers."""
        return _("Overdue calls given to workers: %(number)s.") % {"number": outcome}

    def result_address(self, subject: None) -> str:
        """Return the list of calls."""
        return links.listing("payments.operation")


class RetryTransfer(EscrowAction):
    """Try a refused transfer again."""

    name = "retry-transfer"
    power = Power.RELEASE
    title = gettext_lazy("Try the transfer again")
    button_label = gettext_lazy("Try again")

    def consequences(self, subject: Escrow) -> list[str]:
        """Return what is sent."""
        values = {"name": subject.freelancer.username}
        share = transfer_retries.refused_share(subject)
        sentence = _("The provider is asked once more to send the share of %(name)s to their account.") % values
        return [sentence, *(approval_warning(subject, share) if share is not None else [])]

    def execute(self, subject: Escrow, submission: Submission) -> object:
        """Begin a new transfer, or ask for approval."""
        begun = transfer_retries.retry(
            actor=submission.actor, escrow_id=subject.pk, now=submission.now, note=submission.note
        )
        if not begun:
            raise WrongState("No transfer of this escrow was refused.")
        return begun

    def success_message(self, subject: Escrow, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The transfer is tried again."))


class RetryReversal(Action):
    """Try a refused reversal again."""

    name = "retry-reversal"
    power = Power.REFUND
    title = gettext_lazy("Try to take the share back again")
    button_label = gettext_lazy("Try again")

    def subject(self, actor: Actor, subject_id: int | None) -> Reversal:
        """Return the reversal, with its escrow."""
        found = Reversal.objects.filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        found.escrow = access.escrow(actor, found.escrow_id)
        return found

    def summary(self, subject: Reversal) -> Summary:
        """Return what is to be taken back."""
        return [(_("To be taken back"), money(subject.amount)), *escrow_summary(subject.escrow)]

    def consequences(self, subject: Reversal) -> list[str]:
        """Return what is asked for."""
        values = {"name": subject.escrow.freelancer.username, "amount": money(subject.amount)}
        sentence = _("The provider is asked once more to take %(amount)s back from the payout account of %(name)s.")
        return [sentence % values]

    def execute(self, subject: Reversal, submission: Submission) -> object:
        """Begin a new call."""
        return reversals.retry(actor=submission.actor, reversal_id=subject.pk, now=submission.now, note=submission.note)

    def success_message(self, subject: Reversal, outcome: object) -> str:
        """Return the confirmation."""
        return _("The reversal is tried again.")

    def result_address(self, subject: Reversal) -> str:
        """Return the escrow's page, at the reversal."""
        return links.escrow(subject.escrow_id, f"reversal-{subject.pk}")


class RetryAdjustment(Action):
    """Try the refused transfer of an adjustment again."""

    name = "retry-adjustment"
    power = Power.ADJUST
    title = gettext_lazy("Try the transfer of the adjustment again")
    button_label = gettext_lazy("Try again")

    def subject(self, actor: Actor, subject_id: int | None) -> Adjustment:
        """Return the adjustment, with the person whose balance it corrects."""
        found = Adjustment.objects.select_related("user").filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: Adjustment, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return ReasonForm(*args)

    def summary(self, subject: Adjustment) -> Summary:
        """Return whose balance was adjusted, by how much and when."""
        return [
            (_("User"), subject.user.username),
            (_("Adjustment"), money(subject.amount)),
            (_("Created"), moment(subject.created_at)),
        ]

    def consequences(self, subject: Adjustment) -> list[str]:
        """Return what is sent."""
        sentence = _("The provider is asked once more to send the adjustment to the payout account of %(name)s.")
        return [sentence % {"name": subject.user.username}]

    def execute(self, subject: Adjustment, submission: Submission) -> object:
        """Begin a new transfer."""
        return adjustments.retry_transfer(
            actor=submission.actor, adjustment_id=subject.pk, now=submission.now, note=submission.note
        )

    def success_message(self, subject: Adjustment, outcome: object) -> str:
        """Return the confirmation."""
        return _("The transfer is tried again.")

    def result_address(self, subject: Adjustment) -> str:
        """Return the person's page."""
        return links.of(subject.user)


class WebhookAction(Action):
    """An action on a webhook."""

    power = Power.ADJUST

    def subject(self, actor: Actor, subject_id: int | None) -> IncomingEvent:
        """Return the webhook."""
        found = IncomingEvent.objects.filter(pk=require_id(subject_id)).defer("payload").first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: IncomingEvent, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return ReasonForm(*args)

    def summary(self, subject: IncomingEvent) -> Summary:
        """Return the event's id, kind, state and last error."""
        return [
            (_("Event"), subject.event_id),
            (_("Kind"), subject.kind),
            (_("State"), labels.of("event", subject.state)),
            (_("Last error"), subject.last_error or "–"),
        ]

    def result_address(self, subject: IncomingEvent) -> str:
        """Return the webhook's page."""
        return links.of(subject)


class ReplayWebhook(WebhookAction):
    """Process a webhook once more."""

    name = "replay"
    title = gettext_lazy("Replay the webhook")
    button_label = gettext_lazy("Replay")

    def consequences(self, subject: IncomingEvent) -> list[str]:
        """Return why it is safe."""
        return [
            _("A worker reads the object from the provider and applies its present state."),
            _("What has taken effect already does not take effect twice."),
        ]

    def execute(self, subject: IncomingEvent, submission: Submission) -> object:
        """Queue it."""
        return incoming.replay(actor=submission.actor, event_id=subject.pk, now=submission.now, note=submission.note)

    def success_message(self, subject: IncomingEvent, outcome: object) -> str:
        """Return the confirmation."""
        return _("A worker processes it now. Look again in a moment.")


class DismissWebhook(WebhookAction):
    """Dismiss a webhook that can never be processed."""

    name = "dismiss-webhook"
    title = gettext_lazy("Dismiss the webhook")
    button_label = gettext_lazy("Dismiss")
    is_irreversible = True

    def consequences(self, subject: IncomingEvent) -> list[str]:
        """Return what it means."""
        return [
            _("It is kept with your reason, is never processed, and leaves the work queue."),
            _("The object that it is about is still read by the polls and with the provider's statement."),
        ]

    def execute(self, subject: IncomingEvent, submission: Submission) -> object:
        """Dismiss it."""
        return dismissal.dismiss(actor=submission.actor, event_id=subject.pk, now=submission.now, note=submission.note)

    def success_message(self, subject: IncomingEvent, outcome: object) -> str:
        """Return the confirmation."""
        return _("The webhook was dismissed.")

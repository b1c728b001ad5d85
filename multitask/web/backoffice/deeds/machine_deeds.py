"""Deeds about calls at the provider and webhooks."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments import staff_commands
from multitask.payments.errors import NotFound
from multitask.payments.models import Operation
from multitask.users.actor import Actor, Power
from multitask.web.backoffice import addresses, words
from multitask.web.backoffice.deeds.deed import Deed, Facts, Order, ReasonForm, numbered
from multitask.webhooks import incoming
from multitask.webhooks.models import IncomingEvent


class Push(Deed):
    """Have an open call tried now."""

    name = "push"
    power = Power.ADJUST
    title = gettext_lazy("Push the call on")
    verb = gettext_lazy("Try now")

    def subject(self, actor: Actor, subject_id: int | None) -> Operation:
        """The call."""
        found = Operation.objects.filter(pk=numbered(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def facts(self, subject: Operation) -> Facts:
        """The call and how it stands."""
        return [
            (_("Call"), words.of("operation_kind", subject.kind)),
            (_("State"), words.of("operation", subject.state)),
            (_("Tries"), subject.attempts),
            (_("Last error"), subject.last_error or "–"),
        ]

    def consequences(self, subject: Operation) -> list[str]:
        """Why it is safe."""
        told = [_("A worker makes the call now, under the same key: the provider does it once, however often we ask.")]
        held = words.of("hold", subject.hold) if subject.hold else ""
        return [*told, _("It is held still while this lasts: %(reason)s.") % {"reason": held}] if held else told

    def carry_out(self, subject: Operation, order: Order) -> object:
        """Queue it."""
        return staff_commands.push_operation(actor=order.actor, operation_id=subject.pk, note=order.note, now=order.now)

    def done(self, subject: Operation, outcome: object) -> str:
        """Say so."""
        return _("A worker tries it now. Look again in a moment.")

    def address(self, subject: Operation) -> str:
        """The call's page."""
        return addresses.of(subject)


class Sweep(Deed):
    """Have every overdue call tried now."""

    name = "sweep"
    power = Power.ADJUST
    title = gettext_lazy("Sweep the overdue calls")
    verb = gettext_lazy("Sweep")

    def subject(self, actor: Actor, subject_id: int | None) -> None:
        """All of them."""
        if subject_id is not None:
            raise NotFound

    def form(self, subject: None, *args: Any) -> forms.Form:
        """The reason."""
        return ReasonForm(*args)

    def facts(self, subject: None) -> Facts:
        """Nothing in particular."""
        return []

    def consequences(self, subject: None) -> list[str]:
        """Why it is safe."""
        return [
            _("Every call whose time has come is given to a worker again, under the key that it has."),
            _("This happens by itself every few seconds; by hand it helps when workers were down."),
        ]

    def carry_out(self, subject: None, order: Order) -> object:
        """Queue them."""
        return staff_commands.sweep_operations(actor=order.actor, note=order.note, now=order.now)

    def done(self, subject: None, outcome: object) -> str:
        """Say how many."""
        return _("Overdue calls given to workers: %(number)s.") % {"number": outcome}

    def address(self, subject: None) -> str:
        """The list of calls."""
        return addresses.listing("payments.operation")


class Replay(Deed):
    """Work a webhook off once more."""

    name = "replay"
    power = Power.ADJUST
    title = gettext_lazy("Replay the webhook")
    verb = gettext_lazy("Replay")

    def subject(self, actor: Actor, subject_id: int | None) -> IncomingEvent:
        """The event."""
        found = IncomingEvent.objects.filter(pk=numbered(subject_id)).defer("payload").first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: IncomingEvent, *args: Any) -> forms.Form:
        """The reason."""
        return ReasonForm(*args)

    def facts(self, subject: IncomingEvent) -> Facts:
        """The event and how it stands."""
        return [
            (_("Event"), subject.event_id),
            (_("Kind"), subject.kind),
            (_("State"), words.of("event", subject.state)),
            (_("Last error"), subject.last_error or "–"),
        ]

    def consequences(self, subject: IncomingEvent) -> list[str]:
        """Why it is safe."""
        return [
            _("A worker asks the provider how the object stands now and takes that over."),
            _("What has taken effect already does not take effect twice."),
        ]

    def carry_out(self, subject: IncomingEvent, order: Order) -> object:
        """Queue it."""
        return incoming.replay(actor=order.actor, event_id=subject.pk, now=order.now, note=order.note)

    def done(self, subject: IncomingEvent, outcome: object) -> str:
        """Say so."""
        return _("A worker works it off now. Look again in a moment.")

    def address(self, subject: IncomingEvent) -> str:
        """The event's page."""
        return addresses.of(subject)

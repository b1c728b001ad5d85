"""The lists of calls at the provider and of webhooks."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import (
    Operation,
)
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.base.columns import badge, escrow_link, mono, person
from multitask.web.backoffice.base.filters import column, needs_attention
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.operations import pages
from multitask.web.backoffice.operations.actions import RetryOverdueCalls
from multitask.web.backoffice.templatetags import backoffice
from multitask.web.pages.templatetags.money import moment
from multitask.webhooks.models import IncomingEvent


class OperationList(ReadOnlyList):
    """Calls at a provider."""

    title = _("Calls at the provider")
    explanation = _("Each call is recorded before it is made; every attempt uses the same idempotency key.")
    list_display = ("call", "state_label", "tries", "error", "of_escrow", "whose", "created")
    list_select_related = ("user",)
    list_filter: ClassVar[Any] = (
        needs_attention(
            stuck=(_("Stuck"), work_queue.stuck),
            refused_transfers=(_("Transfers refused"), work_queue.refused_transfers),
        ),
        column("state", _("State"), labels.options("operation")),
        column("kind", _("Call"), labels.options("operation_kind")),
    )

    def buttons(self, request: HttpRequest) -> list[Button]:
        """Offer to retry all overdue calls."""
        return [RetryOverdueCalls.button()] if roles.may(request, RetryOverdueCalls.power) else []

    @admin.display(description=_("Call"))
    def call(self, row: Operation) -> str:
        """The kind of call."""
        return labels.of("operation_kind", row.kind)

    @admin.display(description=_("Attempts"))
    def tries(self, row: Operation) -> int:
        """How often it was tried."""
        return row.attempts

    @admin.display(description=_("State"))
    def state_label(self, row: Operation) -> SafeString:
        """The state's label."""
        return badge("operation", row.state)

    @admin.display(description=_("Last error"))
    def error(self, row: Operation) -> str:
        """The last error, or why the call waits."""
        if row.hold:
            return labels.of("hold", row.hold)
        return backoffice.call_error(row.last_error_code) or row.last_error_code or "–"

    @admin.display(description=_("Escrow"))
    def of_escrow(self, row: Operation) -> SafeString:
        """The escrow it belongs to."""
        return escrow_link(row.escrow_id)

    @admin.display(description=_("Owner"))
    def whose(self, row: Operation) -> SafeString:
        """The person it concerns."""
        return person(row.user)

    @admin.display(description=_("Created"))
    def created(self, row: Operation) -> str:
        """When it was created."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: Operation) -> HttpResponse:
        """The call's page."""
        return pages.show_operation(request, row)


class WebhookList(ReadOnlyList):
    """Events that a provider sent."""

    title = _("Webhooks")
    explanation = _("Events from the provider: each is stored once and processed until it has taken effect.")
    list_display = ("event", "event_kind", "state_label", "tries", "error", "received")
    list_filter: ClassVar[Any] = (
        needs_attention(slow=(_("Waiting too long"), work_queue.slow_events)),
        column("state", _("State"), labels.options("event")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[IncomingEvent]:
        """Without the payloads, which only the event's own page shows."""
        found: QuerySet[IncomingEvent] = super().get_queryset(request)
        return found.defer("payload")

    @admin.display(description=_("Event"))
    def event(self, row: IncomingEvent) -> SafeString:
        """The provider's id."""
        return mono(row.event_id)

    @admin.display(description=_("Kind"))
    def event_kind(self, row: IncomingEvent) -> SafeString:
        """The provider's event type."""
        return mono(row.kind)

    @admin.display(description=_("Attempts"))
    def tries(self, row: IncomingEvent) -> int:
        """How often processing was tried."""
        return row.attempts

    @admin.display(description=_("State"))
    def state_label(self, row: IncomingEvent) -> SafeString:
        """The state's label."""
        return badge("event", row.state)

    @admin.display(description=_("Last error"))
    def error(self, row: IncomingEvent) -> str:
        """Why it is not processed."""
        return row.last_error[:80] or "–"

    @admin.display(description=_("Received"))
    def received(self, row: IncomingEvent) -> str:
        """When it was received."""
        return moment(row.received_at)

    def show(self, request: HttpRequest, row: IncomingEvent) -> HttpResponse:
        """The event's page."""
        return pages.show_webhook(request, row)

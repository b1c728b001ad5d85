"""The lists of machinery: calls at the provider and webhooks."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import Operation
from multitask.web.backoffice import machinery, words
from multitask.web.backoffice.columns import badge, escrow_link, mono, person, waiting
from multitask.web.backoffice.listing import ReadOnly, states
from multitask.web.backoffice.site import site
from multitask.web.pages.templatetags.money import moment
from multitask.webhooks.models import IncomingEvent


@admin.register(Operation, site=site)
class Operations(ReadOnly):
    """Every call that has to happen at a provider."""

    title = _("Calls at the provider")
    explanation = _("Each call is written down before it is made, and made under one key however often it is tried.")
    list_display = ("call", "state_in_words", "tries", "error", "of_escrow", "whose", "begun")
    list_select_related = ("user",)
    list_filter: ClassVar[Any] = (
        waiting(stuck=_("Stuck"), refused_transfers=_("Transfers refused")),
        states("state", _("State"), words.choices("operation")),
        states("kind", _("Call"), words.choices("operation_kind")),
    )
    list_after_template = "backoffice/parts/sweep.html"

    @admin.display(description=_("Call"))
    def call(self, row: Operation) -> str:
        """What is to happen."""
        return words.of("operation_kind", row.kind)

    @admin.display(description=_("Tries"))
    def tries(self, row: Operation) -> int:
        """How often it was made."""
        return row.attempts

    @admin.display(description=_("State"))
    def state_in_words(self, row: Operation) -> SafeString:
        """The state in words."""
        return badge("operation", row.state)

    @admin.display(description=_("Last error"))
    def error(self, row: Operation) -> str:
        """What the provider said, or why it waits."""
        if row.hold:
            return words.of("hold", row.hold)
        return row.last_error_code or "–"

    @admin.display(description=_("Escrow"))
    def of_escrow(self, row: Operation) -> SafeString:
        """The escrow it belongs to."""
        return escrow_link(row.escrow_id)

    @admin.display(description=_("Whose"))
    def whose(self, row: Operation) -> SafeString:
        """The person it concerns."""
        return person(row.user)

    @admin.display(description=_("Begun"))
    def begun(self, row: Operation) -> str:
        """When it was written down."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: Operation) -> HttpResponse:
        """The call's page."""
        return machinery.show_operation(request, row)


@admin.register(IncomingEvent, site=site)
class Events(ReadOnly):
    """Every event that a provider sent."""

    title = _("Webhooks")
    explanation = _("What the provider told us: stored once, then worked off until it has taken effect.")
    list_display = ("event", "event_kind", "state_in_words", "tries", "error", "received")
    list_filter: ClassVar[Any] = (
        waiting(slow=_("Wait too long")),
        states("state", _("State"), words.choices("event")),
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
        """The provider's word for what happened."""
        return mono(row.kind)

    @admin.display(description=_("Tries"))
    def tries(self, row: IncomingEvent) -> int:
        """How often it was worked on."""
        return row.attempts

    @admin.display(description=_("State"))
    def state_in_words(self, row: IncomingEvent) -> SafeString:
        """The state in words."""
        return badge("event", row.state)

    @admin.display(description=_("Last error"))
    def error(self, row: IncomingEvent) -> str:
        """Why it is not processed."""
        return row.last_error[:80] or "–"

    @admin.display(description=_("Received"))
    def received(self, row: IncomingEvent) -> str:
        """When it came."""
        return moment(row.received_at)

    def show(self, request: HttpRequest, row: IncomingEvent) -> HttpResponse:
        """The event's page."""
        return machinery.show_event(request, row)

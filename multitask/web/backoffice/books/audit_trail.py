"""The audit trail: its events as labels, and the page of one event."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.models import AuditEvent
from multitask.users.actor import Role
from multitask.web.backoffice.base import labels, links, rendering
from multitask.web.pages.base import status_labels
from multitask.web.pages.escrow import timeline

# Reasons that the system records are codes, not sentences.
_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)+")
# Events that only the staff sees.
_LABELS: Final = {
    "operation_retried": gettext_lazy("A call at the provider was retried by staff"),
    "operations_swept": gettext_lazy("Overdue calls at the provider were retried by staff"),
    "webhook_replayed": gettext_lazy("A webhook was replayed"),
    "staff_role_set": gettext_lazy("A staff role was changed"),
    "account_closed": gettext_lazy("The account was closed"),
    "account_reopened": gettext_lazy("The account was opened again"),
    "second_factor_removed": gettext_lazy("Two-step sign-in was switched off by staff"),
    "account_requested": gettext_lazy("A payout account was asked for"),
    "account_created": gettext_lazy("The payout account was created"),
    "account_enabled": gettext_lazy("The payout account is ready"),
    "account_needs_attention": gettext_lazy("The payout account needs attention"),
    "account_refused": gettext_lazy("The payout account was refused"),
    "withdrawal_requested": gettext_lazy("The withdrawal was asked for"),
    "withdrawal_completed": gettext_lazy("The payout was paid"),
    "withdrawal_failed": gettext_lazy("The payout failed; the money is available again"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline, with everything that the trail holds."""

    id: int
    label: str
    at: datetime
    by: str
    role: str
    ip: str
    amount: Money | None
    note: str
    details: str
    is_bad: bool


def what(event: AuditEvent) -> str:
    """Return the event's label."""
    known = _LABELS.get(event.event)
    return str(known) if known is not None else timeline.label(event)


def actor(event: AuditEvent) -> str:
    """Return who did it; for parts of the system, their label."""
    is_system = event.actor_role == Role.SYSTEM.value
    return labels.of("system", event.actor_label) if is_system else event.actor_label


def lines(trail: Iterable[AuditEvent]) -> list[Line]:
    """Return each event as a line; staff reads every note and every IP address."""
    return [_line(event) for event in trail]


def _line(event: AuditEvent) -> Line:
    return Line(
        id=event.pk,
        label=what(event),
        at=event.at,
        by=actor(event),
        role=labels.of("actor_role", event.actor_role),
        ip=event.ip or "",
        amount=None if event.amount_minor is None else Money(event.amount_minor, event.currency),
        note=_note(event.note),
        details=", ".join(f"{name}: {value}" for name, value in sorted(event.details.items())),
        is_bad=timeline.is_bad(event) or event.event in {"withdrawal_failed", "account_refused"},
    )


def _note(note: str) -> str:
    """Return what people wrote, the label of a reason that they chose, or the label of a code."""
    is_code = note not in status_labels.REASONS and _CODE.fullmatch(note)
    return status_labels.label(note) if is_code else status_labels.reason_label(note)


def about(event: AuditEvent) -> SafeString | str:
    """Return what the event is about, as a link."""
    if event.escrow_id is not None:
        title = _("Escrow %(id)s") % {"id": event.escrow_id}
        return format_html('<a href="{}">{}</a>', links.escrow(event.escrow_id), title)
    if event.withdrawal_id is not None:
        title = _("Withdrawal %(id)s") % {"id": event.withdrawal_id}
        return format_html('<a href="{}">{}</a>', links.page("payments.withdrawal", event.withdrawal_id), title)
    if event.user_id is not None:
        title = _("User %(id)s") % {"id": event.user_id}
        return format_html('<a href="{}">{}</a>', links.page("users.user", event.user_id), title)
    return "–"


def show(request: HttpRequest, event: AuditEvent) -> HttpResponse:
    """Show one event."""
    context = {"line": _line(event), "event": event, "about": about(event)}
    return rendering.page(request, "books/audit_event.html", what(event), context)

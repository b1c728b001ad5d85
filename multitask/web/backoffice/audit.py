"""The audit trail as the staff reads it."""

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
from multitask.web.backoffice import addresses, site, words
from multitask.web.pages.base import status_labels
from multitask.web.pages.escrow import timeline

# What the system and programs give as a reason is one word of code.
_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)+")
# What the pages of the two sides have no words for.
_WORDS: Final = {
    "operation_pushed": gettext_lazy("A call at the provider was pushed on"),
    "operations_swept": gettext_lazy("Overdue calls at the provider were swept"),
    "webhook_replayed": gettext_lazy("A webhook was replayed"),
    "staff_role_set": gettext_lazy("A staff role was changed"),
    "account_shut": gettext_lazy("The account was closed"),
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
    words: str
    at: datetime
    by: str
    role: str
    ip: str
    amount: Money | None
    note: str
    details: str
    is_bad: bool


def what(event: AuditEvent) -> str:
    """Say what happened."""
    known = _WORDS.get(event.event)
    return str(known) if known is not None else timeline.label(event)


def actor(event: AuditEvent) -> str:
    """Name who did it; parts of the system have no user name."""
    is_system = event.actor_role == Role.SYSTEM.value
    return words.of("system", event.actor_label) if is_system else event.actor_label


def lines(trail: Iterable[AuditEvent]) -> list[Line]:
    """Say each event; staff reads every note and every address."""
    return [_line(event) for event in trail]


def _line(event: AuditEvent) -> Line:
    return Line(
        id=event.pk,
        words=what(event),
        at=event.at,
        by=actor(event),
        role=words.of("actor_role", event.actor_role),
        ip=event.ip or "",
        amount=None if event.amount_minor is None else Money(event.amount_minor, event.currency),
        note=_note(event.note),
        details=", ".join(f"{name}: {value}" for name, value in sorted(event.details.items())),
        is_bad=timeline.is_bad(event) or event.event in {"withdrawal_failed", "account_refused"},
    )


def _note(note: str) -> str:
    """What people wrote, a reason that they chose, or the system's own word."""
    is_word = note not in status_labels.REASONS and _CODE.fullmatch(note)
    return status_labels.label(note) if is_word else status_labels.reason_label(note)


def about(event: AuditEvent) -> SafeString | str:
    """What the event is about, with the way there."""
    if event.escrow_id is not None:
        told = _("Escrow %(id)s") % {"id": event.escrow_id}
        return format_html('<a href="{}">{}</a>', addresses.escrow(event.escrow_id), told)
    if event.withdrawal_id is not None:
        told = _("Withdrawal %(id)s") % {"id": event.withdrawal_id}
        return format_html('<a href="{}">{}</a>', addresses.page("payments.withdrawal", event.withdrawal_id), told)
    if event.user_id is not None:
        told = _("User %(id)s") % {"id": event.user_id}
        return format_html('<a href="{}">{}</a>', addresses.page("users.user", event.user_id), told)
    return "–"


def show(request: HttpRequest, event: AuditEvent) -> HttpResponse:
    """The page of one event."""
    context = {"line": _line(event), "event": event, "about": about(event)}
    return site.page(request, "audit_event.html", what(event), context)

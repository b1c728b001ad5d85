"""The values that the texts of notices use, as the reader's language writes them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from babel.dates import format_date
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.models import AuditEvent, Notice

# Notices that time brings about; their references end with a date.
BY_TIME: Final = frozenset({"auto_release_nearing", "payment_due", "payment_due_soon", "hold_ending", "money_stranded"})


@dataclass(frozen=True, slots=True)
class Facts:
    """The values that the sentences use."""

    task: str
    client: str
    freelancer: str
    amount: str
    reason: str
    day: str
    escrowed: str
    taken: str
    owed: str
    masked: str


def of(notice: Notice) -> Facts:
    """Return the facts of a notice in the active language."""
    escrow, withdrawal = notice.escrow, notice.withdrawal
    locale = (get_language() or "en").replace("-", "_")
    reason = withdrawal.failure_reason if withdrawal is not None else ""
    return Facts(
        task=escrow.agreement.title if escrow else "",
        client=escrow.client.username if escrow else "",
        freelancer=escrow.freelancer.username if escrow else "",
        amount=_shown_amount(notice, locale),
        reason=_(reason) if reason else "",
        day="" if (day := _day(notice)) is None else format_date(day, "long", locale=locale),
        escrowed=_part(notice.event, "escrow_minor", locale),
        taken=_part(notice.event, "payee_minor", locale),
        owed=_part(notice.event, "receivable_minor", locale),
        masked=str(detail(notice.event, "masked")),
    )


def _shown_amount(notice: Notice, locale: str) -> str:
    if notice.event is not None:
        return _amount(notice.event).localized(locale) if notice.event.currency else ""
    return notice.escrow.total.localized(locale) if notice.escrow is not None else ""


def _part(event: AuditEvent | None, name: str, locale: str) -> str:
    """Return a part of a loss; empty if nothing was taken there."""
    minor = detail(event, name)
    if event is None or not isinstance(minor, int) or not minor:
        return ""
    return Money(minor, event.currency).localized(locale)


def detail(event: AuditEvent | None, name: str) -> str | int:
    """Return a detail of the event; empty if it has none of that name."""
    details = event.details if event is not None and isinstance(event.details, dict) else {}
    found: str | int = details.get(name, "")
    return found


def _amount(event: AuditEvent) -> Money:
    return Money(event.amount_minor or 0, event.currency)


def _day(notice: Notice) -> date | None:
    """Return the day that a reminder or an event is about, such as the last one for our answer to a bank."""
    if notice.kind in BY_TIME:
        return date.fromisoformat(notice.reference.rpartition(":")[2])
    answer_by, usable_from = (str(detail(notice.event, name)) for name in ("answer_by", "usable_from"))
    try:
        if usable_from:
            return datetime.fromisoformat(usable_from).astimezone(notice.user.zone).date()
        return date.fromisoformat(answer_by)
    except ValueError:
        return None  # The event names no day.

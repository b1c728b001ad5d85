"""The page of a chargeback: the bank's case, its money, our evidence, who bears the loss, and what the books say."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.losses import acceptance, booking, evidence, evidence_calls
from multitask.payments.models import AuditEvent, Chargeback, Evidence, EvidenceFile, Loss, Operation
from multitask.payments.provider import ChargebackStatus, EvidenceText
from multitask.users.actor import Actor, Role
from multitask.web.backoffice.base import labels, rendering, waterfall_words
from multitask.web.backoffice.base.actions import Action, Button
from multitask.web.backoffice.base.roles import actor_of
from multitask.web.backoffice.books import audit_trail, ledger_pages
from multitask.web.backoffice.chargebacks.actions import (
    AcceptChargeback,
    AddEvidenceFile,
    BookLoss,
    EditEvidence,
    RemoveEvidenceFile,
    SubmitEvidence,
)
from multitask.web.backoffice.chargebacks.forms import TEXT_LABELS
from multitask.web.pages.base import status_labels
from multitask.webhooks.models import IncomingEvent

MOST_EVENTS = 100
_EVENTS = ("chargeback_", "evidence_", "loss_", "book_loss_", "accept_chargeback_", "frozen", "unfrozen")
_CALLS = (evidence_calls.SUBMIT_EVIDENCE, acceptance.ACCEPT_CHARGEBACK)


def show(request: HttpRequest, chargeback: Chargeback) -> HttpResponse:
    """Show everything about one chargeback."""
    actor, now = actor_of(request), timezone.now()
    chargeback.escrow = access.escrow(actor, chargeback.escrow_id)
    is_own = access.party(actor, chargeback.escrow) in {Role.CLIENT, Role.FREELANCER}
    saved = evidence.of(chargeback)
    losses = list(chargeback.losses.select_related("booked_by").order_by("pk"))
    is_open = evidence.is_open(chargeback, now=now)
    may_edit = is_open and not is_own and not (saved is not None and saved.is_submitting)
    context = {
        "chargeback": chargeback,
        "reason": status_labels.bank_reason(chargeback.reason),
        "is_overdue": _is_overdue(chargeback),
        "fee": chargeback.fee,
        "held": Money(chargeback.held_minor, chargeback.currency),
        "is_own": is_own,
        "is_waiting": approvals.is_any_open(chargeback.escrow),
        "evidence": saved,
        "texts": _texts(chargeback, saved),
        "files": _files(saved, actor, may_edit=may_edit),
        "evidence_buttons": _evidence_buttons(actor, chargeback, may_edit=may_edit),
        "preview": _preview(chargeback, losses),
        "losses": [{"row": row, "shares": waterfall_words.of_loss(row)} for row in losses],
        "loss_buttons": _loss_buttons(actor, chargeback, losses, is_own=is_own),
        "trail": audit_trail.lines(_trail(chargeback)),
        "postings": ledger_pages.posted_in(f"chargeback:{chargeback.pk}", _held_keys(chargeback)),
        "calls": _calls(chargeback, saved),
        "webhooks": _webhooks(chargeback),
    }
    title = _("Chargeback %(id)s") % {"id": chargeback.pk}
    return rendering.page(request, "chargebacks/chargeback.html", title, context)


def _is_overdue(chargeback: Chargeback) -> bool:
    is_unanswered = chargeback.evidence_submitted_at is None and chargeback.closed_at is None
    return is_unanswered and chargeback.evidence_due_at is not None and chargeback.evidence_due_at < timezone.now()


def _texts(chargeback: Chargeback, saved: Evidence | None) -> list[tuple[Any, str]]:
    """Return the label and the text of every part of the evidence that is written."""
    written = evidence.texts(chargeback, saved)
    return [(TEXT_LABELS[name], written[name.value]) for name in EvidenceText if written.get(name.value)]


def _files(saved: Evidence | None, actor: Actor, *, may_edit: bool) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "document": labels.of("evidence_document", row.document),
            "buttons": _offered(actor, RemoveEvidenceFile, row.pk, when=may_edit),
        }
        for row in evidence.files(saved)
    ]


def _offered(actor: Actor, action: type[Action], subject_id: int, *, when: bool) -> list[Button]:
    return [action.button(subject_id)] if when and actor.may(action.power) else []


def _evidence_buttons(actor: Actor, chargeback: Chargeback, *, may_edit: bool) -> list[Button]:
    is_unanswered = chargeback.status == ChargebackStatus.NEEDS_RESPONSE.value and chargeback.accepted_at is None
    may_accept = may_edit and is_unanswered and not approvals.is_any_open(chargeback.escrow)
    return [
        *_offered(actor, EditEvidence, chargeback.pk, when=may_edit),
        *_offered(actor, AddEvidenceFile, chargeback.pk, when=may_edit),
        *_offered(actor, SubmitEvidence, chargeback.pk, when=may_edit),
        *_offered(actor, AcceptChargeback, chargeback.pk, when=may_accept),
    ]


def _is_bookable(chargeback: Chargeback, losses: list[Loss]) -> bool:
    is_lost = chargeback.status == ChargebackStatus.LOST.value and chargeback.taken_minor > 0
    return is_lost and all(loss.reversed_at is not None for loss in losses)


def _preview(chargeback: Chargeback, losses: list[Loss]) -> list[tuple[str, Any]]:
    """Return who would bear the loss now; nothing once it is booked, and where nothing can be lost."""
    is_over = chargeback.closed_at is not None and not _is_bookable(chargeback, losses)
    return [] if is_over else waterfall_words.of_preview(booking.preview(chargeback), chargeback.taken.currency)


def _loss_buttons(actor: Actor, chargeback: Chargeback, losses: list[Loss], *, is_own: bool) -> list[Button]:
    is_possible = _is_bookable(chargeback, losses) and not is_own and not approvals.is_any_open(chargeback.escrow)
    return _offered(actor, BookLoss, chargeback.pk, when=is_possible)


def _trail(chargeback: Chargeback) -> list[AuditEvent]:
    """Return the escrow's events about its chargebacks; those that name another one are left out."""
    found = AuditEvent.objects.filter(escrow=chargeback.escrow).order_by("pk")
    about = [event for event in found if event.event.startswith(_EVENTS)]
    return [event for event in about if event.details.get("chargeback", chargeback.pk) == chargeback.pk]


def _held_keys(chargeback: Chargeback) -> list[str]:
    """Return the keys of the postings that held the payee's share for it, and freed it."""
    times = range(1, chargeback.holds + 1)
    return [f"chargeback:{chargeback.pk}:{step}:{number}" for step in ("held", "freed") for number in times]


def _calls(chargeback: Chargeback, saved: Evidence | None) -> list[Operation]:
    calls = Operation.objects.filter(kind__in=_CALLS, subject_id=chargeback.pk)
    if saved is not None:
        files = saved.files.values("pk")
        calls |= Operation.objects.filter(kind=evidence_calls.UPLOAD_EVIDENCE, subject_id__in=files)
    return list(calls.order_by("pk"))


def _webhooks(chargeback: Chargeback) -> list[IncomingEvent]:
    found = IncomingEvent.objects.filter(object_id=chargeback.provider_dispute_id)
    return list(found.defer("payload").order_by("-pk")[:MOST_EVENTS])


@require_safe
def file(request: HttpRequest, file_id: int) -> HttpResponse:
    """Download one file of the evidence."""
    row = EvidenceFile.objects.filter(pk=file_id).first()
    if row is None:
        raise Http404
    response = HttpResponse(bytes(row.content), content_type=row.content_type)
    # Never shown inside our own pages, whatever is in it.
    suffix = row.content_type.rpartition("/")[2]
    response["Content-Disposition"] = f'attachment; filename="evidence-{row.pk}.{suffix}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response

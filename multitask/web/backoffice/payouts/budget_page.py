"""The pages of a payout budget and of a record about it, and the download of its document."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.payments.books import budget_postings
from multitask.payments.models import BudgetRecord, PayoutBudget
from multitask.payments.reads import payout_budgets
from multitask.web.backoffice.base import labels, rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.books import ledger_pages
from multitask.web.backoffice.payouts.budget_actions import (
    CompareBudget,
    CorrectRecord,
    RecordCosts,
    RecordCredit,
    RecordSettlement,
    RecordTopUp,
)

NEWEST = 20


def show(request: HttpRequest, budget: PayoutBudget) -> HttpResponse:
    """Show where the money is, what waits, how much is needed by when, and the newest records."""
    records = BudgetRecord.objects.filter(provider=budget.provider, currency=budget.currency)
    context = {
        "budget": budget,
        "shown": payout_budgets.view(budget, timezone.now()),
        "records": records.defer("file_content").select_related("corrected_by").order_by("-pk")[:NEWEST],
        "buttons": _buttons(request, budget),
    }
    title = _("Payout budget at %(provider)s in %(currency)s")
    values = {"provider": budget.provider, "currency": budget.currency}
    return rendering.page(request, "payouts/budget.html", title % values, context)


def _buttons(request: HttpRequest, budget: PayoutBudget) -> list[Button]:
    actions = (RecordTopUp, RecordSettlement, RecordCosts, RecordCredit, CompareBudget)
    return [action.button(budget.pk) for action in actions if roles.may(request, action.power)]


def show_record(request: HttpRequest, record: BudgetRecord) -> HttpResponse:
    """Show one record, and what was posted for it."""
    is_standing = record_state(record) == "standing"
    context = {
        "record": record,
        "state": record_state(record),
        "budget": PayoutBudget.objects.filter(provider=record.provider, currency=record.currency).first(),
        "postings": ledger_pages.posted_under([budget_postings.record_key(record)]),
        "buttons": [CorrectRecord.button(record.pk)] if is_standing and roles.may(request, CorrectRecord.power) else [],
    }
    return rendering.page(request, "payouts/budget_record.html", labels.of("budget_record", record.kind), context)


def record_state(record: BudgetRecord) -> str:
    """Return whether a record stands, was taken back, or takes another one back."""
    if record.corrects_id is not None:
        return "correction"
    return "taken_back" if hasattr(record, "corrected_by") else "standing"


@require_safe
def file(request: HttpRequest, record_id: int) -> HttpResponse:
    """Download the document of a record."""
    row = BudgetRecord.objects.filter(pk=record_id, file_content__isnull=False).first()
    if row is None or row.file_content is None:
        raise Http404
    response = HttpResponse(bytes(row.file_content), content_type=row.file_type)
    # Never shown inside our own pages, whatever is in it.
    suffix = row.file_type.rpartition("/")[2]
    response["Content-Disposition"] = f'attachment; filename="record-{row.pk}.{suffix}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response

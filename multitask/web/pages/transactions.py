"""The history: filtered, added up, page by page at any length; each row opens what the books say of it."""

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from multitask.money import Money
from multitask.payments.books import journal
from multitask.payments.books.history import HistoryType
from multitask.payments.models import HistoryRow
from multitask.payments.reads import history_pages
from multitask.payments.reads.history_pages import Cursor
from multitask.payments.reads.wallet import Filter
from multitask.payments.states import HistoryStatus
from multitask.web.pages import calendars, exports, narration, statement, statuses
from multitask.web.pages.fields import TextField
from multitask.web.pages.shell import UNPROCESSABLE, page, signed_in, user_of

_ANY = [("", _("All"))]


class FilterForm(forms.Form):
    """Which rows are wanted; days are the reader's own, both included."""

    search = TextField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Task, person or amount")}),
    )
    type = forms.ChoiceField(label=_("Type"), required=False)
    status = forms.ChoiceField(label=_("Status"), required=False)
    currency = forms.ChoiceField(label=_("Currency"), required=False)
    start = statement.DayField(label=_("From"), required=False)
    end = statement.DayField(label=_("To"), required=False)

    def __init__(self, *args: Any, currencies: list[str], **options: Any) -> None:
        """Offer every kind of row, and the currencies that the person has."""
        super().__init__(*args, **options)
        self._offer("type", [(kind.value, statuses.spoken(kind.value)) for kind in HistoryType])
        self._offer("status", [(status.value, statuses.spoken(status.value)) for status in HistoryStatus])
        self._offer("currency", [(currency, currency) for currency in currencies])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [*_ANY, *choices]

    def clean(self) -> dict[str, Any]:
        """Refuse a period that ends before it begins."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("start") and found.get("end") and found["start"] > found["end"]:
            self.add_error("end", _("The last day is before the first."))
        return found

    def wanted(self) -> Filter:
        """The filter that queries take."""
        found = self.cleaned_data
        end = found["end"]
        return Filter(
            type=found["type"],
            status=found["status"],
            currency=found["currency"],
            start=calendars.midnight(found["start"]) if found["start"] else None,
            end=calendars.midnight(calendars.day_after(end)) if end else None,
            search=found["search"],
        )

    def query(self) -> dict[str, str]:
        """What is asked for, as it stands in an address."""
        return {name: value for name in self.fields if (value := self.data.get(name, ""))}


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show one page of what matches, and what all of it adds up to."""
    user = user_of(request)
    form = _filter(request)
    if not form.is_valid():
        return _refused(request, form)
    wanted, query = form.wanted(), form.query()
    found = history_pages.page(user.pk, wanted, _cursor(request))
    totals, is_whole = history_pages.totals(user.pk, wanted, is_exact="all" in request.GET)
    context = {
        "form": form,
        "rows": [narration.row(row) for row in found.rows],
        "is_cut": found.is_cut,
        "totals": totals,
        "is_whole": is_whole,
        "is_filtered": bool(query),
        "query": urlencode(query),
        "pager": {"newer": _address(query, found.newer), "older": _address(query, found.older)},
    }
    template = "transactions_found.html" if _is_part(request) else "transactions.html"
    return page(request, template, context)


def _is_part(request: HttpRequest) -> bool:
    """Say whether the table alone is asked for; whoever goes back in the browser gets the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request


def _refused(request: HttpRequest, form: FilterForm) -> HttpResponse:
    """Show the form again with what is wrong beside its field, as a whole page."""
    context = {"form": form, "rows": [], "is_filtered": True}
    response = page(request, "transactions.html", context, status=UNPROCESSABLE)
    if _is_part(request):
        response["HX-Redirect"] = request.get_full_path()
    return response


def _filter(request: HttpRequest) -> FilterForm:
    return FilterForm(request.GET, currencies=history_pages.currencies(user_of(request).pk))


def _cursor(request: HttpRequest) -> Cursor:
    """Where the page begins; what is no number begins at the newest row."""
    return Cursor(before=_number(request, "before"), after=_number(request, "after"))


def _number(request: HttpRequest, name: str) -> int | None:
    written = request.GET.get(name, "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 19 else None


def _address(query: dict[str, str], cursor: Cursor | None) -> str:
    if cursor is None:
        return ""
    place = {"before": cursor.before} if cursor.before is not None else {"after": cursor.after}
    return f"?{urlencode({**query, **place})}"


@require_GET
@signed_in
def detail(request: HttpRequest, transaction_id: uuid.UUID) -> HttpResponse:
    """Show one row, and the ledger's entries behind it in words."""
    mine = HistoryRow.objects.filter(user_id=user_of(request).pk, public_id=transaction_id)
    row = mine.select_related("escrow__agreement", "sender", "recipient", "withdrawal").first()
    if row is None:
        raise Http404
    context = {
        "told": narration.row(row),
        "row": row,
        "fee": Money(row.fee_minor, row.currency),
        "net": Money(row.amount_minor - row.fee_minor, row.currency),
        "postings": [narration.posting(posted, row) for posted in journal.of_row(row)],
    }
    return page(request, "transactions_detail.html", context)


_HEADING = (
    "transaction_id",
    "created_at",
    "processed_at",
    "type",
    "status",
    "direction",
    "amount",
    "platform_fee",
    "net_amount",
    "currency",
    "task",
    "from",
    "to",
    "failure_reason",
)


@require_GET
@signed_in
def export(request: HttpRequest) -> HttpResponseBase:
    """Send everything that matches as CSV; a filter that is not valid is mended on the page."""
    form = _filter(request)
    if not form.is_valid():
        return redirect(f"{reverse('pages:transactions')}?{urlencode(form.query())}")
    return _csv(user_of(request).pk, form.wanted())


def _csv(user_id: int, wanted: Filter) -> StreamingHttpResponse:
    return exports.answer("transactions", _HEADING, _cells(user_id, wanted))


def _cells(user_id: int, wanted: Filter) -> Iterator[list[str]]:
    for row in history_pages.all_rows(user_id, wanted):
        amounts = (row.amount_minor, row.fee_minor, row.amount_minor - row.fee_minor)
        yield [
            str(row.public_id),
            row.created_at.isoformat(),
            row.processed_at.isoformat() if row.processed_at else "",
            row.type,
            row.status,
            row.direction,
            *(Money(minor, row.currency).to_major_string() for minor in amounts),
            row.currency,
            row.escrow.agreement.title if row.escrow else "",
            row.sender.username if row.sender else "",
            row.recipient.username if row.recipient else "",
            row.failure_reason,
        ]


urlpatterns = [
    path("transactions/", show, name="transactions"),
    path("transactions/export/", export, name="transactions-export"),
    *statement.urlpatterns,
    path("transactions/<uuid:transaction_id>/", detail, name="transaction"),
]

"""The transaction history: filters, totals, pages, export, and the ledger entries behind each row."""

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

from multitask import database
from multitask.money import Money
from multitask.payments.books import journal
from multitask.payments.books.history import HistoryType
from multitask.payments.models import HistoryRow
from multitask.payments.reads import history_pages, history_search
from multitask.payments.reads.history_pages import Cursor, Rows, Totals
from multitask.payments.reads.wallet import Filter
from multitask.payments.states import HistoryStatus
from multitask.web.pages.base import dates, labels, status_labels
from multitask.web.pages.base.fields import TextField
from multitask.web.pages.base.rendering import UNPROCESSABLE, render_page, signed_in, user_of
from multitask.web.pages.wallet import csv_response, statement

_ANY = [("", _("All"))]


class FilterForm(forms.Form):
    """The filter of the history; days are in the reader's time zone, both included."""

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
        """Offer every type and status, and the currencies that the user has."""
        super().__init__(*args, **options)
        self._offer("type", [(kind.value, status_labels.label(kind.value)) for kind in HistoryType])
        self._offer("status", [(status.value, status_labels.label(status.value)) for status in HistoryStatus])
        self._offer("currency", [(currency, currency) for currency in currencies])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [*_ANY, *choices]

    def clean(self) -> dict[str, Any]:
        """Reject a period that ends before it begins."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("start") and found.get("end") and found["start"] > found["end"]:
            self.add_error("end", _("The last day is before the first."))
        return found

    def wanted(self) -> Filter:
        """Return the filter for queries."""
        found = self.cleaned_data
        end = found["end"]
        return Filter(
            type=found["type"],
            status=found["status"],
            currency=found["currency"],
            start=dates.start_of_day(found["start"]) if found["start"] else None,
            end=dates.start_of_day(dates.day_after(end)) if end else None,
            search=found["search"],
        )

    def query(self) -> dict[str, str]:
        """Return the filter as query parameters."""
        return {name: value for name in self.fields if (value := self.data.get(name, ""))}


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show one page of the matching rows, and the totals of all of them."""
    user = user_of(request)
    form = _filter(request)
    if not form.is_valid():
        return _refused(request, form)
    wanted, query = form.wanted(), form.query()
    found, totals, is_whole = _read(user.pk, wanted, _cursor(request), is_exact="all" in request.GET)
    context = {
        "form": form,
        "rows": [labels.history_row(row) for row in found.rows],
        "totals": totals,
        "is_whole": is_whole,
        "is_filtered": bool(query),
        "query": urlencode(query),
        "pager": {"newer": _address(query, found.newer), "older": _address(query, found.older)},
    }
    template = "wallet/transactions_found.html" if _is_part(request) else "wallet/transactions.html"
    return render_page(request, template, context)


@database.snapshot
def _read(user_id: int, wanted: Filter, cursor: Cursor, *, is_exact: bool) -> tuple[Rows, list[Totals], bool]:
    """Read one page of rows, and the totals of all that match at the same moment."""
    found = history_pages.page(user_id, wanted, cursor)
    totals, is_whole = history_pages.totals(user_id, wanted, is_exact=is_exact)
    return found, totals, is_whole


def _is_part(request: HttpRequest) -> bool:
    """Return whether htmx asks for the table only; going back in the browser needs the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request


def _refused(request: HttpRequest, form: FilterForm) -> HttpResponse:
    """Show the form with its errors, as a whole page."""
    context = {"form": form, "rows": [], "is_filtered": True}
    response = render_page(request, "wallet/transactions.html", context, status=UNPROCESSABLE)
    if _is_part(request):
        response["HX-Redirect"] = request.get_full_path()
    return response


def _filter(request: HttpRequest) -> FilterForm:
    return FilterForm(request.GET, currencies=history_search.currencies(user_of(request).pk))


def _cursor(request: HttpRequest) -> Cursor:
    """Return where the page begins; invalid values begin at the newest row."""
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
    """Show one row and the ledger entries behind it."""
    mine = HistoryRow.objects.filter(user_id=user_of(request).pk, public_id=transaction_id)
    row = mine.select_related("escrow__agreement", "sender", "recipient", "refund", "withdrawal").first()
    if row is None:
        raise Http404
    context = {
        "transaction": labels.history_row(row),
        "row": row,
        "fee": Money(row.fee_minor, row.currency),
        "netted": labels.used_for_debt(row),
        "net": Money(row.amount_minor - row.fee_minor, row.currency),
        "postings": [labels.posting(posted, row) for posted in journal.of_row(row)],
    }
    return render_page(request, "wallet/transaction.html", context)


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
    """Send all matching rows as CSV; an invalid filter redirects to the page, which shows the errors."""
    form = _filter(request)
    if not form.is_valid():
        return redirect(f"{reverse('pages:transactions')}?{urlencode(form.query())}")
    return _csv(user_of(request).pk, form.wanted())


def _csv(user_id: int, wanted: Filter) -> StreamingHttpResponse:
    return csv_response.response("transactions", _HEADING, _cells(user_id, wanted))


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

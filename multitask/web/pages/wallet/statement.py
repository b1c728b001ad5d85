"""The statement of a period, to read, print and download: opening balance + entries = closing balance."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from multitask.errors import DomainError
from multitask.money import Money
from multitask.payments.reads import history_search, statements
from multitask.payments.reads.statements import About, Line, Statement
from multitask.users.models import User
from multitask.web.pages.base import dates, error_messages, labels
from multitask.web.pages.base.rendering import UNPROCESSABLE, render_page, signed_in, user_of
from multitask.web.pages.wallet import csv_response

LONGEST_DAYS: Final = 366
_FIRST_DAY: Final = date(2000, 1, 1)
_LAST_DAY: Final = date(2100, 12, 31)


class DayField(forms.DateField):
    """A date as browsers send it, between 2000 and 2100."""

    def __init__(self, **options: Any) -> None:
        """Use the browser's own date picker."""
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        super().__init__(input_formats=["%Y-%m-%d"], widget=widget, **options)

    def clean(self, value: Any) -> date | None:
        """Parse the date. Raises ValidationError."""
        found: date | None = super().clean(value)
        if found is not None and not _FIRST_DAY <= found <= _LAST_DAY:
            raise forms.ValidationError(_("Choose a day between 2000 and 2100."))
        return found


class StatementForm(forms.Form):
    """The period, the currency, and whether the wallet or the money in escrow is meant."""

    start = DayField(label=_("From"))
    end = DayField(label=_("To"))
    currency = forms.ChoiceField(label=_("Currency"))
    about = forms.ChoiceField(label=_("About"))

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        """Offer the currencies and the subjects that the user has."""
        super().__init__(*args, **options)
        known = sorted({user.default_currency, *history_search.currencies(user.pk)})
        self._offer("currency", [(currency, currency) for currency in known])
        sides = [(About.WALLET.value, _("My wallet"))] if user.is_freelancer else []
        sides += [(About.ESCROW.value, _("My money in escrow"))] if user.is_client or not sides else []
        self._offer("about", sides)

    def _offer(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        """Reject a period that is empty or longer than a year."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        start, end = found.get("start"), found.get("end")
        if start and end and start > end:
            self.add_error("end", _("The last day is before the first."))
        elif start and end and (end - start).days >= LONGEST_DAYS:
            self.add_error("end", _("A statement covers a year at most."))
        return found


def _asked(request: HttpRequest) -> StatementForm:
    """Return the form of the query; the defaults are this month and the user's currency."""
    user, today = user_of(request), timezone.localdate()
    usual = {
        "start": today.replace(day=1).isoformat(),
        "end": today.isoformat(),
        "currency": user.default_currency,
        "about": (About.WALLET if user.is_freelancer else About.ESCROW).value,
    }
    return StatementForm({**usual, **request.GET.dict()}, user=user)


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show the statement of a period."""
    form, user = _asked(request), user_of(request)
    if not form.is_valid():
        return render_page(request, "wallet/statement.html", {"form": form}, status=UNPROCESSABLE)
    found = form.cleaned_data
    try:
        drawn = statements.draw(
            user_id=user.pk,
            about=About(found["about"]),
            currency=found["currency"],
            moments=dates.interval_bounds(found["start"], found["end"]),
        )
    except DomainError as refusal:
        form.add_error("end", error_messages.of(refusal))
        return render_page(request, "wallet/statement.html", {"form": form}, status=UNPROCESSABLE)
    context = {
        "form": form,
        "drawn": drawn,
        "asked": found,
        "held_in": [{"text": labels.statement_place(place.name), "place": place} for place in drawn.places],
        "lines": [_line_view(line, drawn) for line in drawn.lines],
        "sums_by": "hour" if found["start"] == found["end"] else "day",
        "now": timezone.now(),
    }
    return render_page(request, "wallet/statement.html", context)


def _line_view(line: Line, drawn: Statement) -> dict[str, Any]:
    """Return one line for display: its label, its task, and its amount in one of two columns."""
    link, title = drawn.titles.get(line.escrow_id or 0, ("", ""))
    is_in = line.change.amount_minor > 0
    return {
        "line": line,
        "text": labels.statement_line(line.kind, is_wallet=drawn.about is About.WALLET),
        "link": link,
        "title": title,
        "money_in": line.change if is_in else None,
        "money_out": None if is_in else -line.change,
    }


@require_GET
@signed_in
def export(request: HttpRequest) -> HttpResponseBase:
    """Send all lines of the period as CSV."""
    form = _asked(request)
    if not form.is_valid():
        return redirect(f"{reverse('pages:statement')}?{request.GET.urlencode()}")
    found = form.cleaned_data
    try:
        rows = _rows(user_of(request).pk, found)
    except DomainError:
        return redirect(f"{reverse('pages:statement')}?{request.GET.urlencode()}")
    name = f"statement-{found['about']}-{found['currency']}-{found['start']}-{found['end']}"
    heading = ("recorded_at", "event", "escrow", "money_in", "money_out", "balance", "currency")
    return csv_response.response(name, heading, _cells(rows))


def _rows(user_id: int, asked: dict[str, Any]) -> Iterator[Line]:
    return statements.every_line(
        user_id=user_id,
        about=About(asked["about"]),
        currency=asked["currency"],
        start=dates.start_of_day(asked["start"]),
        end=dates.start_of_day(dates.day_after(asked["end"])),
    )


def _cells(lines: Iterator[Line]) -> Iterator[list[str]]:
    for line in lines:
        change, zero = line.change, Money.zero(line.change.currency)
        is_in = change > zero
        yield [
            line.at.isoformat(),
            line.kind,
            "" if line.escrow_id is None else str(line.escrow_id),
            (change if is_in else zero).to_major_string(),
            (zero if is_in else -change).to_major_string(),
            line.balance.to_major_string(),
            change.currency,
        ]


urlpatterns = [
    path("transactions/statement/", show, name="statement"),
    path("transactions/statement/export/", export, name="statement-export"),
]

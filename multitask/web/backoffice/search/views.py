"""The search: the page of results, and the palette that opens over every page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from unfold.dataclasses import SearchResult

from multitask.web.backoffice.base import rendering
from multitask.web.backoffice.search import lookup


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Go to the only match, or list all matches."""
    wanted = request.GET.get("q", "").strip()[: lookup.LONGEST]
    found = lookup.find(wanted)
    if len(found) == 1:
        return redirect(found[0].address)
    return rendering.page(request, "search/results.html", _("Search"), {"wanted": wanted, "found": found})


@require_safe
def palette(request: HttpRequest) -> HttpResponse:
    """Return the matches for the palette, which a key opens over every page."""
    wanted = request.GET.get("s", "").strip()[: lookup.LONGEST]
    if not wanted:
        return HttpResponse()
    results = [
        SearchResult(title=hit.title, description=hit.kind, link=hit.address, icon="tag") for hit in lookup.find(wanted)
    ]
    return render(request, "backoffice/search/palette.html", {"results": results})

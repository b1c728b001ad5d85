"""Search by any id: ours or the provider's, a person's name, a key, a code of the books."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from unfold.dataclasses import SearchResult

from multitask.web.backoffice import finding, site


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Go to the one thing that has the id, or list those that have."""
    wanted = request.GET.get("q", "").strip()[: finding.LONGEST]
    found = finding.find(wanted)
    if len(found) == 1:
        return redirect(found[0].address)
    return site.page(request, "found.html", _("Search"), {"wanted": wanted, "found": found})


@require_safe
def palette(request: HttpRequest) -> HttpResponse:
    """The same for the frame's own search, which opens over every page with a key."""
    wanted = request.GET.get("s", "").strip()[: finding.LONGEST]
    if not wanted:
        return HttpResponse()
    results = [
        SearchResult(title=hit.title, description=hit.kind, link=hit.address, icon="tag")
        for hit in finding.find(wanted)
    ]
    return render(request, "backoffice/parts/palette.html", {"results": results})

"""Render a page inside the frame of the back office."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from multitask.web.backoffice.base.site import site


def page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render `templates/backoffice/<template>` in the frame of the back office."""
    everything = {**site.each_context(request), "title": title or _("Back office"), **(context or {})}
    return render(request, f"backoffice/{template}", everything, status=status)

"""The bell in the header of every page, with the number of unread notices."""

from typing import Any

from django import template
from django.urls import reverse

from multitask.payments.notices import notices

register = template.Library()
_SHOWN = 99


@register.inclusion_tag("pages/parts/bell.html", takes_context=True)
def bell(context: dict[str, Any]) -> dict[str, Any]:
    """Return the number of unread notices, counted up to the most that is shown."""
    request = context["request"]
    count = notices.unread(request.user.pk, at_most=_SHOWN + 1)
    return {
        "count": count,
        "shown": f"{_SHOWN}+" if count > _SHOWN else str(count),
        "is_here": request.path == reverse("pages:notices"),
    }

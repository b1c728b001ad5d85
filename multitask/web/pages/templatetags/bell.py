"""The bell in the frame of every page, with the number of unread notices beside it."""

from typing import Any

from django import template
from django.urls import reverse

from multitask.payments.notices import notices

register = template.Library()
_SHOWN = 99


@register.inclusion_tag("pages/parts/bell.html", takes_context=True)
def bell(context: dict[str, Any]) -> dict[str, Any]:
    """Count what whoever is signed in has not read, no further than there is room to show."""
    request = context["request"]
    count = notices.unread(request.user.pk, at_most=_SHOWN + 1)
    return {
        "count": count,
        "shown": f"{_SHOWN}+" if count > _SHOWN else str(count),
        "is_here": request.path == reverse("pages:notices"),
    }

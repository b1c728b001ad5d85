"""The inbox: the user's notices; opening the page marks those it shows as read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from multitask.payments.models import Notice
from multitask.payments.notices import notices, wording
from multitask.users.mail import MessageText
from multitask.web.pages.base.rendering import actor_of, render_page, signed_in, user_of

PER_PAGE: Final = 20
_LONGEST_ID: Final = 18


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One notice for display, and whether it was unread."""

    message: MessageText
    at: datetime
    is_unread: bool


@require_safe
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show notices, newest first."""
    before = _before(request)
    found = notices.inbox(user_of(request).pk, before=before, limit=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    if any(notice.read_at is None for notice in shown):
        notices.mark_read(actor=actor_of(request), now=timezone.now(), up_to=shown[0].pk)
    pager = {
        "newer": reverse("pages:notices") if before is not None else "",
        "older": f"?before={shown[-1].pk}" if len(found) > PER_PAGE else "",
    }
    return render_page(request, "notices/inbox.html", {"notices": [_view(notice) for notice in shown], "pager": pager})


def _before(request: HttpRequest) -> int | None:
    written = request.GET.get("before", "")
    return int(written) if written.isascii() and written.isdigit() and len(written) <= _LONGEST_ID else None


def _view(notice: Notice) -> NoticeView:
    return NoticeView(wording.of(notice), notice.created_at, notice.read_at is None)


urlpatterns = [path("notices/", show, name="notices")]

"""Previews of the emails, made from real notices; only in development, elsewhere the pages answer 404."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils import translation
from django.views.decorators.http import require_safe

from multitask.payments.models import Notice
from multitask.payments.notices import emails, wording
from multitask.users import account_emails, mail
from multitask.users.models import User
from multitask.web.pages.base.rendering import render_page

_FORMS: Final = {"text": "text/plain; charset=utf-8", "html": "text/html; charset=utf-8"}


def _developers_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if settings.ENV.multitask_env != "development":
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@_developers_only
def show(request: HttpRequest) -> HttpResponse:
    """List every kind of notice with its newest example, and every kind of account email."""
    newest = dict(Notice.objects.values_list("kind").annotate(newest=Max("pk")))
    context = {
        "kinds": [{"name": kind, "newest": newest.get(kind)} for kind in sorted(wording.KINDS)],
        "letters": account_emails.KINDS if User.objects.exists() else [],
    }
    return render_page(request, "notices/email_previews.html", context)


@require_safe
@_developers_only
def notice(request: HttpRequest, notice_id: int, form: str, language: str) -> HttpResponse:
    """Show the email of one notice as text or HTML in the given language."""
    found = Notice.objects.filter(pk=notice_id).first()
    if found is None:
        raise Http404
    found.user.language = _known(language)
    return _shown(emails.compose(found), form)


@require_safe
@_developers_only
def letter(request: HttpRequest, kind: str, form: str, language: str) -> HttpResponse:
    """Show an account email as the newest user would get it; its link leads nowhere."""
    user = User.objects.order_by("pk").last()
    if user is None or kind not in account_emails.KINDS:
        raise Http404
    user.language = _known(language)
    with mail.in_language_of(user):
        content = account_emails.message_text(kind, user, user.email)
        harmless = mail.MessageText(content.title, content.text, f"/dev/emails/#{kind}", content.button)
        return _shown(account_emails.written(user, harmless, message_id="preview"), form)


def _known(language: str) -> str:
    if not translation.check_for_language(language) or language not in dict(settings.LANGUAGES):
        raise Http404
    return language


def _shown(message: EmailMultiAlternatives, form: str) -> HttpResponse:
    if form not in _FORMS:
        raise Http404
    if form == "html":
        response = HttpResponse(str(message.alternatives[0][0]), content_type=_FORMS[form])
        # Emails contain inline styles and load nothing else.
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        return response
    head = f"Subject: {message.subject}\nTo: {', '.join(message.to)}\n\n"
    return HttpResponse(head + str(message.body), content_type=_FORMS[form])


urlpatterns = [
    path("dev/emails/", show, name="dev-emails"),
    path("dev/emails/notice/<int:notice_id>/<str:form>/<str:language>/", notice, name="dev-notice"),
    path("dev/emails/letter/<str:kind>/<str:form>/<str:language>/", letter, name="dev-letter"),
]

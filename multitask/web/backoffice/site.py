"""The staff's site: Django's admin with Unfold's theme, our own access rules and none of the generic editing."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from csp.decorators import csp_replace
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from unfold.sites import UnfoldAdminSite

from multitask.users import second_factor
from multitask.web import page_sessions
from multitask.web.backoffice import navigation, roles
from multitask.web.backoffice.policy import POLICY
from multitask.web.pages.base.rendering import user_of

View = Callable[..., HttpResponse]


class BackOffice(UnfoldAdminSite):  # type: ignore[misc]
    """Lets staff alone in, asked of the database at every request, so that a revoked role stops at once."""

    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Say whether this person belongs to the staff now."""
        return roles.is_staff(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Let staff pass whose session the second factor has proved.

        Visitors sign in first, staff without that proof gives it or switches the second factor on, and other
        people find nothing here.
        """
        inner: View = super().admin_view(view, cacheable)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if roles.is_unproved_staff(request):
                return _to_second_factor(request)
            if not self.has_permission(request):
                raise Http404
            request.current_app = self.name
            response: HttpResponse = inner(request, *args, **kwargs)
            response["Cache-Control"] = "no-store"
            return response

        return cast(View, csp_replace(POLICY)(guarded))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Answer what the frame needs; colours stand in our own sheet, as the policy lets no style into the page."""
        context: dict[str, Any] = super().each_context(request)
        context["colors"] = None
        context["site_subheader"] = _("Back office")
        context["site_title"] = f"MultiTask · {_('Back office')}"
        return context

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Answer the way around."""
        return navigation.groups(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Only the addresses that read, and the one that carries out a deed."""
        from multitask.web.backoffice import home, searching
        from multitask.web.backoffice.deeds import confirmation

        seen = self.admin_view
        urls: list[URLPattern | URLResolver] = [
            path("", seen(home.show), name="index"),
            path("find/", seen(searching.show), name="find"),
            path("search/", seen(searching.palette), name="search"),
            path("do/<slug:name>/", seen(confirmation.show), name="do"),
            path("do/<slug:name>/<int:subject_id>/", seen(confirmation.show), name="do"),
            path("jsi18n/", seen(self.i18n_javascript, cacheable=True), name="jsi18n"),
            path("login/", self.login, name="login"),
            path("logout/", seen(require_POST(self.sign_out)), name="logout"),
            path("password_change/", seen(self.profile), name="password_change"),
        ]
        for model, shown in self._registry.items():
            names = f"{model._meta.app_label}/{model._meta.model_name}/"
            urls.append(path(names, include(shown.urls)))
        return [*urls, path("<slug:app_label>/", seen(self.app_index), name="app_list")]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Staff signs in where everybody does."""
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def sign_out(self, request: HttpRequest) -> HttpResponse:
        """End the session."""
        page_sessions.end(request)
        return redirect("pages:home")

    def profile(self, request: HttpRequest) -> HttpResponse:
        """One's own password and preferences are changed where everybody changes theirs."""
        return redirect("pages:profile")

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The first part of every trail leads home."""
        if app_label not in {model._meta.app_label for model in self._registry}:
            raise Http404
        return redirect("admin:index")


def _to_second_factor(request: HttpRequest) -> HttpResponse:
    """Send staff to prove the second factor, or to switch it on, and back afterwards."""
    # What a form held stays out of addresses; whoever comes back finds the page that the form is on.
    wanted = request.path if request.method == "POST" else request.get_full_path()
    if second_factor.is_on(user_of(request).pk):
        messages.info(request, _("The back office asks for a code from your app first."))
        page = "pages:prove"
    else:
        messages.info(request, _("Staff needs two-step sign-in for the back office. Switch it on here, then go on."))
        page = "pages:security"
    return redirect(f"{reverse(page)}?{urlencode({'next': wanted})}")


def page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render `templates/backoffice/<template>` in the frame of the back office."""
    from django.shortcuts import render

    everything = {**site.each_context(request), "title": title or _("Back office"), **(context or {})}
    return render(request, f"backoffice/{template}", everything, status=status)


# The name is the one that Unfold's own templates ask for.
site = BackOffice(name=admin.site.name)

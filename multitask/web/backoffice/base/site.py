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
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from multitask.users import second_factor
from multitask.web import page_sessions
from multitask.web.backoffice.base import navigation, roles
from multitask.web.backoffice.base.content_security import POLICY
from multitask.web.pages.base.rendering import user_of

View = Callable[..., HttpResponse]


class BackOffice(UnfoldAdminSite):  # type: ignore[misc]
    """Admits staff only, as the database has it at every request, so that a revoked role stops at once.

    `multitask.web.backoffice.urls` mounts its addresses.
    """

    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether this person belongs to the staff now."""
        return roles.is_staff(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Admit staff whose session the second factor has proved.

        Visitors sign in first, staff without that proof enters a code or switches the second factor on, and other
        people get 404.
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
        """Return what the frame needs; colours are in our own sheet, as the policy forbids inline styles."""
        context: dict[str, Any] = super().each_context(request)
        context["colors"] = None
        context["site_subheader"] = _("Back office")
        context["site_title"] = f"MultiTask · {_('Back office')}"
        return context

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Return the groups of the navigation."""
        return navigation.groups(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send staff to the sign-in page that everybody uses."""
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def sign_out(self, request: HttpRequest) -> HttpResponse:
        """End the session."""
        page_sessions.end(request)
        return redirect("pages:home")

    def profile(self, request: HttpRequest) -> HttpResponse:
        """Send staff to the profile page that everybody uses."""
        return redirect("pages:profile")

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send the first part of a breadcrumb to the overview."""
        if app_label not in {model._meta.app_label for model in self._registry}:
            raise Http404
        return redirect("admin:index")


def _to_second_factor(request: HttpRequest) -> HttpResponse:
    """Send staff to prove the second factor, or to switch it on, and back afterwards."""
    # Form contents stay out of addresses; afterwards the person returns to the page that holds the form.
    wanted = request.path if request.method == "POST" else request.get_full_path()
    if second_factor.is_on(user_of(request).pk):
        messages.info(request, _("The back office asks for a code from your app first."))
        page = "pages:prove"
    else:
        messages.info(request, _("Staff needs two-step sign-in for the back office. Switch it on here, then go on."))
        page = "pages:security"
    return redirect(f"{reverse(page)}?{urlencode({'next': wanted})}")


# The name is the one that Unfold's own templates ask for.
site = BackOffice(name=admin.site.name)

"""Sign in, register, sign out, profile, password, second factor."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from multitask.web.pages.shell import page


def show(request: HttpRequest, **kwargs: object) -> HttpResponse:
    """Show the page."""
    return page(request, "base.html")


urlpatterns = [
    path("sign-in/", show, name="sign-in"),
    path("sign-out/", show, name="sign-out"),
    path("register/", show, name="register"),
    path("profile/", show, name="profile"),
]

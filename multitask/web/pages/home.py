"""Home: what this is, or what needs you now."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from multitask.web.pages.shell import page


def show(request: HttpRequest, **kwargs: object) -> HttpResponse:
    """Show the page."""
    return page(request, "base.html")


urlpatterns = [
    path("", show, name="home"),
]

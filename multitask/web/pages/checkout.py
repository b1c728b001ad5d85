"""Checkout."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from multitask.web.pages.shell import page


def show(request: HttpRequest, **kwargs: object) -> HttpResponse:
    """Show the page."""
    return page(request, "base.html")


urlpatterns = [
    path("tasks/<int:task_id>/pay/", show, name="checkout"),
]

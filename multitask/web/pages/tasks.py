"""Tasks: browse, post, apply, accept, deliver, confirm, cancel."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from multitask.web.pages.shell import page


def show(request: HttpRequest, **kwargs: object) -> HttpResponse:
    """Show the page."""
    return page(request, "base.html")


urlpatterns = [
    path("tasks/", show, name="tasks"),
    path("tasks/<int:task_id>/", show, name="task"),
]

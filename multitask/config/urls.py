"""The root of every address; the rooms bring their own."""

from django.urls import include, path

urlpatterns = [
    path("", include("multitask.webhooks.urls")),
    path("api/", include("multitask.webhooks.urls")),
    path("", include("multitask.web.api.urls")),
    path("", include("multitask.web.pages.urls")),
]

"""The root of every address; the rooms bring their own."""

from django.urls import include, path

urlpatterns = [
    path("", include("multitask.webhooks.urls")),
    path("api/", include("multitask.webhooks.urls")),
    path("backoffice/", include("multitask.web.backoffice.urls")),
    path("", include("multitask.web.api.urls")),
    path("", include("multitask.web.pages.urls")),
]

# Where no page answers; names, as Django imports them once something has gone wrong.
handler400 = "multitask.web.pages.faults.not_understood"
handler403 = "multitask.web.pages.faults.forbidden"
handler404 = "multitask.web.pages.faults.not_found"
handler500 = "multitask.web.pages.faults.broken"

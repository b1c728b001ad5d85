"""The root URL configuration; each package has its own `urls`."""

from django.urls import include, path

urlpatterns = [
    path("", include("multitask.webhooks.urls")),
    path("api/", include("multitask.webhooks.urls")),
    path("backoffice/", include("multitask.web.backoffice.urls")),
    path("", include("multitask.web.api.urls")),
    path("", include("multitask.web.pages.urls")),
]

# Error pages, as dotted names, because Django imports them only when an error occurs.
handler400 = "multitask.web.pages.base.error_pages.bad_request"
handler403 = "multitask.web.pages.base.error_pages.forbidden"
handler404 = "multitask.web.pages.base.error_pages.not_found"
handler500 = "multitask.web.pages.base.error_pages.server_error"

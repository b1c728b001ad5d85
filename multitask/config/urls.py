"""The root of every address; the rooms bring their own."""

from django.urls import include, path

from multitask.web.backoffice.site import site as backoffice

urlpatterns = [
    path("", include("multitask.webhooks.urls")),
    path("api/", include("multitask.webhooks.urls")),
    path("backoffice/", backoffice.urls),
    path("", include("multitask.web.api.urls")),
    path("", include("multitask.web.pages.urls")),
]

# Where no page answers; names, as Django imports them once something has gone wrong.
handler400 = "multitask.web.pages.base.error_pages.bad_request"
handler403 = "multitask.web.pages.base.error_pages.forbidden"
handler404 = "multitask.web.pages.base.error_pages.not_found"
handler500 = "multitask.web.pages.base.error_pages.server_error"

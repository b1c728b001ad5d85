"""Where providers post their events."""

from django.urls import path

from multitask.webhooks import entry

urlpatterns = [
    path("payments/webhooks/stripe/", entry.receive, {"provider_name": "stripe"}, name="webhooks-stripe"),
]

"""Where providers post their events."""

from django.urls import path

from multitask.webhooks import views

urlpatterns = [
    path("payments/webhooks/stripe/", views.receive, {"provider_name": "stripe"}, name="webhooks-stripe"),
]

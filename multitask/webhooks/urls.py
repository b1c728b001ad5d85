"""Where providers post their events."""

from django.urls import path

from multitask.webhooks import views

urlpatterns = [
    path("payments/webhooks/stripe/", views.receive, {"provider_name": "stripe"}, name="webhooks-stripe"),
    path("payments/webhooks/paymob/", views.receive, {"provider_name": "paymob"}, name="webhooks-paymob"),
    path("payments/webhooks/paymob/payouts/", views.hint, {"provider_name": "paymob"}, name="webhooks-paymob-payouts"),
]

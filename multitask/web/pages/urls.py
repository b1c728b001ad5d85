"""The addresses of the pages; each resource brings its own."""

from multitask.web.pages import (
    account,
    checkout,
    dev,
    home,
    notices,
    onboarding,
    password,
    payment,
    preferences,
    profile,
    security,
    tasks,
    transactions,
    wallet,
)

app_name = "pages"
urlpatterns = [
    *home.urlpatterns,
    *account.urlpatterns,
    *tasks.urlpatterns,
    *payment.urlpatterns,
    *checkout.urlpatterns,
    *onboarding.urlpatterns,
    *wallet.urlpatterns,
    *transactions.urlpatterns,
    *preferences.urlpatterns,
    *profile.urlpatterns,
    *password.urlpatterns,
    *security.urlpatterns,
    *notices.urlpatterns,
    *dev.urlpatterns,
]

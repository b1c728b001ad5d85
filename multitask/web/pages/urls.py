"""The addresses of the pages; each module lists its own."""

from multitask.web.pages import home
from multitask.web.pages.accounts import cards, password, preferences, profile, registration, security, sign_in
from multitask.web.pages.escrow import payment, refunds
from multitask.web.pages.funding import checkout
from multitask.web.pages.notices import email_previews, inbox
from multitask.web.pages.payouts import onboarding, payout_details
from multitask.web.pages.proof import own, statement
from multitask.web.pages.tasks import task, task_list
from multitask.web.pages.wallet import transactions, wallet

app_name = "pages"
urlpatterns = [
    *home.urlpatterns,
    *sign_in.urlpatterns,
    *registration.urlpatterns,
    *task_list.urlpatterns,
    *task.urlpatterns,
    *payment.urlpatterns,
    *refunds.urlpatterns,
    *checkout.urlpatterns,
    *onboarding.urlpatterns,
    *payout_details.urlpatterns,
    *wallet.urlpatterns,
    *transactions.urlpatterns,
    *preferences.urlpatterns,
    *profile.urlpatterns,
    *cards.urlpatterns,
    *password.urlpatterns,
    *security.urlpatterns,
    *inbox.urlpatterns,
    *email_previews.urlpatterns,
    *statement.urlpatterns,
    *own.urlpatterns,
]

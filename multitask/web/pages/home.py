"""Home: what this is and how the money moves; signed in, what needs you now."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.marketplace.models import Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.payments.models import Escrow, Refund
from multitask.payments.payouts import onboarding
from multitask.payments.reads import wallet
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, RefundState
from multitask.users.models import User
from multitask.web.pages.shell import page, user_of

MOST = 20


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for the reader, with the one button that does it; `is_post` for a form."""

    what: str
    about: str
    button: str
    address: str
    is_post: bool = False


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show what this is, or what needs you now."""
    if not request.user.is_authenticated:
        is_development = settings.ENV.multitask_env == "development"
        return page(request, "welcome.html", {"logins": _demo_logins() if is_development else []})
    user = user_of(request)
    context: dict[str, Any] = {
        "needs": needs_of(user),
        "wallets": wallet.balances(user_id=user.pk, default_currency=user.default_currency),
        "is_client": user.is_client,
        "is_freelancer": user.is_freelancer,
    }
    return page(request, "home.html", context)


def _demo_logins() -> list[User]:
    """The accounts of the local story that was told last; they exist in development alone."""
    return list(User.objects.filter(username__regex=r"^(client|freelancer|staff)-[0-9a-f]{6}$").order_by("-pk")[:3])


def needs_of(user: User) -> list[Need]:
    """What waits for this person, the most urgent first."""
    found = _of_client(user) if user.is_client else []
    return [*found, *(_of_freelancer(user) if user.is_freelancer else [])]


def _of_client(user: User) -> list[Need]:
    mine = Escrow.objects.filter(client=user).select_related("agreement", "freelancer")
    # What is held by a bank or asked back cannot be released: a button for it would lead nowhere.
    asked_back = Refund.objects.filter(escrow=OuterRef("pk"), state__in=[state.value for state in OPEN_REFUNDS])
    funded = mine.filter(~Exists(asked_back), state=EscrowState.FUNDED.value, frozen_at=None)
    delivered = funded.filter(milestone__state=MilestoneState.DELIVERED.value).order_by("auto_release_at")
    completed = funded.filter(milestone__state=MilestoneState.COMPLETED.value)
    return [
        *[_payment_need(_("Confirm and release"), found) for found in delivered[:MOST]],
        *[_payment_need(_("Release the money"), found) for found in completed[:MOST]],
        *[_fund_need(task) for task in _unpaid(user)[:MOST]],
        *[_choose_need(task) for task in _with_applicants(user)[:MOST]],
    ]


def _payment_need(button: str, escrow: Escrow) -> Need:
    what = _("%(name)s has delivered") % {"name": escrow.freelancer.username}
    return Need(what, escrow.agreement.title, button, escrow.agreement.link)


def _unpaid(user: User) -> Any:
    paid = Escrow.objects.filter(agreement=OuterRef("agreement")).exclude(
        state__in=[EscrowState.PENDING_PAYMENT.value, EscrowState.CANCELLED.value]
    )
    payable = Task.objects.filter(client=user).in_status(TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS)
    return payable.filter(~Exists(paid)).select_related("freelancer").order_by("assigned_at")


def _fund_need(task: Task) -> Need:
    name = task.freelancer.username if task.freelancer else ""
    what = _("Pay into escrow, so that %(name)s can start") % {"name": name}
    return Need(what, task.title, _("Pay into escrow"), reverse("pages:checkout-begin", args=[task.pk]), True)


def _with_applicants(user: User) -> Any:
    waiting = Application.objects.filter(task=OuterRef("pk"), status=ApplicationStatus.PENDING)
    return Task.objects.filter(Exists(waiting), client=user, state=TaskStatus.OPEN).order_by("created_at")


def _choose_need(task: Task) -> Need:
    return Need(_("Somebody has applied"), task.title, _("Choose"), reverse("pages:task", args=[task.pk]))


def _of_freelancer(user: User) -> list[Need]:
    asked = Refund.objects.filter(escrow__freelancer=user, state=RefundState.REQUESTED.value)
    asked = asked.select_related("escrow__agreement", "escrow__client").order_by("answer_by_at")
    funded = Escrow.objects.filter(Q(freelancer=user), state=EscrowState.FUNDED.value).select_related("agreement__task")
    to_do = funded.filter(milestone__state__in=[MilestoneState.FUNDED.value, MilestoneState.STARTED.value]).order_by(
        "funded_at"
    )
    return [
        *[_answer_need(refund) for refund in asked[:MOST]],
        *[_deliver_need(escrow) for escrow in to_do[:MOST]],
        *_onboarding_need(user),
    ]


def _answer_need(refund: Refund) -> Need:
    what = _("%(name)s asks for a refund") % {"name": refund.escrow.client.username}
    agreement = refund.escrow.agreement
    return Need(what, agreement.title, _("Answer"), agreement.link)


def _onboarding_need(user: User) -> list[Need]:
    account = onboarding.account_of(user.pk)
    if account is not None and account.onboarding_completed:
        return []
    about = _("Your earnings wait for you until then.")
    return [Need(_("Set up your payouts"), about, _("Set up"), reverse("pages:onboarding"))]


def _deliver_need(escrow: Escrow) -> Need:
    address = reverse("pages:task", args=[escrow.agreement.task.pk])
    return Need(_("The money is in escrow: do the work and deliver it"), escrow.agreement.title, _("Deliver"), address)


urlpatterns = [path("", show, name="home")]

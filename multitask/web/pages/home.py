"""The home page: an introduction for visitors; for signed-in users what they have to do."""

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
from multitask.web.pages.base.rendering import render_page, user_of

MOST = 20


@dataclass(frozen=True, slots=True)
class ActionItem:
    """One thing for the reader to do, with its button; `is_post` if the button sends a form."""

    what: str
    about: str
    button: str
    address: str
    is_post: bool = False


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the introduction, or what the user has to do."""
    if not request.user.is_authenticated:
        is_development = settings.ENV.multitask_env == "development"
        return render_page(request, "welcome.html", {"logins": _demo_logins() if is_development else []})
    user = user_of(request)
    context: dict[str, Any] = {
        "items": action_items(user),
        "wallets": wallet.balances(user_id=user.pk, default_currency=user.default_currency),
        "is_client": user.is_client,
        "is_freelancer": user.is_freelancer,
    }
    return render_page(request, "home.html", context)


def _demo_logins() -> list[User]:
    """Return the accounts of the latest demo story; they exist only in development."""
    return list(User.objects.filter(username__regex=r"^(client|freelancer|staff)-[0-9a-f]{6}$").order_by("-pk")[:3])


def action_items(user: User) -> list[ActionItem]:
    """Return what this user has to do, the most urgent first."""
    found = _of_client(user) if user.is_client else []
    return [*found, *(_of_freelancer(user) if user.is_freelancer else [])]


def _of_client(user: User) -> list[ActionItem]:
    mine = Escrow.objects.filter(client=user).select_related("agreement", "freelancer")
    # Frozen escrows and those with an open refund cannot be released, so they get no button.
    asked_back = Refund.objects.filter(escrow=OuterRef("pk"), state__in=[state.value for state in OPEN_REFUNDS])
    funded = mine.filter(~Exists(asked_back), state=EscrowState.FUNDED.value, frozen_at=None)
    delivered = funded.filter(milestone__state=MilestoneState.DELIVERED.value).order_by("auto_release_at")
    completed = funded.filter(milestone__state=MilestoneState.COMPLETED.value)
    return [
        *[_payment_item(_("Confirm and release"), found) for found in delivered[:MOST]],
        *[_payment_item(_("Release the money"), found) for found in completed[:MOST]],
        *[_funding_item(task) for task in _unpaid(user)[:MOST]],
        *[_choice_item(task) for task in _with_applicants(user)[:MOST]],
    ]


def _payment_item(button: str, escrow: Escrow) -> ActionItem:
    what = _("%(name)s has delivered") % {"name": escrow.freelancer.username}
    return ActionItem(what, escrow.agreement.title, button, escrow.agreement.link)


def _unpaid(user: User) -> Any:
    paid = Escrow.objects.filter(agreement=OuterRef("agreement")).exclude(
        state__in=[EscrowState.PENDING_PAYMENT.value, EscrowState.CANCELLED.value]
    )
    payable = Task.objects.filter(client=user).in_status(TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS)
    return payable.filter(~Exists(paid)).select_related("freelancer").order_by("assigned_at")


def _funding_item(task: Task) -> ActionItem:
    name = task.freelancer.username if task.freelancer else ""
    what = _("Pay into escrow, so that %(name)s can start") % {"name": name}
    return ActionItem(what, task.title, _("Pay into escrow"), reverse("pages:checkout-begin", args=[task.pk]), True)


def _with_applicants(user: User) -> Any:
    waiting = Application.objects.filter(task=OuterRef("pk"), status=ApplicationStatus.PENDING)
    return Task.objects.filter(Exists(waiting), client=user, state=TaskStatus.OPEN).order_by("created_at")


def _choice_item(task: Task) -> ActionItem:
    return ActionItem(_("Somebody has applied"), task.title, _("Choose"), reverse("pages:task", args=[task.pk]))


def _of_freelancer(user: User) -> list[ActionItem]:
    asked = Refund.objects.filter(escrow__freelancer=user, state=RefundState.REQUESTED.value)
    asked = asked.select_related("escrow__agreement", "escrow__client").order_by("answer_by_at")
    funded = Escrow.objects.filter(Q(freelancer=user), state=EscrowState.FUNDED.value).select_related("agreement__task")
    to_do = funded.filter(milestone__state__in=[MilestoneState.FUNDED.value, MilestoneState.STARTED.value]).order_by(
        "funded_at"
    )
    return [
        *[_answer_item(refund) for refund in asked[:MOST]],
        *[_delivery_item(escrow) for escrow in to_do[:MOST]],
        *_onboarding_items(user),
    ]


def _answer_item(refund: Refund) -> ActionItem:
    what = _("%(name)s asks for a refund") % {"name": refund.escrow.client.username}
    agreement = refund.escrow.agreement
    return ActionItem(what, agreement.title, _("Answer"), agreement.link)


def _onboarding_items(user: User) -> list[ActionItem]:
    account = onboarding.account_of(user.pk)
    if account is not None and account.onboarding_completed:
        return []
    about = _("Your earnings wait for you until then.")
    return [ActionItem(_("Set up your payouts"), about, _("Set up"), reverse("pages:onboarding"))]


def _delivery_item(escrow: Escrow) -> ActionItem:
    address = reverse("pages:task", args=[escrow.agreement.task.pk])
    about = escrow.agreement.title
    return ActionItem(_("The money is in escrow: do the work and deliver it"), about, _("Deliver"), address)


urlpatterns = [path("", show, name="home")]

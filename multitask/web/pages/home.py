"""The home page: an introduction for visitors; for signed-in users what they have to do."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask.marketplace.models import Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.money import Money
from multitask.payments.escrow import refund_payouts, stranded
from multitask.payments.losses import holds
from multitask.payments.models import Chargeback, ConnectedAccount, Escrow, Refund
from multitask.payments.payouts import account_status, onboarding
from multitask.payments.payouts.account_status import AccountStatus
from multitask.payments.payouts.destinations import MissingReason
from multitask.payments.reads import waiting_payouts, wallet
from multitask.payments.states import HOLDING_ESCROWS, OPEN_REFUNDS, EscrowState, MilestoneState, RefundState
from multitask.users.models import User
from multitask.web.pages.base.rendering import render_page, user_of
from multitask.web.pages.escrow import next_steps
from multitask.web.pages.templatetags.money import money

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
    wallets = wallet.balances(user_id=user.pk, default_currency=user.default_currency)
    context: dict[str, Any] = {
        "items": action_items(user, wallets),
        "wallets": wallets,
        "is_client": user.is_client,
        "is_freelancer": user.is_freelancer,
    }
    return render_page(request, "home.html", context)


def _demo_logins() -> list[User]:
    """Return the accounts of the latest demo stories; they exist only in development."""
    names = r"^(egypt-)?(client|freelancer|staff)-[0-9a-f]{6}$"
    return list(User.objects.filter(username__regex=names).order_by("-pk")[:5])


def action_items(user: User, wallets: list[wallet.Balances]) -> list[ActionItem]:
    """Return what this user has to do, the most urgent first."""
    found = _of_client(user) if user.is_client else []
    return [*found, *(_of_freelancer(user, wallets) if user.is_freelancer else [])]


def _of_client(user: User) -> list[ActionItem]:
    mine = Escrow.objects.filter(client=user).select_related("agreement", "freelancer")
    # Frozen escrows and those with an open refund cannot be released, so they get no button.
    asked_back = Refund.objects.filter(escrow=OuterRef("pk"), state__in=[state.value for state in OPEN_REFUNDS])
    funded = mine.filter(~Exists(asked_back), state=EscrowState.FUNDED.value, frozen_at=None)
    delivered = funded.filter(milestone__state=MilestoneState.DELIVERED.value).order_by("auto_release_at")
    completed = funded.filter(milestone__state=MilestoneState.COMPLETED.value)
    return [
        *[_contested_item(found, is_payee=False) for found in _contested(mine)[:MOST]],
        *_refund_items(user),
        *[_stranded_item(found) for found in _stranded(user)[:MOST]],
        *[_payment_item(_("Confirm and release"), found) for found in delivered[:MOST]],
        *[_payment_item(_("Release the money"), found) for found in completed[:MOST]],
        *[_funding_item(task) for task in _unpaid(user)[:MOST]],
        *[_choice_item(task) for task in _with_applicants(user)[:MOST]],
    ]


def _refund_items(user: User) -> list[ActionItem]:
    """Return that a refund waits for payout details; one item, since the same details serve all refunds."""
    refund = refund_payouts.first_hindered(user.pk, timezone.now())
    if refund is None:
        return []
    what, title = _("Choose where your refund goes"), refund.escrow.agreement.title
    return [ActionItem(what, title, _("Complete your payout details"), reverse("pages:payout-details"))]


def _stranded(user: User) -> Any:
    return stranded.found().filter(client=user).select_related("agreement").order_by("stranded_at")


def _stranded_item(escrow: Escrow) -> ActionItem:
    what = _("The task has ended and its money is still in escrow")
    return ActionItem(what, escrow.agreement.title, _("Take the money back"), escrow.agreement.link)


def _contested(escrows: QuerySet[Escrow]) -> QuerySet[Escrow]:
    """Select escrows whose money, in escrow or released, is contested by a bank."""
    open_ones = Chargeback.objects.filter(holds.CONTESTED, escrow=OuterRef("pk"))
    states = [state.value for state in (*HOLDING_ESCROWS, EscrowState.RELEASED)]
    return escrows.filter(Exists(open_ones), state__in=states, frozen_at__isnull=False).order_by("frozen_at")


def _contested_item(escrow: Escrow, *, is_payee: bool) -> ActionItem:
    if escrow.state == EscrowState.RELEASED.value:
        return _contested_later_item(escrow, is_payee=is_payee)
    what = (
        _("Do not work on this: the cardholder's bank contests the payment")
        if is_payee
        else _("Your bank contests this payment; its money is held")
    )
    return ActionItem(what, escrow.agreement.title, _("See what happens"), escrow.agreement.link)


def _contested_later_item(escrow: Escrow, *, is_payee: bool) -> ActionItem:
    held = Money(escrow.contested_minor, escrow.currency)
    if not is_payee:
        what = _("Your bank contests this payment, which was released already")
    elif held.amount_minor:
        what = _("%(amount)s is held: the cardholder's bank contests the payment") % {"amount": money(held)}
    else:
        what = _("The cardholder's bank contests a payment that was released to you")
    return ActionItem(what, escrow.agreement.title, _("See what happens"), escrow.agreement.link)


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


def _of_freelancer(user: User, wallets: list[wallet.Balances]) -> list[ActionItem]:
    asked = Refund.objects.filter(escrow__freelancer=user, state=RefundState.REQUESTED.value)
    asked = asked.select_related("escrow__agreement", "escrow__client").order_by("answer_by_at")
    mine = Escrow.objects.filter(Q(freelancer=user)).select_related("agreement__task")
    to_do = (
        mine.filter(~Exists(next_steps.whole_refunds()), state=EscrowState.FUNDED.value, frozen_at=None)
        .filter(milestone__state__in=[MilestoneState.FUNDED.value, MilestoneState.STARTED.value])
        .order_by("funded_at")
    )
    account = onboarding.account_of(user.pk)
    return [
        *[_contested_item(found, is_payee=True) for found in _contested(mine)[:MOST]],
        *_bank_items(account, wallets),
        *[_answer_item(refund) for refund in asked[:MOST]],
        *[_delivery_item(escrow) for escrow in to_do[:MOST]],
        *_payout_items(user, account),
    ]


def _answer_item(refund: Refund) -> ActionItem:
    what = _("%(name)s asks for a refund") % {"name": refund.escrow.client.username}
    agreement = refund.escrow.agreement
    return ActionItem(what, agreement.title, _("Answer"), agreement.link)


def _payout_items(user: User, account: ConnectedAccount | None) -> list[ActionItem]:
    """Return what is missing before the person can be paid in their own currency."""
    if not waiting_payouts.is_on_platform(user.default_currency):
        return _onboarding_items(account)
    missing = waiting_payouts.first_missing(user.pk, user.default_currency, timezone.now())
    if missing in {None, MissingReason.IDENTITY_UNCONFIRMED}:
        return []
    address = reverse("pages:payout-details")
    if missing is MissingReason.IDENTITY_REJECTED:
        what = _("Your identity could not be confirmed")
        return [ActionItem(what, _("Your earnings wait for you until then."), _("Correct it"), address)]
    about = _("Your earnings wait for you until then.")
    return [ActionItem(_("Set up your payouts"), about, _("Set up"), address)]


def _bank_items(account: ConnectedAccount | None, wallets: list[wallet.Balances]) -> list[ActionItem]:
    """Return the amounts that were released and wait for a bank account in their currency."""
    if account is None or not account.can_receive or account.is_final:
        return []
    pending = (found.pending for found in wallets if found.pending.amount_minor)
    waiting = [amount for amount in pending if not waiting_payouts.is_on_platform(amount.currency)]
    return [_bank_item(amount) for amount in waiting if not account.has_bank_for(amount.currency)]


def _bank_item(amount: Money) -> ActionItem:
    values = {"amount": money(amount), "currency": amount.currency}
    what = _("%(amount)s waits for a bank account in %(currency)s") % values
    return ActionItem(what, _("Add one to your payout account."), _("Add it"), reverse("pages:onboarding"))


def _onboarding_items(account: ConnectedAccount | None) -> list[ActionItem]:
    status = None if account is None else account_status.of(account)
    if status in {AccountStatus.READY, AccountStatus.CHECKED, AccountStatus.PAUSED}:
        return []
    address = reverse("pages:onboarding")
    if account is not None and account.is_final:
        ended = _("Your payout account has ended for good: open a new one")
        return [ActionItem(ended, _("What you earned waits for it."), _("Open one"), address)]
    if status is AccountStatus.DETAILS_DUE:
        asked = _("The payment provider asks for more details")
        return [ActionItem(asked, _("Payouts may stop if they do not come."), _("Provide them"), address)]
    about = _("Your earnings wait for you until then.")
    return [ActionItem(_("Set up your payouts"), about, _("Set up"), address)]


def _delivery_item(escrow: Escrow) -> ActionItem:
    address = reverse("pages:task", args=[escrow.agreement.task.pk])
    about = escrow.agreement.title
    return ActionItem(_("The money is in escrow: do the work and deliver it"), about, _("Deliver"), address)


urlpatterns = [path("", show, name="home")]

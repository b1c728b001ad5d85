"""What happens next with an escrow or a task, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.marketplace.models import Task
from multitask.marketplace.states import TaskStatus
from multitask.payments.authorization import access
from multitask.payments.escrow import refund_payouts, refund_ways
from multitask.payments.escrow.refund_ways import RefundWay
from multitask.payments.models import ConnectedAccount, Escrow, Payment, Refund
from multitask.payments.payouts import account_status, onboarding
from multitask.payments.payouts.account_status import AccountStatus
from multitask.payments.states import OPEN_REFUNDS, EscrowState, MilestoneState, PaymentState, RefundState
from multitask.users.actor import Actor, Role
from multitask.web.pages.escrow import contested
from multitask.web.pages.templatetags.money import money

_REFUND_ARRIVES: Final = {
    RefundWay.CARD: gettext_lazy("The refund reaches the client's card in 5 to 10 days."),
    RefundWay.ORIGIN: gettext_lazy("The refund goes back the way the client paid, within 10 days at most."),
    RefundWay.DESTINATION: gettext_lazy("The refund is paid out to the client's payout details."),
}


@dataclass(frozen=True, slots=True)
class NextStep:
    """What happens next, and the moment at which it happens automatically, if there is one.

    `button` and `address` link to the page where the reader does it, if it is theirs to do on another page.
    """

    text: str
    at: datetime | None = None
    button: str = ""
    address: str = ""


def of(escrow: Escrow, actor: Actor, open_refund: Refund | None) -> NextStep | None:
    """Return the next step of an escrow for this reader; None when nothing is left to do."""
    role = access.party(actor, escrow)
    if escrow.frozen_at is not None:
        return NextStep(*contested.next_step(escrow, role))
    if escrow.state == EscrowState.CHARGED_BACK.value:
        return NextStep(_about_loss(role))
    if escrow.state == EscrowState.DISPUTED.value:
        return NextStep(_("Our staff settles the dispute; the money stays in escrow until then."))
    if open_refund is not None:
        return _about_refund(escrow, open_refund, role)
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        return NextStep(_about_payment(escrow, role))
    if escrow.state == EscrowState.FUNDED.value:
        return _about_work(escrow, role)
    if was_not_paid(escrow):
        return NextStep(_about_expired(escrow, role))
    is_settling = escrow.state == EscrowState.RELEASED.value and escrow.made_available_at is None
    if is_settling and escrow.payee_share.amount_minor:
        return _about_settling(escrow, role)
    return None


def whole_refunds() -> QuerySet[Refund]:
    """Select, for a query of escrows around it, the refunds under way that leave nothing to pay for the work."""
    left = OuterRef("total_minor") - OuterRef("released_minor") - OuterRef("refunded_minor")
    under_way = Refund.objects.filter(escrow=OuterRef("pk"), source="escrow", state=RefundState.PENDING.value)
    return under_way.filter(amount_minor__gte=left - OuterRef("charged_back_minor"))


def _about_payment(escrow: Escrow, role: Role) -> str:
    if not escrow.payments.filter(state=PaymentState.REVIEW.value).exists():
        return _("The client pays; then the money is in escrow.")
    if role is Role.CLIENT:
        return _("Your payment does not fit, so it is not in escrow. Our staff looks at it and sends it back.")
    return _("The client's payment does not fit, so nothing is in escrow yet. Our staff looks at it.")


def was_not_paid(escrow: Escrow) -> bool:
    """Return whether the escrow was closed because its payment did not come, while the task goes on."""
    return escrow.state == EscrowState.CANCELLED.value and not escrow.milestone.is_closed


def _about_expired(escrow: Escrow, role: Role) -> str:
    if role is Role.CLIENT:
        text = _("The payment did not come in time, so this escrow was closed. You can pay %(amount)s again.")
        return text % {"amount": money(escrow.total)}
    return _("The client did not pay in time, so the escrow was closed. Wait with the work until they have paid.")


def _about_loss(role: Role) -> str:
    if role is Role.FREELANCER:
        return _("The cardholder's bank took the money back, so there is nothing to earn here. Do not work on it.")
    return _("The cardholder's bank took the money back, so this task has ended.")


def of_task(task: Task, actor: Actor, escrow: Escrow | None, *, is_chosen_from: bool) -> NextStep | None:
    """Return the next step of a task for its client, its freelancer or an applicant.

    `is_chosen_from`: the client has applications to choose from, or the applicant's own is among them.
    """
    status = task.status
    is_client, is_freelancer = actor.is_user(task.client_id), actor.is_user(task.freelancer_id)
    if status is TaskStatus.OPEN:
        return _about_choosing(is_client=is_client, is_chosen_from=is_chosen_from)
    if not is_client and not is_freelancer:
        return None
    if escrow is not None and was_not_paid(escrow):
        return of(escrow, actor, None)
    if escrow is None or escrow.state == EscrowState.PENDING_PAYMENT.value:
        return _about_paying(task, is_client=is_client)
    states = [state.value for state in OPEN_REFUNDS]
    return of(escrow, actor, escrow.refunds.filter(source="escrow", state__in=states).first())


_AT_WORK = (TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS)


def _about_choosing(*, is_client: bool, is_chosen_from: bool) -> NextStep | None:
    if is_client and is_chosen_from:
        return NextStep(_("You choose one of the applications. You pay into escrow after that, not before."))
    if is_client:
        return NextStep(
            _("Freelancers can apply now. You choose one of them; you pay into escrow after that, not before.")
        )
    if is_chosen_from:
        return NextStep(_("The client chooses among the applications. Once they have paid into escrow, you are told."))
    return None


def _about_paying(task: Task, *, is_client: bool) -> NextStep | None:
    if task.status not in _AT_WORK:
        return None
    if not is_client:
        return NextStep(_("Wait with the work until the client has paid into escrow."))
    name = task.freelancer.username if task.freelancer else ""
    text = _("Pay into escrow, so that %(name)s can start. You release the money when the work is done.")
    return NextStep(text % {"name": name})


def _about_refund(escrow: Escrow, refund: Refund, role: Role) -> NextStep:
    if refund.state != RefundState.REQUESTED.value:
        return _about_refund_under_way(escrow, refund, role)
    text = (
        _("You answer the refund request; if you do not respond, it is accepted.")
        if role is Role.FREELANCER
        else _("The freelancer answers the refund request; without an answer it is accepted.")
    )
    return NextStep(text, refund.answer_by_at)


def _about_refund_under_way(escrow: Escrow, refund: Refund, role: Role) -> NextStep:
    way = refund_ways.of(escrow)
    text = str(_REFUND_ARRIVES[way])
    if role is Role.FREELANCER and refund.amount >= escrow.remaining:
        nothing = _("All of the money goes back to the client, so there is nothing to earn here. Do not work on it.")
        return NextStep(f"{nothing} {text}")
    leaves_at = refund_payouts.leaves_at(refund, timezone.now()) if way is RefundWay.DESTINATION else None
    if role is not Role.CLIENT or leaves_at is None:
        return NextStep(text)
    return NextStep(_("Your refund waits, since your payout details are new. It is paid out from then on:"), leaves_at)


def _about_work(escrow: Escrow, role: Role) -> NextStep:
    state = escrow.milestone.milestone_state
    if state is MilestoneState.CANCELLED:
        return NextStep(_about_cancelled(escrow, role))
    if state is MilestoneState.COMPLETED:
        return NextStep(_("The client releases the money."), escrow.auto_release_at)
    if state is MilestoneState.DELIVERED:
        return NextStep(_about_delivery(escrow, role), escrow.auto_release_at)
    if role is Role.FREELANCER:
        text = _("The money is in escrow. Deliver when the work is done; the client is asked to confirm.")
        return NextStep(
            text, button=_("Go to the task"), address=reverse("pages:task", args=[escrow.agreement.task.pk])
        )
    return NextStep(_("The freelancer does the work and delivers it."))


def _about_delivery(escrow: Escrow, role: Role) -> str:
    is_client = role is Role.CLIENT
    if escrow.auto_release_at is None:
        # After a refund that did not arrive, nothing is released without a decision.
        return _("You confirm the work and release the money.") if is_client else _("The client confirms the work.")
    if is_client:
        return _("You confirm the work and release the money; if you do not respond, it is released automatically.")
    return _("The client confirms the work; if they do not respond, the money is released automatically.")


def _about_cancelled(escrow: Escrow, role: Role) -> str:
    """Return what is next where the work has ended and its money is still, or again, in escrow."""
    newest = escrow.refunds.filter(source="escrow").order_by("-pk").first()
    if newest is None or newest.state != RefundState.FAILED.value:
        return _("The task was called off: the client can take the money back at once.")
    if refund_ways.of(escrow) is not RefundWay.CARD:
        return (
            _("The refund did not arrive. The money is in escrow again: you can take it back; our staff looks into it.")
            if role is Role.CLIENT
            else _("The refund did not arrive. The money is in escrow again, and the client can take it back.")
        )
    if role is Role.CLIENT:
        return _(
            "The refund did not reach your card, so the money is in escrow again."
            " You can take it back; our staff looks into it."
        )
    return _(
        "The refund did not reach the client's card, so the money is in escrow again."
        " The client can take it back; our staff looks into it."
    )


def _about_settling(escrow: Escrow, role: Role) -> NextStep:
    if escrow.is_on_platform:
        return NextStep(_("It becomes available to the freelancer within minutes."))
    account = onboarding.account_of(escrow.freelancer_id, escrow.provider)
    is_mine = role is Role.FREELANCER
    if account is None or not account.can_receive:
        return _about_account(account, is_mine=is_mine)
    if is_mine and not account.has_bank_for(escrow.currency):
        text = _("You add a bank account in %(currency)s to your payout account; the money waits for you until then.")
        address = reverse("pages:onboarding")
        return NextStep(text % {"currency": escrow.currency}, button=_("Set up payouts"), address=address)
    payment = Payment.objects.filter(escrow=escrow, state=PaymentState.SUCCEEDED.value).first()
    text = (
        _("The money settles; then you can withdraw it.")
        if is_mine
        else _("The money settles; then the freelancer can withdraw it.")
    )
    return NextStep(text, payment.available_at if payment else None)


def _about_account(account: ConnectedAccount | None, *, is_mine: bool) -> NextStep:
    """Return why the money waits for the freelancer's payout account, and whose turn it is."""
    status = None if account is None else account_status.of(account)
    if not is_mine:
        if status is None:
            return NextStep(_("The freelancer sets up their payout account; the money waits for them until then."))
        return NextStep(_("The money waits until the freelancer's payout account can receive it."))
    address = reverse("pages:onboarding")
    if account is not None and account.is_final:
        text = _("You open a new payout account, since yours has ended for good; the money waits for you.")
        return NextStep(text, button=_("Open one"), address=address)
    if status in {AccountStatus.CHECKED, AccountStatus.PAUSED}:
        text = _("The payment provider looks into your payout account; the money waits for you until then.")
        return NextStep(text, button=_("See how it stands"), address=address)
    text = _("You set up your payout account; the money waits for you until then.")
    return NextStep(text, button=_("Set up payouts"), address=address)

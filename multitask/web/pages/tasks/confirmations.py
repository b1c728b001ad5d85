"""What delivering the work and calling a task off will do, shown before it is done."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from multitask.marketplace.models import Task
from multitask.marketplace.states import TaskStatus
from multitask.payments.models import Escrow, Refund
from multitask.payments.states import OPEN_REFUNDS, EscrowState
from multitask.payments.terms import percentage
from multitask.users.actor import Actor
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.confirmation import Confirmation, Line
from multitask.web.pages.templatetags.money import money


def deliver(_actor: Actor, task: Task, escrow: Escrow | None) -> Confirmation:
    """Return what delivering the work will do; a delivery is possible only with money in escrow."""
    assert escrow is not None  # noqa: S101 - for the type checker
    split, client = escrow.terms.split(escrow.remaining), escrow.client.username
    return Confirmation(
        title=_("Deliver the work"),
        about=task.title,
        lines=(
            Line(_("In escrow"), split.total),
            Line(_("Platform fee (%(percentage)s%%)") % {"percentage": percentage(escrow.fee_basis_points)}, split.fee),
            Line(_("You get when it is released"), split.freelancer),
        ),
        consequences=(
            _("%(name)s is asked to confirm the work and to release the money.") % {"name": client},
            _("%(name)s can also ask you for a refund, or open a dispute that our staff settles.") % {"name": client},
            _silence(escrow),
            *_held(escrow),
        ),
        warning=_("A delivery cannot be taken back."),
        button=_("Deliver the work"),
        version=_version(task, escrow),
    )


def _silence(escrow: Escrow) -> str:
    days = escrow.auto_release_days
    words = ngettext(
        "Without an answer the money is released to you automatically, %(number)s day after the delivery.",
        "Without an answer the money is released to you automatically, %(number)s days after the delivery.",
        days,
    )
    return words % {"number": days}


def _held(escrow: Escrow) -> list[str]:
    """Return what has to be decided before the money moves."""
    if escrow.frozen_at is not None:
        return [str(error_messages.BY_CODE["escrow_frozen"])]
    refund = _open_refund(escrow)
    if refund is None:
        return []
    words = _("A refund of %(amount)s has been asked for or is on its way. It is decided first.")
    return [words % {"amount": money(refund.amount)}]


def _open_refund(escrow: Escrow) -> Refund | None:
    states = [state.value for state in OPEN_REFUNDS]
    return escrow.refunds.filter(source="escrow", state__in=states).first()


def _version(task: Task, escrow: Escrow | None) -> str:
    """Return everything about a task and its money that its confirmation pages depend on."""
    if escrow is None:
        return task.status
    refund = _open_refund(escrow)
    return f"{task.status} {escrow.state} {escrow.remaining} {escrow.frozen_at} {refund and refund.amount}"


def cancel(actor: Actor, task: Task, escrow: Escrow | None) -> Confirmation:
    """Return what calling the task off will do, above all to its money."""
    is_funded = escrow is not None and escrow.state in {EscrowState.FUNDED.value, EscrowState.DISPUTED.value}
    applications = [_("Applications that are still open are turned down.")] if task.status == TaskStatus.OPEN else []
    return Confirmation(
        title=_("Call the task off"),
        about=task.title,
        lines=(Line(_("In escrow"), escrow.remaining),) if escrow is not None and is_funded else (),
        consequences=(*_money(actor, escrow), *applications),
        warning=_("A task that was called off cannot be opened again."),
        button=_("Call the task off"),
        version=_version(task, escrow),
        is_destructive=True,
    )


def _money(actor: Actor, escrow: Escrow | None) -> list[str]:
    """Return what happens to the money of a task that is called off."""
    if escrow is None or escrow.state == EscrowState.CANCELLED.value:
        return [_("Nothing has been paid into escrow, so no money moves.")]
    if escrow.state == EscrowState.PENDING_PAYMENT.value:
        return [
            _("Nothing has been paid into escrow yet. The payment that was begun is cancelled."),
            _("If its money arrives all the same, it is sent back."),
        ]
    if escrow.state == EscrowState.DISPUTED.value:
        return [str(error_messages.BY_CODE["dispute_open"])]
    if escrow.state != EscrowState.FUNDED.value:
        return [_("There is nothing left in escrow, so no money moves.")]
    if escrow.frozen_at is not None:
        return _held(escrow)
    names = {"amount": money(escrow.remaining), "name": escrow.client.username}
    if actor.is_user(escrow.client_id):
        return [
            _("%(amount)s stays in escrow until you take it back, which you can do at once.") % names,
            *_held(escrow),
        ]
    return [
        _("%(amount)s stays in escrow, and %(name)s can take all of it back at once.") % names,
        _("You get nothing for this task."),
        *_held(escrow),
    ]

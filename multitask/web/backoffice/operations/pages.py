"""The pages of a call at the provider and of a webhook."""

import json
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from multitask import providers
from multitask.payments.authorization import access, approvals
from multitask.payments.losses.adjustments import TRANSFER_ADJUSTMENT
from multitask.payments.models import Escrow, Operation, Reversal
from multitask.payments.payouts import reversals
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import OPEN_OPERATIONS, OperationState
from multitask.users.actor import Role
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels, rendering, roles
from multitask.web.backoffice.base.actions import Action, Button
from multitask.web.backoffice.operations.actions import (
    DismissWebhook,
    ReplayWebhook,
    RetryAdjustment,
    RetryCall,
    RetryReversal,
    RetryTransfer,
)
from multitask.webhooks import reduction
from multitask.webhooks.dismissal import DISMISSIBLE
from multitask.webhooks.models import EventState, IncomingEvent


def show_operation(request: HttpRequest, operation: Operation) -> HttpResponse:
    """Show a call: its arguments, its attempts, the provider's answer, and the actions on it."""
    now = timezone.now()
    is_open = OperationState(operation.state) in OPEN_OPERATIONS
    context = {
        "operation": operation,
        "arguments": json.dumps(operation.arguments, indent=2, sort_keys=True),
        "is_stuck": is_open and work_queue.stuck(now).filter(pk=operation.pk).exists(),
        "buttons": _buttons(request, operation, now),
    }
    return rendering.page(request, "operations/operation.html", labels.of("operation_kind", operation.kind), context)


def _buttons(request: HttpRequest, operation: Operation, now: datetime) -> list[Button]:
    """Return the actions that would be accepted now: one try again, of the call or of the refused move of money."""
    if OperationState(operation.state) in OPEN_OPERATIONS:
        return [RetryCall.button(operation.pk)] if roles.may(request, RetryCall.power) else []
    if not work_queue.refused_transfers(now).filter(pk=operation.pk).exists():
        return []
    if operation.kind == TRANSFER_ADJUSTMENT:
        is_own = roles.actor_of(request).is_user(operation.user_id)
        is_offered = not is_own and roles.may(request, RetryAdjustment.power)
        return [RetryAdjustment.button(operation.subject_id)] if is_offered else []
    return _again(request, operation, operation.escrow)


def _again(request: HttpRequest, operation: Operation, escrow: Escrow | None) -> list[Button]:
    """Return the button that tries a refused transfer or reversal of an escrow again."""
    action: type[Action] = RetryTransfer if operation.kind == CREATE_TRANSFER else RetryReversal
    if escrow is None or not roles.may(request, action.power):
        return []
    is_own = access.party(roles.actor_of(request), escrow) in {Role.CLIENT, Role.FREELANCER}
    if is_own or approvals.is_any_open(escrow):
        return []
    if action is RetryTransfer:
        return [RetryTransfer.button(escrow.pk)]
    reversal = Reversal.objects.select_related("transfer", "loss").get(pk=operation.subject_id)
    return [RetryReversal.button(reversal.pk)] if reversals.can_be_retried(reversal) else []


def show_webhook(request: HttpRequest, event: IncomingEvent) -> HttpResponse:
    """Show a webhook: its payload, its processing, and the actions on it."""
    is_kept = event.state in {EventState.QUARANTINED, EventState.DISMISSED}
    buttons = [] if is_kept or not roles.may(request, ReplayWebhook.power) else [ReplayWebhook.button(event.pk)]
    if event.state in DISMISSIBLE and roles.may(request, DismissWebhook.power):
        buttons.append(DismissWebhook.button(event.pk))
    context = {"event": event, "payload": _readable(event), "buttons": buttons}
    return rendering.page(request, "operations/webhook.html", _("Webhook"), context)


def _readable(event: IncomingEvent) -> str:
    """Return the stored body indented; reduced again, since earlier releases stored it whole."""
    kept = reduction.reduced(event.payload, providers.get(event.provider).capabilities)
    if not kept:
        return ""
    text = json.dumps(json.loads(kept), indent=2, ensure_ascii=False)
    # JSON can hold half of a surrogate pair, which UTF-8 cannot encode: show its escape sequence.
    return text.encode(errors="backslashreplace").decode()

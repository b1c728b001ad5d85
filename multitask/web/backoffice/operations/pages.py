"""The pages of a call at the provider and of a webhook."""

import json
import re
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from multitask import providers
from multitask.payments.authorization import access, approvals
from multitask.payments.models import Operation
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import OPEN_OPERATIONS, OperationState
from multitask.users.actor import Role
from multitask.web.backoffice import work_queue
from multitask.web.backoffice.base import labels, rendering, roles
from multitask.web.backoffice.base.actions import Button
from multitask.web.backoffice.operations.actions import ReplayWebhook, RetryCall, RetryTransfer
from multitask.webhooks.models import EventState, IncomingEvent

_REDACTED: Final = r'("(?:{names})"\s*:\s*")(?:[^"\\]|\\.)*(")'


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
    """Return the actions that would be accepted now: one try again, of the call or of the refused transfer."""
    if OperationState(operation.state) in OPEN_OPERATIONS:
        return [RetryCall.button(operation.pk)] if roles.may(request, RetryCall.power) else []
    is_refused = operation.kind == CREATE_TRANSFER and operation.state == OperationState.FAILED.value
    if not is_refused or operation.escrow is None or not roles.may(request, RetryTransfer.power):
        return []
    is_own = access.party(roles.actor_of(request), operation.escrow) in {Role.CLIENT, Role.FREELANCER}
    was_retried = not work_queue.refused_transfers(now).filter(pk=operation.pk).exists()
    if is_own or was_retried or approvals.is_any_open(operation.escrow):
        return []
    return [RetryTransfer.button(operation.escrow_id)]


def show_webhook(request: HttpRequest, event: IncomingEvent) -> HttpResponse:
    """Show a webhook: its payload, its processing, and the actions on it."""
    can_replay = event.state != EventState.QUARANTINED and roles.may(request, ReplayWebhook.power)
    buttons = [ReplayWebhook.button(event.pk)] if can_replay else []
    context = {"event": event, "payload": _readable(event.payload), "buttons": buttons}
    return rendering.page(request, "operations/webhook.html", _("Webhook"), context)


def _readable(payload: str) -> str:
    """Return the stored payload indented, or as it came if it cannot be parsed."""
    try:
        content: Any = json.loads(payload)
        text = json.dumps(_without_secrets(content, providers.redacted_fields()), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        # Not JSON, or nested too deep to parse.
        names = "|".join(map(re.escape, sorted(providers.redacted_fields())))
        return re.sub(_REDACTED.format(names=names), r"\1…\2", payload)
    # JSON can hold half of a surrogate pair, which UTF-8 cannot encode: show its escape sequence.
    return text.encode(errors="backslashreplace").decode()


def _without_secrets(content: Any, secret: frozenset[str]) -> Any:
    """Leave out what lets a browser pay."""
    if isinstance(content, dict):
        return {name: "…" if name in secret else _without_secrets(value, secret) for name, value in content.items()}
    return [_without_secrets(each, secret) for each in content] if isinstance(content, list) else content

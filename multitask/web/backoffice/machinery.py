"""The pages of a call at the provider and of a webhook."""

import json
import re
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from multitask import providers
from multitask.payments.models import Operation
from multitask.payments.payouts.transfers import CREATE_TRANSFER
from multitask.payments.states import OPEN_OPERATIONS, OperationState
from multitask.users.actor import Power
from multitask.web.backoffice import open_questions, roles, site, words
from multitask.webhooks.models import EventState, IncomingEvent

_REDACTED: Final = r'("(?:{names})"\s*:\s*")(?:[^"\\]|\\.)*(")'


def show_operation(request: HttpRequest, operation: Operation) -> HttpResponse:
    """A call: what was asked, how often, what the provider said, and what can be done."""
    is_open = OperationState(operation.state) in OPEN_OPERATIONS
    is_refused = operation.kind == CREATE_TRANSFER and operation.state == OperationState.FAILED.value
    context = {
        "operation": operation,
        "arguments": json.dumps(operation.arguments, indent=2, sort_keys=True),
        "is_stuck": is_open and open_questions.stuck(timezone.now()).filter(pk=operation.pk).exists(),
        "may_push": is_open and roles.may(request, Power.ADJUST),
        "may_retry": is_refused and roles.may(request, Power.RELEASE),
    }
    return site.page(request, "operation.html", words.of("operation_kind", operation.kind), context)


def show_event(request: HttpRequest, event: IncomingEvent) -> HttpResponse:
    """A webhook: what came, what became of it, and what can be done."""
    may_replay = event.state != EventState.QUARANTINED and roles.may(request, Power.ADJUST)
    context = {"event": event, "payload": _readable(event.payload), "may_replay": may_replay}
    return site.page(request, "event.html", _("Webhook"), context)


def _readable(payload: str) -> str:
    """The stored text laid out for people; as it came where it cannot be."""
    try:
        told: Any = json.loads(payload)
        text = json.dumps(_without_secrets(told, providers.redacted_fields()), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        # No JSON, or nested deeper than this stack reaches.
        names = "|".join(map(re.escape, sorted(providers.redacted_fields())))
        return re.sub(_REDACTED.format(names=names), r"\1…\2", payload)
    # JSON may name half of a surrogate pair, which is no character and has no UTF-8: it is shown as it was written.
    return text.encode(errors="backslashreplace").decode()


def _without_secrets(told: Any, secret: frozenset[str]) -> Any:
    """Leave out what lets a browser pay: the staff has no use for it."""
    if isinstance(told, dict):
        return {name: "…" if name in secret else _without_secrets(value, secret) for name, value in told.items()}
    return [_without_secrets(each, secret) for each in told] if isinstance(told, list) else told

"""Events that can never be processed are dismissed by finance staff, with a reason."""

from datetime import datetime
from typing import Final

from multitask import database
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.users import powers
from multitask.users.actor import Actor, Power
from multitask.webhooks.models import EventState, IncomingEvent

# The others are processed, or will be.
DISMISSIBLE: Final = frozenset({EventState.FAILED, EventState.QUARANTINED})


@database.transactional
def dismiss(*, actor: Actor, event_id: int, note: str, now: datetime) -> IncomingEvent:
    """Dismiss an event that was given up or is in quarantine, as finance staff; it is never processed.

    A dismissed event is returned as it is. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff may dismiss an event."))
    event = IncomingEvent.objects.select_for_update(no_key=True).filter(pk=event_id).first()
    if event is None:
        raise NotFound
    if event.state == EventState.DISMISSED:
        return event
    if not note.strip():
        raise WrongState("Dismissing an event needs a reason.")
    if event.state not in DISMISSIBLE:
        raise WrongState("Only an event that was given up or is in quarantine can be dismissed.")
    details = {"event_id": event.event_id, "kind": event.kind, "error": event.last_error}
    event.state = EventState.DISMISSED
    event.save(update_fields=["state"])
    audit.record("webhook_dismissed", actor=actor, now=now, note=note, details=details)
    return event

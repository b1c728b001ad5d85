"""How long events are kept: first their bodies go, much later their rows, by which a repetition is known.

Only events that are processed, ignored or dismissed: what failed or is in quarantine stays until staff has dealt with
it.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from multitask import database
from multitask.database import purging
from multitask.webhooks.models import EventState, IncomingEvent, PollPosition

ENDED: Final = (EventState.PROCESSED, EventState.IGNORED, EventState.DISMISSED)
# The row of `PollPosition` that holds the newest event whose body was looked at.
POSITION: Final = "payloads"


def clear_payloads(*, now: datetime, most: int = purging.MOST) -> int:
    """Empty the bodies of events that ended long ago; return how many. Each event is looked at once.

    An event that is processed only later, by a replay, or dismissed only later, keeps its body until its row goes.
    """
    before = now - timedelta(days=settings.RETENTION_WEBHOOK_PAYLOAD_DAYS)
    position, _ = PollPosition.objects.get_or_create(name=POSITION)
    after, cleared, looked_at = position.after_id or 0, 0, 0
    while looked_at < most:
        younger = IncomingEvent.objects.filter(pk__gt=after).order_by("pk").values_list("pk", "received_at")
        found = list(younger[: purging.BATCH])
        old = [row_id for row_id, received_at in found if received_at < before]
        if old:
            cleared += _clear(old)
            after = old[-1]
        looked_at += len(old)
        if len(old) < purging.BATCH:
            break
    return cleared


@database.transactional
def _clear(event_ids: list[int]) -> int:
    ended = IncomingEvent.objects.filter(pk__in=event_ids, state__in=ENDED).exclude(payload="")
    cleared = ended.update(payload="")
    PollPosition.objects.filter(name=POSITION).update(after_id=event_ids[-1])
    return cleared


def purge(*, now: datetime, most: int = purging.MOST) -> int:
    """Delete events that ended very long ago; return how many."""
    before = now - timedelta(days=settings.RETENTION_WEBHOOK_DAYS)
    ended = IncomingEvent.objects.filter(state__in=ENDED)
    return purging.delete_oldest(ended, at="received_at", before=before, most=most)

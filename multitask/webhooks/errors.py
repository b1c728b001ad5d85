"""What the webhooks room refuses."""

from multitask.errors import DomainError


class EventQuarantined(DomainError):
    """A quarantined event is never acted upon."""

    code = "event_quarantined"
    message = "This event is in quarantine and cannot be replayed."

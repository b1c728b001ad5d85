"""Errors of incoming webhooks."""

from multitask.errors import DomainError


class EventQuarantined(DomainError):
    """A quarantined event is never processed."""

    code = "event_quarantined"
    message = "This event is in quarantine and cannot be replayed."

"""Payments for accepted applications."""

from datetime import datetime

from multitask.marketplace import access
from multitask.marketplace.errors import TaskError
from multitask.marketplace.states import ApplicationStatus
from multitask.marketplace.work import current
from multitask.payments.errors import Forbidden, NotFound
from multitask.payments.funding import intents
from multitask.users.actor import Actor


class ApplicationNotAccepted(TaskError):
    """The application is not accepted, so it cannot be paid for."""

    code = "application_not_accepted"
    message = "Accept the application before you pay."


def create_intent(*, actor: Actor, application_id: int, now: datetime) -> intents.Intent:
    """Create the payment for an accepted application, as the task's client, or return the existing one.

    Raises NotFound, Forbidden, ApplicationNotAccepted and what `intents.create_intent` raises.
    """
    found = access.visible_applications(actor).filter(pk=application_id).select_related("task__agreement").first()
    if found is None:
        raise NotFound("There is no such application.")
    if not actor.is_user(found.task.client_id):
        raise Forbidden("Only the task's client can pay for it.")
    milestone_id = current(found.task.milestones)
    if found.status != ApplicationStatus.ACCEPTED or milestone_id is None:
        raise ApplicationNotAccepted
    return intents.create_intent(actor=actor, milestone_id=milestone_id, now=now)

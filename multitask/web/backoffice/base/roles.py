"""Who makes the request, and what that person's role grants, as the database has it at this request."""

from django.http import HttpRequest

from multitask.users.actor import Power
from multitask.web import step_up
from multitask.web.pages.base.rendering import actor_of

__all__ = ["actor_of", "is_staff", "is_unproved_staff", "may"]


def is_staff(request: HttpRequest) -> bool:
    """Return whether this is an active member of the staff whose session the second factor has proved."""
    return request.user.is_authenticated and request.user.is_active and may(request, Power.READ_ANY)


def is_unproved_staff(request: HttpRequest) -> bool:
    """Return whether this is a member of the staff whose session no second factor has proved."""
    return request.user.is_authenticated and request.user.is_active and step_up.is_unproved_staff(request, request.user)


def may(request: HttpRequest, power: Power) -> bool:
    """Return whether the person's role grants the power."""
    return actor_of(request).may(power)

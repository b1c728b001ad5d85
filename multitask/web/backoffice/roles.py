"""Who looks, and what that person's role grants, as the database has it at this request."""

from django.http import HttpRequest

from multitask.users.actor import Power
from multitask.web.pages.shell import actor_of

__all__ = ["actor_of", "is_staff", "may"]


def is_staff(request: HttpRequest) -> bool:
    """Say whether an active member of the staff asks."""
    return request.user.is_authenticated and request.user.is_active and may(request, Power.READ_ANY)


def may(request: HttpRequest, power: Power) -> bool:
    """Say whether the person's role grants the power."""
    return actor_of(request).may(power)

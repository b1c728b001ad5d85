"""Only the two sides of an escrow act on the customers' pages; staff acts in the back office, with a reason."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from multitask.payments.authorization import access
from multitask.payments.models import Escrow
from multitask.users.actor import STAFF_ROLES, Actor
from multitask.web.pages.base import error_pages
from multitask.web.pages.base.rendering import actor_of


def is_reader(actor: Actor, escrow: Escrow) -> bool:
    """Return whether the actor reads the escrow as staff, without being one of its sides."""
    return access.party(actor, escrow) in STAFF_ROLES


def back_office(escrow: Escrow) -> str:
    """Return the address of the escrow's page in the back office."""
    return reverse("admin:payments_escrow_change", args=[escrow.pk])


def parties_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Return 403 to staff for an escrow that is not their own, with a link to it in the back office."""

    @wraps(view)
    def guarded(request: HttpRequest, task_id: int, **arguments: Any) -> HttpResponse:
        actor = actor_of(request)
        if actor.is_staff:
            escrow = access.visible_escrows(actor).filter(agreement__task=task_id).order_by("-pk").first()
            if escrow is not None and is_reader(actor, escrow):
                return error_pages.back_office_only(request, back_office(escrow))
        return view(request, task_id, **arguments)

    return guarded

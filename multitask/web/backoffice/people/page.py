"""The page of a person: their wallet, escrows, withdrawals, account and staff role."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask.payments.models import AuditEvent, ConnectedAccount, Customer, Escrow, Withdrawal
from multitask.payments.reads import wallet
from multitask.users import second_factor
from multitask.users.actor import Power
from multitask.users.models import User
from multitask.web.backoffice.base import rendering, roles
from multitask.web.backoffice.base.actions import Action, Button
from multitask.web.backoffice.books import audit_trail
from multitask.web.backoffice.people.actions import CloseAccount, RemoveSecondFactor, ReopenAccount, SetRole

NEWEST = 20


def show(request: HttpRequest, person: User) -> HttpResponse:
    """Show one person."""
    has_second_factor = second_factor.is_on(person.pk)
    is_oneself = request.user.pk == person.pk
    context = {
        "person": person,
        "balances": wallet.balances(user_id=person.pk, default_currency=person.default_currency),
        "accounts": ConnectedAccount.objects.filter(user=person).order_by("pk"),
        "customers": Customer.objects.filter(user=person).order_by("pk"),
        "escrows": _escrows(person),
        "withdrawals": Withdrawal.objects.filter(user=person).order_by("-pk")[:NEWEST],
        "trail": audit_trail.lines(AuditEvent.objects.filter(user=person).order_by("-pk")[:NEWEST]),
        "has_second_factor": has_second_factor,
        "is_oneself": is_oneself,
        "buttons": [] if is_oneself else _buttons(request, person, has_second_factor=has_second_factor),
    }
    return rendering.page(request, "people/person.html", _("User %(id)s") % {"id": person.pk}, context)


def _buttons(request: HttpRequest, person: User, *, has_second_factor: bool) -> list[Button]:
    """Return the actions of administrators that apply to the person now."""
    if not roles.may(request, Power.MANAGE_USERS):
        return []
    account: type[Action] = CloseAccount if person.is_active else ReopenAccount
    actions: list[type[Action]] = [SetRole, account, *([RemoveSecondFactor] if has_second_factor else [])]
    return [action.button(person.pk) for action in actions]


def _escrows(person: User) -> list[Escrow]:
    """Return the newest escrows as client or freelancer; each side uses its own index."""
    sides = [Escrow.objects.filter(client=person), Escrow.objects.filter(freelancer=person)]
    newest = [side.order_by("-pk").values("pk")[:NEWEST] for side in sides]
    found = Escrow.objects.filter(pk__in=newest[0].union(newest[1], all=True)).select_related("agreement")
    return list(found.order_by("-pk")[:NEWEST])

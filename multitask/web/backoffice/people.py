"""The page of a person: their wallet, their account, and their part in the staff."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask.payments.models import AuditEvent, ConnectedAccount, Customer, Escrow, Withdrawal
from multitask.payments.reads import wallet
from multitask.users import second_factor
from multitask.users.actor import Power
from multitask.users.models import User
from multitask.web.backoffice import audit, roles, site

NEWEST = 20


def show(request: HttpRequest, person: User) -> HttpResponse:
    """Somebody's money and standing, as far as the staff needs it."""
    may_manage = roles.may(request, Power.MANAGE_USERS) and request.user.pk != person.pk
    context = {
        "person": person,
        "balances": wallet.balances(user_id=person.pk, default_currency=person.default_currency),
        "accounts": ConnectedAccount.objects.filter(user=person).order_by("pk"),
        "customers": Customer.objects.filter(user=person).order_by("pk"),
        "escrows": _escrows(person),
        "withdrawals": Withdrawal.objects.filter(user=person).order_by("-pk")[:NEWEST],
        "trail": audit.lines(AuditEvent.objects.filter(user=person).order_by("-pk")[:NEWEST]),
        "has_second_factor": second_factor.is_on(person.pk),
        "may_manage": may_manage,
        "is_oneself": request.user.pk == person.pk,
        "newest": NEWEST,
    }
    return site.page(request, "person.html", _("User %(id)s") % {"id": person.pk}, context)


def _escrows(person: User) -> list[Escrow]:
    """The newest of both sides; each side is found by its own index."""
    sides = [Escrow.objects.filter(client=person), Escrow.objects.filter(freelancer=person)]
    newest = [side.order_by("-pk").values("pk")[:NEWEST] for side in sides]
    found = Escrow.objects.filter(pk__in=newest[0].union(newest[1], all=True)).select_related("agreement")
    return list(found.order_by("-pk")[:NEWEST])

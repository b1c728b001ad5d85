"""The page of a person: their wallet, escrows, withdrawals, account and staff role."""

from typing import Any

from django.db.models import CharField, Q, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask.money import Money
from multitask.payments.books import receivables
from multitask.payments.models import Approval, AuditEvent, ConnectedAccount, Customer, Escrow, Withdrawal
from multitask.payments.reads import wallet
from multitask.users import second_factor
from multitask.users.actor import Actor, Power
from multitask.users.models import User
from multitask.web.backoffice.approvals.actions import decision_buttons
from multitask.web.backoffice.approvals.decisions import decided_amount, kind_label
from multitask.web.backoffice.base import rendering, roles
from multitask.web.backoffice.base.actions import Action, Button
from multitask.web.backoffice.books import audit_trail
from multitask.web.backoffice.people import payout_details
from multitask.web.backoffice.people.actions import CloseAccount, RemoveSecondFactor, ReopenAccount, SetRole
from multitask.web.backoffice.people.balance_actions import Adjust, WriteOff

NEWEST = 20


def show(request: HttpRequest, person: User) -> HttpResponse:
    """Show one person."""
    has_second_factor = second_factor.is_on(person.pk)
    balances = wallet.balances(user_id=person.pk, default_currency=person.default_currency)
    has_owed = any(held.has_owed for held in balances)
    known = _at_provider(person)
    is_oneself = request.user.pk == person.pk
    context = {
        "person": person,
        "balances": balances,
        "accounts": [row for row in known if row["kind"] == "account"],
        "customers": [row for row in known if row["kind"] == "customer"],
        "escrows": _escrows(person),
        "withdrawals": Withdrawal.objects.filter(user=person).order_by("-pk")[:NEWEST],
        "trail": audit_trail.lines(AuditEvent.objects.filter(user=person).order_by("-pk")[:NEWEST]),
        "has_second_factor": has_second_factor,
        "is_oneself": is_oneself,
        "owes": _owes(request, person, is_oneself=is_oneself) if has_owed else [],
        "open_approvals": _approvals(person, roles.actor_of(request)),
        "balance_buttons": _balance_buttons(request, person, is_oneself=is_oneself),
        **(payout_details.context(request, person) if person.is_freelancer else {}),
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


def _at_provider(person: User) -> list[dict[str, Any]]:
    """Return the person's accounts and customers at providers: `kind`, `pk` and the provider's `name`. One query."""
    accounts = ConnectedAccount.objects.filter(user=person).annotate(
        kind=Value("account", output_field=CharField()), name=Coalesce("provider_account_id", Value("–"))
    )
    customers = Customer.objects.filter(user=person).annotate(
        kind=Value("customer", output_field=CharField()), name=Coalesce("provider_customer_id", Value("–"))
    )
    columns = ("kind", "pk", "name")
    return list(accounts.values(*columns).union(customers.values(*columns), all=True).order_by("pk"))


def _owes(request: HttpRequest, person: User, *, is_oneself: bool) -> list[dict[str, Any]]:
    """Return what the person owes or owed, why, and what became of it, each with its write-off."""
    may_write_off = roles.may(request, Power.ADJUST) and not is_oneself
    return [
        {
            "row": row,
            "was": Money(row.amount_minor, row.currency),
            "recovered": Money(row.recovered_minor, row.currency),
            "written_off": Money(row.written_off_minor, row.currency),
            "buttons": [WriteOff.button(row.pk)] if may_write_off and row.owed.amount_minor else [],
        }
        for row in receivables.of(person.pk)[:NEWEST]
    ]


def _approvals(person: User, actor: Actor) -> list[dict[str, Any]]:
    """Return the decisions about the person's balance that wait for a second person."""
    key = Concat(Value("receivable:"), Cast("pk", CharField()), output_field=CharField())
    owed = receivables.of(person.pk).order_by().values_list(key)
    about = Q(subject=f"user:{person.pk}") | Q(subject__in=owed)
    waiting = Approval.objects.filter(about, decided_at=None)
    return [
        {
            "kind": kind_label(row),
            "amount": decided_amount(row),
            "row": row,
            "buttons": decision_buttons(row, actor),
        }
        for row in waiting.select_related("requested_by").order_by("pk")
    ]


def _balance_buttons(request: HttpRequest, person: User, *, is_oneself: bool) -> list[Button]:
    """Return the adjustment, for finance staff, where the person has a balance."""
    is_offered = person.is_freelancer and not is_oneself and roles.may(request, Power.ADJUST)
    return [Adjust.button(person.pk)] if is_offered else []


def _escrows(person: User) -> list[Escrow]:
    """Return the newest escrows as client or freelancer; each side uses its own index."""
    sides = [Escrow.objects.filter(client=person), Escrow.objects.filter(freelancer=person)]
    newest = [side.order_by("-pk").values("pk")[:NEWEST] for side in sides]
    found = Escrow.objects.filter(pk__in=newest[0].union(newest[1], all=True)).select_related("agreement")
    return list(found.order_by("-pk")[:NEWEST])

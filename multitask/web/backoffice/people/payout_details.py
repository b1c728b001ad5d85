"""The lists of payees' identities and payout destinations, and what the page of a person shows of them; masked."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import egyptian_banks, identity
from multitask.payments.states import IdentityState
from multitask.users.actor import Power
from multitask.users.models import User
from multitask.web.backoffice.base import labels, links, roles
from multitask.web.backoffice.base.actions import Action
from multitask.web.backoffice.base.columns import badge, mono, person
from multitask.web.backoffice.base.filters import column
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.people.identity_actions import ConfirmIdentity, RejectIdentity
from multitask.web.pages.payouts.destination_forms import ISSUERS
from multitask.web.pages.templatetags.money import moment

NEWEST = 20


class IdentityList(ReadOnlyList):
    """The present identity of each payee, the oldest submission first."""

    title = _("Identities")
    explanation = _(
        "Who payees are by law. An identity is confirmed before the first withdrawal; nobody sees it whole."
    )
    list_display = ("owner", "name", "number", "state_label", "submitted")
    list_filter: ClassVar[Any] = (
        column("state", _("State"), labels.options("identity", "submitted", "confirmed", "rejected")),
    )
    ordering: ClassVar[Any] = ("pk",)
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PayeeIdentity]:
        """Leave out what was replaced by a later submission."""
        found: QuerySet[PayeeIdentity] = super().get_queryset(request)
        return found.filter(replaced_at=None)

    @admin.display(description=_("Owner"))
    def owner(self, row: PayeeIdentity) -> SafeString:
        """The payee."""
        return person(row.user)

    @admin.display(description=_("Legal name"))
    def name(self, row: PayeeIdentity) -> SafeString:
        """The first letters of the name, in the direction of its script."""
        return format_html("<bdi>{}</bdi>", row.masked_name)

    @admin.display(description=_("National ID number"))
    def number(self, row: PayeeIdentity) -> SafeString:
        """The last digits of the number."""
        return mono(row.masked_number)

    @admin.display(description=_("State"))
    def state_label(self, row: PayeeIdentity) -> SafeString:
        """The state's label."""
        return badge("identity", row.state)

    @admin.display(description=_("Submitted"))
    def submitted(self, row: PayeeIdentity) -> str:
        """When it was submitted."""
        return moment(row.submitted_at)

    def show(self, request: HttpRequest, row: PayeeIdentity) -> HttpResponse:
        """Go to the payee, at the identity."""
        return redirect(f"{links.page('users.user', row.user_id)}#payout-details")


class DestinationList(ReadOnlyList):
    """All payout destinations, also those that were retired."""

    title = _("Payout destinations")
    explanation = _("Where payees of a platform route are paid. Only the last digits are shown.")
    list_display = ("owner", "what", "number", "paid_in", "state_label", "created", "usable")
    list_select_related = ("user",)

    @admin.display(description=_("Owner"))
    def owner(self, row: PayoutDestination) -> SafeString:
        """The payee."""
        return person(row.user)

    @admin.display(description=_("Kind"))
    def what(self, row: PayoutDestination) -> str:
        """The kind, with the bank or the issuer."""
        return name_of(row)

    @admin.display(description=_("Number"))
    def number(self, row: PayoutDestination) -> SafeString:
        """The last digits of the number."""
        return mono(row.masked)

    @admin.display(description=_("Currency"))
    def paid_in(self, row: PayoutDestination) -> str:
        """The currency that it is paid in."""
        return row.currency

    @admin.display(description=_("State"))
    def state_label(self, row: PayoutDestination) -> SafeString:
        """Whether it is used now."""
        return badge("destination", state_of(row))

    @admin.display(description=_("Created"))
    def created(self, row: PayoutDestination) -> str:
        """When it was added."""
        return moment(row.created_at)

    @admin.display(description=_("Used from"))
    def usable(self, row: PayoutDestination) -> str:
        """When its cool-down ends."""
        return moment(row.usable_from)

    def show(self, request: HttpRequest, row: PayoutDestination) -> HttpResponse:
        """Go to the payee, at the destinations."""
        return redirect(f"{links.page('users.user', row.user_id)}#payout-details")


def name_of(row: PayoutDestination) -> str:
    """Return the kind of a destination with its bank or issuer."""
    is_account = bool(row.bank_code)
    whose = egyptian_banks.name(row.bank_code, get_language() or "en") if is_account else ISSUERS.get(row.issuer, "")
    return gettext("%(kind)s, %(whose)s") % {"kind": labels.of("destination_kind", row.kind), "whose": whose}


def state_of(row: PayoutDestination) -> str:
    """Return whether a destination is used now."""
    now = timezone.now()
    if row.is_retired(now):
        return "retired"
    return "in_use" if row.is_in_use(now) else "cooling_down"


def context(request: HttpRequest, owner: User) -> dict[str, Any]:
    """Return the identity with its actions, and the newest destinations, for the page of a person."""
    found = identity.current(owner.pk)
    newest = PayoutDestination.objects.filter(user=owner).order_by("-pk")[:NEWEST]
    return {
        "identity": found,
        "identity_buttons": [action.button(found.pk) for action in _offered(request, found)] if found else [],
        "destinations": [{"row": row, "name": name_of(row), "state": state_of(row)} for row in newest],
    }


def _offered(request: HttpRequest, found: PayeeIdentity) -> list[type[Action]]:
    if request.user.pk == found.user_id or not roles.may(request, Power.CONFIRM_IDENTITY):
        return []
    if found.state == IdentityState.SUBMITTED.value:
        return [ConfirmIdentity, RejectIdentity]
    return [RejectIdentity] if found.state == IdentityState.CONFIRMED.value else []

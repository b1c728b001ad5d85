"""The lists of people and of their accounts at the provider."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import ConnectedAccount
from multitask.users.models import User
from multitask.web.backoffice import accounts, people, words
from multitask.web.backoffice.columns import badge, mono, person
from multitask.web.backoffice.listing import ReadOnly, states
from multitask.web.backoffice.site import site
from multitask.web.pages.templatetags.money import moment


@admin.register(User, site=site)
class Users(ReadOnly):
    """Everybody, and who of them belongs to the staff."""

    title = _("Users and staff")
    explanation = _("Find somebody by user name, email address or number with the search on top.")
    list_display = ("name", "address", "parts", "role", "active", "since")
    list_filter: ClassVar[Any] = (
        states("staff_role", _("Staff"), words.choices("role", "support", "finance", "admin")),
    )

    @admin.display(description=_("User name"))
    def name(self, row: User) -> str:
        """What they are called here."""
        return row.username

    @admin.display(description=_("Email"))
    def address(self, row: User) -> str:
        """Where they are written to; others may name the same address until somebody has confirmed it."""
        return row.email if row.email_confirmed else f"{row.email} ({_('Not confirmed')})"

    @admin.display(description=_("Parts"))
    def parts(self, row: User) -> str:
        """Whether they hire or work."""
        told = [(row.is_client, _("hires")), (row.is_freelancer, _("works"))]
        return ", ".join(str(word) for holds, word in told if holds) or "–"

    @admin.display(description=_("Role"))
    def role(self, row: User) -> SafeString | str:
        """The staff role."""
        return badge("role", row.staff_role) if row.staff_role else "–"

    @admin.display(description=_("Open"), boolean=True)
    def active(self, row: User) -> bool:
        """Whether they can sign in."""
        return row.is_active

    @admin.display(description=_("Since"))
    def since(self, row: User) -> str:
        """When they registered."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: User) -> HttpResponse:
        """The person's page."""
        return people.show(request, row)


@admin.register(ConnectedAccount, site=site)
class PayoutAccounts(ReadOnly):
    """Freelancers' accounts at the provider."""

    title = _("Payout accounts")
    explanation = _("Freelancers' accounts at the provider, where their share goes before the bank.")
    list_display = ("provider_id", "owner", "land", "receives", "pays_out", "begun")
    list_select_related = ("user",)

    @admin.display(description=_("Provider's id"))
    def provider_id(self, row: ConnectedAccount) -> SafeString:
        """The account at the provider."""
        return mono(row.provider_account_id)

    @admin.display(description=_("Whose"))
    def owner(self, row: ConnectedAccount) -> SafeString:
        """The freelancer."""
        return person(row.user)

    @admin.display(description=_("Country"))
    def land(self, row: ConnectedAccount) -> str:
        """Where its owner lives, by the country's code."""
        return row.country

    @admin.display(description=_("Receives"), boolean=True)
    def receives(self, row: ConnectedAccount) -> bool:
        """Whether money can be sent to it."""
        return row.can_receive

    @admin.display(description=_("Pays out"), boolean=True)
    def pays_out(self, row: ConnectedAccount) -> bool:
        """Whether money can leave it for the bank."""
        return row.onboarding_completed

    @admin.display(description=_("Begun"))
    def begun(self, row: ConnectedAccount) -> str:
        """When it was created."""
        return moment(row.created_at)

    def show(self, request: HttpRequest, row: ConnectedAccount) -> HttpResponse:
        """The account's page."""
        return accounts.show(request, row)

"""The list of users and staff."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.users.models import User
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.base.columns import badge
from multitask.web.backoffice.base.filters import column
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.people import page
from multitask.web.pages.templatetags.money import moment


class UserList(ReadOnlyList):
    """All users, with their staff role."""

    title = _("Users and staff")
    explanation = _("Use the search above to find a person by user name, email address or number.")
    list_display = ("name", "address", "parts", "role", "active", "since")
    list_filter: ClassVar[Any] = (
        column("staff_role", _("Staff"), labels.options("role", "support", "finance", "admin")),
    )

    @admin.display(description=_("User name"))
    def name(self, row: User) -> str:
        """The user name."""
        return row.username

    @admin.display(description=_("Email"))
    def address(self, row: User) -> str:
        """The email address; several accounts can name it until one has confirmed it."""
        return row.email if row.email_confirmed else f"{row.email} ({_('Not confirmed')})"

    @admin.display(description=_("Acts as"))
    def parts(self, row: User) -> str:
        """Whether they are a client, a freelancer or both."""
        parts = [(row.is_client, _("client")), (row.is_freelancer, _("freelancer"))]
        return ", ".join(str(label) for holds, label in parts if holds) or "–"

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
        return page.show(request, row)

"""The list of approvals."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import (
    Approval,
)
from multitask.web.backoffice.approvals import decisions
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.base.columns import badge, person
from multitask.web.backoffice.base.filters import OptionFilter
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.pages.templatetags.money import moment, money


class AnswerFilter(OptionFilter):
    """By the second person's answer."""

    title = _("Answer")
    parameter_name = "answer"
    options: ClassVar[dict[str, Any]] = labels.options("approval")

    def narrowed(self, queryset: QuerySet[Any], chosen: str) -> QuerySet[Any]:
        """Return the rows with that answer."""
        return queryset.filter(approved={"waiting": None, "approved": True, "turned_down": False}[chosen])


class ApprovalList(ReadOnlyList):
    """Large decisions that need a second person."""

    title = _("Approvals")
    explanation = _("Large decisions of one person; nothing moves until a second person has approved them.")
    list_display = ("decision", "amount", "answer", "asked_by", "answered_by", "asked")
    list_select_related = ("escrow", "requested_by", "decided_by")
    list_filter: ClassVar[Any] = (AnswerFilter,)

    @admin.display(description=_("Decision"))
    def decision(self, row: Approval) -> str:
        """The kind of decision."""
        return decisions.kind_label(row)

    @admin.display(description=_("Amount"))
    def amount(self, row: Approval) -> str:
        """The amount decided about."""
        return money(decisions.decided_amount(row))

    @admin.display(description=_("Answer"))
    def answer(self, row: Approval) -> SafeString:
        """The second person's answer."""
        return badge("approval", decisions.answer_of(row))

    @admin.display(description=_("Asked by"))
    def asked_by(self, row: Approval) -> SafeString:
        """The first person."""
        return person(row.requested_by)

    @admin.display(description=_("Answered by"))
    def answered_by(self, row: Approval) -> SafeString:
        """The second person."""
        return person(row.decided_by)

    @admin.display(description=_("Asked"))
    def asked(self, row: Approval) -> str:
        """When it was asked for."""
        return moment(row.requested_at)

    def show(self, request: HttpRequest, row: Approval) -> HttpResponse:
        """Go to what the decision is about."""
        return redirect(decisions.subject_address(row))

"""The explanation of an open statement line."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.errors import NotFound
from multitask.payments.losses import explanations
from multitask.payments.losses.explanations import Explanation
from multitask.payments.models import StatementLine
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import Action, ReasonForm, Submission, Summary, outcome_message, require_id
from multitask.web.backoffice.reconciliation import accounts
from multitask.web.pages.templatetags.money import moment, money


class ExplanationForm(ReasonForm):
    """What the line was, and the reason."""

    explanation = forms.ChoiceField(label=gettext_lazy("What it was"))

    def __init__(self, *args: Any) -> None:
        """Offer every explanation with its label."""
        super().__init__(*args)
        field = self.fields["explanation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [(each.value, labels.of("explanation", each.value)) for each in Explanation]
        self.order_fields(["explanation", "note"])


class ExplainLine(Action):
    """Explain an open line."""

    name = "explain-line"
    power = Power.ADJUST
    title = gettext_lazy("Explain the line")
    button_label = gettext_lazy("Explain")

    def subject(self, actor: Actor, subject_id: int | None) -> StatementLine:
        """Return the line."""
        found = StatementLine.objects.select_related("account__account__user").filter(pk=require_id(subject_id))
        line = found.first()
        if line is None:
            raise NotFound
        return line

    def form(self, subject: StatementLine, *args: Any) -> forms.Form:
        """Return the form."""
        return ExplanationForm(*args)

    def summary(self, subject: StatementLine) -> Summary:
        """Return the line's account, kind, amount and what it says."""
        return [
            (_("Account"), accounts.name(subject.account)),
            (_("Line"), subject.provider_line_id),
            (_("Kind"), labels.of("line_kind", subject.kind)),
            (_("Moved"), moment(subject.happened_at)),
            (_("In suspense"), money(Money(subject.suspense_minor, subject.currency))),
            (_("Description"), subject.description or "–"),
        ]

    def consequences(self, subject: StatementLine) -> list[str]:
        """Return what is posted once a second person has approved it."""
        values = {"amount": money(Money(subject.suspense_minor, subject.currency))}
        return [
            _("%(amount)s moves from suspense to the account that you choose.") % values,
            _("An explanation always needs a second person: nothing moves until a colleague approves it."),
        ]

    def execute(self, subject: StatementLine, submission: Submission) -> object:
        """Ask for it."""
        return explanations.explain(
            actor=submission.actor,
            line_id=subject.pk,
            explanation=Explanation(submission.data["explanation"]),
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: StatementLine, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The line is explained."))

    def result_address(self, subject: StatementLine) -> str:
        """Return the line's page."""
        return links.of(subject)

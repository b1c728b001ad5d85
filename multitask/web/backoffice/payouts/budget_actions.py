"""Actions of finance on a payout budget: what moved between the provider, the bank and the budget, and comparing it."""

from typing import Any, ClassVar, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.errors import NotFound
from multitask.payments.models import BudgetRecord, PayoutBudget
from multitask.payments.payouts import budget_records
from multitask.payments.reads import payout_budgets
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import labels, links
from multitask.web.backoffice.base.actions import Action, ReasonForm, Submission, Summary, require_id
from multitask.web.backoffice.payouts.budget_forms import CostsForm, RecordForm, SettlementForm
from multitask.web.pages.templatetags.money import day, money

# Where a record takes its money from.
_PLACES: Final = {
    BudgetRecord.Kind.SETTLED_TO_BANK: gettext_lazy("Collected at the provider"),
    BudgetRecord.Kind.BUDGET_TOPPED_UP: gettext_lazy("In the bank"),
    BudgetRecord.Kind.COSTS_BOOKED: gettext_lazy("In the budget"),
    BudgetRecord.Kind.COSTS_CREDITED: gettext_lazy("Costs of payouts"),
}


class BudgetAction(Action):
    """An action on a payout budget."""

    power = Power.ADJUST

    def subject(self, actor: Actor, subject_id: int | None) -> PayoutBudget:
        """Return the budget."""
        found = PayoutBudget.objects.filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def summary(self, subject: PayoutBudget) -> Summary:
        """Return where the money is by our books."""
        shown = payout_budgets.view(subject, timezone.now())
        return [
            (_("Provider"), f"{subject.provider} · {subject.currency}"),
            (_("Collected at the provider"), money(shown.collected)),
            (_("In the bank"), money(shown.in_bank)),
            (_("In the budget"), money(shown.in_budget)),
        ]

    def result_address(self, subject: PayoutBudget) -> str:
        """Return the budget's page."""
        return links.of(subject)

    def warning(self, outcome: object) -> str:
        """Return a warning if the books hold less than nothing where a record has taken its money from.

        A mistyped amount often does that. It is no refusal: the books may not know of the money yet, or the platform
        may have topped up from another bank account.
        """
        if not isinstance(outcome, BudgetRecord):
            return ""
        left = payout_budgets.left_at_source(outcome)
        if left.amount_minor >= 0:
            return ""
        values = {"place": _PLACES[BudgetRecord.Kind(outcome.kind)], "amount": money(left)}
        sentence = _(
            "%(place)s, by our books: %(amount)s, which is less than nothing. Check the amount, and take the record"
            " back if it is wrong."
        )
        return sentence % values


class RecordSettlement(BudgetAction):
    """Record a settlement to the bank."""

    name = "record-settlement"
    title = gettext_lazy("Record a settlement to the bank")
    button_label = gettext_lazy("Record a settlement")

    def form(self, subject: PayoutBudget, *args: Any) -> forms.Form:
        """Return the form with amount and fee."""
        return SettlementForm(
            *args, currency=subject.currency, today=budget_records.local_day(subject.provider, timezone.now())
        )

    def consequences(self, subject: PayoutBudget) -> list[str]:
        """Return what is posted."""
        return [
            _("The books move the amount from what is collected at the provider to the bank, less the fee."),
            _("No money moves: the provider has settled it already."),
        ]

    def execute(self, subject: PayoutBudget, submission: Submission) -> object:
        """Record it."""
        data = submission.data
        return budget_records.settle_to_bank(
            amount=data["amount"],
            fee=data["fee"] or Money.zero(subject.currency),
            **_recorded(subject, submission),
        )

    def success_message(self, subject: PayoutBudget, outcome: object) -> str:
        """Return the confirmation."""
        return _("The settlement is recorded.")


class RecordTopUp(BudgetAction):
    """Record a top-up of the budget."""

    name = "record-top-up"
    title = gettext_lazy("Record a top-up of the budget")
    button_label = gettext_lazy("Record a top-up")

    def form(self, subject: PayoutBudget, *args: Any) -> forms.Form:
        """Return the form with the amount."""
        return RecordForm(
            *args, currency=subject.currency, today=budget_records.local_day(subject.provider, timezone.now())
        )

    def consequences(self, subject: PayoutBudget) -> list[str]:
        """Return what is posted, and that payouts leave."""
        return [
            _("The books move the amount from the bank to the budget."),
            _("Payouts that wait are sent at once, oldest first: record only what the provider has credited."),
        ]

    def execute(self, subject: PayoutBudget, submission: Submission) -> object:
        """Record it."""
        data = submission.data
        return budget_records.top_up(
            amount=data["amount"],
            **_recorded(subject, submission),
        )

    def success_message(self, subject: PayoutBudget, outcome: object) -> str:
        """Return the confirmation."""
        return _("The top-up is recorded. Payouts that it covers are sent now.")


class RecordCosts(BudgetAction):
    """Record fee and tax of payouts that no payout has reported."""

    name = "record-costs"
    title = gettext_lazy("Record costs of payouts")
    button_label = gettext_lazy("Record costs")
    came_back: ClassVar[bool] = False

    def form(self, subject: PayoutBudget, *args: Any) -> forms.Form:
        """Return the form with fee and tax."""
        return CostsForm(
            *args, currency=subject.currency, today=budget_records.local_day(subject.provider, timezone.now())
        )

    def consequences(self, subject: PayoutBudget) -> list[str]:
        """Return what is posted."""
        return [
            _("The books take fee and tax out of the budget, as costs of the platform."),
            _("Record only what no payout shows: reported late, invoiced, or kept of a payout that failed."),
        ]

    def execute(self, subject: PayoutBudget, submission: Submission) -> object:
        """Record it."""
        data = submission.data
        return budget_records.book_costs(
            fee=data["fee"],
            tax=data["tax"],
            came_back=self.came_back,
            **_recorded(subject, submission),
        )

    def success_message(self, subject: PayoutBudget, outcome: object) -> str:
        """Return the confirmation."""
        return _("The costs are recorded.")


class RecordCredit(RecordCosts):
    """Record fee and tax of payouts that the provider gave back and no payout has reported."""

    name = "record-credit"
    title = gettext_lazy("Record costs that came back")
    button_label = gettext_lazy("Record costs that came back")
    came_back = True

    def consequences(self, subject: PayoutBudget) -> list[str]:
        """Return what is posted, and that payouts leave."""
        return [
            _("The books put fee and tax back into the budget and take them off the costs of the platform."),
            _("Record only what no payout shows, such as a credit note. Payouts that the budget covers then are sent."),
        ]

    def success_message(self, subject: PayoutBudget, outcome: object) -> str:
        """Return the confirmation."""
        return _("The credit is recorded.")


def _recorded(subject: PayoutBudget, submission: Submission) -> dict[str, Any]:
    """Return what each kind of record has, as arguments: who recorded it, its day, reference, reason and document."""
    data = submission.data
    return {
        "actor": submission.actor,
        "provider": subject.provider,
        "happened_on": data["happened_on"],
        "reference": data["reference"],
        "note": submission.note,
        "file": RecordForm.file_of(data),
        "now": submission.now,
        "request_key": submission.request_key,
    }


class CompareBudget(BudgetAction):
    """Compare a budget with the provider's figure now."""

    name = "compare-budget"
    title = gettext_lazy("Compare the budget with the provider now")
    button_label = gettext_lazy("Compare now")

    def form(self, subject: PayoutBudget, *args: Any) -> forms.Form:
        """Return the form for the reason, which only the staff reads."""
        return ReasonForm(*args)

    def consequences(self, subject: PayoutBudget) -> list[str]:
        """Return that nothing is posted."""
        return [
            _("The provider is asked what the budget holds, and the answer is shown beside our books."),
            _("Nothing is posted. Payouts that the budget covers are sent."),
        ]

    def execute(self, subject: PayoutBudget, submission: Submission) -> object:
        """Ask the provider."""
        return budget_records.compare_now(
            actor=submission.actor, budget_id=subject.pk, now=submission.now, note=submission.note
        )

    def success_message(self, subject: PayoutBudget, outcome: object) -> str:
        """Return whether it is equal."""
        assert isinstance(outcome, PayoutBudget)  # noqa: S101
        difference = payout_budgets.difference(outcome)
        if difference is None or not difference.amount_minor:
            return _("The provider and our books agree.")
        return _("The provider and our books differ by %(amount)s.") % {"amount": money(difference)}


class CorrectRecord(Action):
    """Take a wrong record back by its opposite."""

    name = "correct-record"
    power = Power.ADJUST
    title = gettext_lazy("Take a record back")
    button_label = gettext_lazy("Take it back")

    def subject(self, actor: Actor, subject_id: int | None) -> BudgetRecord:
        """Return the record."""
        found = BudgetRecord.objects.defer("file_content").filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: BudgetRecord, *args: Any) -> forms.Form:
        """Return the form for the reason."""
        return ReasonForm(*args)

    def summary(self, subject: BudgetRecord) -> Summary:
        """Return what was recorded."""
        return [
            (_("Record"), labels.of("budget_record", subject.kind)),
            (_("Amount"), money(subject.amount)),
            (_("Day"), day(subject.happened_on)),
            (_("Reference"), subject.reference),
        ]

    def consequences(self, subject: BudgetRecord) -> list[str]:
        """Return what is posted."""
        return [
            _("The opposite is posted. The record itself stays, and shows that it was taken back."),
            _("Its reference can be recorded again, as it should have been."),
        ]

    def execute(self, subject: BudgetRecord, submission: Submission) -> object:
        """Correct it."""
        return budget_records.correct(
            actor=submission.actor, record_id=subject.pk, note=submission.note, now=submission.now
        )

    def success_message(self, subject: BudgetRecord, outcome: object) -> str:
        """Return the confirmation."""
        return _("The record is taken back.")

    def result_address(self, subject: BudgetRecord) -> str:
        """Return the record's page."""
        return links.of(subject)

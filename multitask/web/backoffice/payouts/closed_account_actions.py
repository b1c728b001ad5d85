"""Actions on closed payout accounts: what became of a withdrawal from one, and of the money that lay in it."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.errors import NotFound
from multitask.payments.models import ConnectedAccount, Withdrawal
from multitask.payments.payouts import closed_accounts
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import links
from multitask.web.backoffice.base.actions import (
    Action,
    ReasonForm,
    Submission,
    Summary,
    outcome_message,
    require_id,
)
from multitask.web.backoffice.base.amount_form import AmountForm
from multitask.web.pages.templatetags.money import moment, money


class WithdrawalDecision(Action):
    """A decision about a withdrawal that is under way from a closed account."""

    power = Power.ADJUST
    is_irreversible = True
    is_paid = False

    def subject(self, actor: Actor, subject_id: int | None) -> Withdrawal:
        """Return the withdrawal."""
        found = Withdrawal.objects.select_related("user", "account").filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: Withdrawal, *args: Any) -> forms.Form:
        """Return the form for the reason, which only the staff reads."""
        return ReasonForm(*args)

    def summary(self, subject: Withdrawal) -> Summary:
        """Return whose it is, from which account, and when it was asked for."""
        return [
            (_("User"), subject.user.username),
            (_("Amount"), money(subject.amount)),
            (_("Account"), str(subject.account or "–")),
            (_("Payout"), subject.provider_payout_id or "–"),
            (_("Created"), moment(subject.created_at)),
        ]

    def execute(self, subject: Withdrawal, submission: Submission) -> object:
        """Decide, or ask for approval."""
        return closed_accounts.decide(
            actor=submission.actor,
            withdrawal_id=subject.pk,
            is_paid=self.is_paid,
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def result_address(self, subject: Withdrawal) -> str:
        """Return the withdrawal's page."""
        return links.of(subject)


class WithdrawalWasPaid(WithdrawalDecision):
    """Decide that the withdrawal was paid."""

    name = "withdrawal-was-paid"
    title = gettext_lazy("The withdrawal was paid")
    button_label = gettext_lazy("It was paid")
    is_paid = True

    def consequences(self, subject: Withdrawal) -> list[str]:
        """Return what is booked."""
        return [
            _("The withdrawal counts as paid: its amount leaves the books."),
            _("Decide this only on the word of the account's owner or of the provider's support."),
            *second_person(subject.amount),
        ]

    def success_message(self, subject: Withdrawal, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The withdrawal counts as paid."))


class WithdrawalWasNotPaid(WithdrawalDecision):
    """Decide that the withdrawal was not paid."""

    name = "withdrawal-was-not-paid"
    title = gettext_lazy("The withdrawal was not paid")
    button_label = gettext_lazy("It was not paid")

    def consequences(self, subject: Withdrawal) -> list[str]:
        """Return where the money is then."""
        values = {"amount": money(subject.amount)}
        return [
            _("%(amount)s is in the owner's wallet again and lies in the closed account.") % values,
            *second_person(subject.amount),
        ]

    def success_message(self, subject: Withdrawal, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The withdrawal counts as failed."))


class RecordPaidOut(Action):
    """Record what the provider paid out of a closed account."""

    name = "record-paid-out"
    power = Power.ADJUST
    title = gettext_lazy("Record a payout from the closed account")
    button_label = gettext_lazy("Record a payout")
    is_irreversible = True

    def subject(self, actor: Actor, subject_id: int | None) -> ConnectedAccount:
        """Return the account."""
        found = ConnectedAccount.objects.select_related("user").filter(pk=require_id(subject_id)).first()
        if found is None:
            raise NotFound
        return found

    def form(self, subject: ConnectedAccount, *args: Any) -> forms.Form:
        """Return the form."""
        return AmountForm(*args, currencies=[amount.currency for amount in closed_accounts.held(subject)])

    def summary(self, subject: ConnectedAccount) -> Summary:
        """Return whose account it is, and what lies in it."""
        return [
            (_("User"), subject.user.username),
            (_("Account"), str(subject)),
            *((_("Balance in the books"), money(amount)) for amount in closed_accounts.held(subject)),
        ]

    def consequences(self, subject: ConnectedAccount) -> list[str]:
        """Return what is booked."""
        values = {"name": subject.user.username}
        return [
            _("The provider has paid this amount to %(name)s: it leaves the closed account and their wallet.") % values,
            _("What their wallet does not hold any more counts as paid ahead, and is taken from later releases."),
            _("Record it only on the word of the account's owner or of the provider's support."),
            _("A large amount needs a second person: nothing moves until a colleague approves it."),
        ]

    def execute(self, subject: ConnectedAccount, submission: Submission) -> object:
        """Record it, or ask for approval."""
        return closed_accounts.record_payout(
            actor=submission.actor,
            account_id=subject.pk,
            amount=submission.data["amount"],
            note=submission.note,
            now=submission.now,
            request_key=submission.request_key,
        )

    def success_message(self, subject: ConnectedAccount, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The payout is recorded."))

    def result_address(self, subject: ConnectedAccount) -> str:
        """Return the account's page."""
        return links.of(subject)


def second_person(amount: Money) -> list[str]:
    """Return a sentence about the second person, if the amount needs one."""
    if not closed_accounts.is_large(amount):
        return []
    sentence = _("%(amount)s needs a second person: nothing moves until a colleague approves it.")
    return [sentence % {"amount": money(amount)}]

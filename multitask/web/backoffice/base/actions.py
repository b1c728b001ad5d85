"""What every action has: the power it needs, its summary and consequences, the form that asks, and its one command."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.errors import NotFound
from multitask.payments.models import Approval, Escrow
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import links
from multitask.web.pages.base import status_labels
from multitask.web.pages.base.fields import TextField
from multitask.web.pages.templatetags.money import money

Summary = list[tuple[str, Any]]


class ReasonForm(forms.Form):
    """The reason, kept in the audit trail."""

    note = TextField(
        label=gettext_lazy("Reason"),
        lines=True,
        max_length=1000,
        help_text=gettext_lazy("Kept in the audit trail under your name."),
    )


class SharedReasonForm(ReasonForm):
    """The reason of an action whose note the client and the freelancer can read."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Warn the writer."""
        super().__init__(*args, **options)
        self.fields["note"].help_text = _(
            "Kept in the audit trail under your name. The client and the freelancer can read it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A confirmed action: who submitted it, the form's data, when, and the key that makes it count once."""

    actor: Actor
    data: dict[str, Any]
    now: datetime
    request_key: str

    @property
    def note(self) -> str:
        """The reason that was given."""
        return str(self.data["note"])


@dataclass(frozen=True, slots=True)
class Button:
    """A link to the confirmation page of an action that is offered."""

    label: Any
    address: str


class Action(ABC):
    """One thing that staff may do. The command holds the rules; an action describes them and calls it."""

    name: ClassVar[str]
    power: ClassVar[Power]
    title: ClassVar[Any]
    button_label: ClassVar[Any]
    is_irreversible: ClassVar[bool] = False

    @classmethod
    def button(cls, subject_id: int | None = None) -> Button:
        """Return the button that leads to this action's confirmation page."""
        return Button(cls.button_label, links.action(cls.name, subject_id))

    def power_for(self, subject: Any) -> Power:
        """Return the power that the action takes on this subject."""
        return self.power

    @abstractmethod
    def subject(self, actor: Actor, subject_id: int | None) -> Any:
        """Return the row that the action applies to. Raises NotFound."""

    def form(self, subject: Any, *args: Any) -> forms.Form:
        """Return the form that asks for the reason and whatever else the command takes."""
        return SharedReasonForm(*args)

    @abstractmethod
    def summary(self, subject: Any) -> Summary:
        """Return the facts about the subject that the confirmation page shows."""

    @abstractmethod
    def consequences(self, subject: Any) -> list[str]:
        """Return what will happen, in whole sentences."""

    @abstractmethod
    def execute(self, subject: Any, submission: Submission) -> object:
        """Run the one command. Raises its refusals."""

    @abstractmethod
    def success_message(self, subject: Any, outcome: object) -> str:
        """Return the message after the command has succeeded."""

    def warning(self, outcome: object) -> str:
        """Return what staff should look at after the command has succeeded, "" if nothing."""
        return ""

    @abstractmethod
    def result_address(self, subject: Any) -> str:
        """Return the page that shows the result."""


class EscrowAction(Action):
    """An action on an escrow."""

    def subject(self, actor: Actor, subject_id: int | None) -> Escrow:
        """Return the escrow."""
        return access.escrow(actor, require_id(subject_id))

    def summary(self, subject: Escrow) -> Summary:
        """Return the escrow's summary."""
        return escrow_summary(subject)

    def result_address(self, subject: Escrow) -> str:
        """Return the escrow's page."""
        return links.escrow(subject.pk)


def escrow_summary(escrow: Escrow) -> Summary:
    """Return the escrow's task, people, state and remaining money."""
    return [
        (_("Escrow"), escrow.pk),
        (_("Task"), escrow.agreement.title),
        (_("Client"), escrow.client.username),
        (_("Freelancer"), escrow.freelancer.username),
        (_("State"), status_labels.label(escrow.state)),
        (_("In escrow"), money(escrow.remaining)),
    ]


def require_id(subject_id: int | None) -> int:
    """Return the id of the subject, for actions that need one. Raises NotFound."""
    if subject_id is None:
        raise NotFound
    return subject_id


def approval_warning(escrow: Escrow, amount: Money) -> list[str]:
    """Return a sentence about the second person, if the amount needs one."""
    if not approvals.is_large(escrow, amount):
        return []
    sentence = _("%(amount)s needs a second person: nothing moves until a colleague approves it.")
    return [sentence % {"amount": money(amount)}]


def outcome_message(outcome: object, done: str) -> str:
    """Return `done`, or that a second person has to approve when the command returned an open approval."""
    if isinstance(outcome, Approval) and outcome.decided_at is None:
        return _("Your request is saved. Nothing moves until a second person has approved it.")
    return done

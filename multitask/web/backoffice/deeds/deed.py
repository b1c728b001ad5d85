"""What every deed has: who may, what it will do in words, the form that asks, and the one command."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.errors import NotFound
from multitask.payments.models import Approval, Escrow
from multitask.users.actor import Actor, Power
from multitask.web.pages.base.fields import TextField
from multitask.web.pages.templatetags.money import money

Facts = list[tuple[str, Any]]


class ReasonForm(forms.Form):
    """Why: kept in the audit trail."""

    note = TextField(
        label=gettext_lazy("Reason"),
        lines=True,
        max_length=1000,
        help_text=gettext_lazy("Kept in the audit trail under your name."),
    )


class SharedReasonForm(ReasonForm):
    """Why, where the two sides of an escrow read it too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Warn the writer."""
        super().__init__(*args, **options)
        self.fields["note"].help_text = _(
            "Kept in the audit trail under your name. The client and the freelancer can read it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One deed as it was asked for: by whom, with what, when, and the key that makes it count once."""

    actor: Actor
    data: dict[str, Any]
    now: datetime
    request_key: str

    @property
    def note(self) -> str:
        """The reason that was given."""
        return str(self.data["note"])


class Deed(ABC):
    """One thing that staff may do. The rules are the command's; here they are only said."""

    name: ClassVar[str]
    power: ClassVar[Power]
    title: ClassVar[Any]
    verb: ClassVar[Any]
    is_final: ClassVar[bool] = False

    @abstractmethod
    def subject(self, actor: Actor, subject_id: int | None) -> Any:
        """What it is done to. Raises NotFound."""

    def form(self, subject: Any, *args: Any) -> forms.Form:
        """The form that asks for the reason and whatever else the command takes."""
        return SharedReasonForm(*args)

    @abstractmethod
    def facts(self, subject: Any) -> Facts:
        """What it is done to, in words."""

    @abstractmethod
    def consequences(self, subject: Any) -> list[str]:
        """What will happen, in whole sentences."""

    @abstractmethod
    def carry_out(self, subject: Any, order: Order) -> object:
        """Run the one command. Raises its refusals."""

    @abstractmethod
    def done(self, subject: Any, outcome: object) -> str:
        """Say what became of it."""

    @abstractmethod
    def address(self, subject: Any) -> str:
        """The page that shows what became of it."""


def numbered(subject_id: int | None) -> int:
    """The number of a subject, for deeds that have one. Raises NotFound."""
    if subject_id is None:
        raise NotFound
    return subject_id


def second_person(escrow: Escrow, amount: Money) -> list[str]:
    """Say that a large decision waits, if it is large."""
    if not approvals.is_large(escrow, amount):
        return []
    told = _("%(amount)s is more than one person decides over alone: nothing moves until a colleague approves it.")
    return [told % {"amount": money(amount)}]


def waits_or(outcome: object, done: str) -> str:
    """Say that a second person is asked, when the command answered an approval instead of doing it."""
    if isinstance(outcome, Approval) and outcome.decided_at is None:
        return _("Written down. Nothing moves until a second person has approved it.")
    return done

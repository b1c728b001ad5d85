"""Posting tasks."""

from datetime import datetime

from multitask import text
from multitask.marketplace.errors import InvalidTask, TaskError
from multitask.marketplace.models import DESCRIPTION_MAX, TITLE_MAX, Task
from multitask.money import Money
from multitask.payments.operations import amounts
from multitask.users.actor import Actor

# Far above any real price, and low enough that sums of minor units fit a bigint.
AMOUNT_MAX_MINOR = 10**12


class NotAClient(TaskError):
    """The actor is not a client."""

    code = "not_a_client"
    message = "Only a client can post a task."


def post_task(
    *,
    actor: Actor,
    now: datetime,
    title: str,
    description: str,
    budget: Money,
    deadline_at: datetime | None = None,
) -> Task:
    """Post a task that freelancers can apply for. Raises NotAClient or InvalidTask."""
    if not actor.is_client or actor.user_id is None:
        raise NotAClient
    title, description = text.tidy(title), text.tidy(description)
    wrong = {
        "title": text.complaint(title, shortest=1, longest=TITLE_MAX),
        "description": text.complaint(description, shortest=1, longest=DESCRIPTION_MAX, lines=True),
        "budget": amount_complaint(budget),
        "deadline": "This has to be in the future." if deadline_at and deadline_at <= now else None,
    }
    refuse(wrong)
    return Task.objects.create(
        client_id=actor.user_id,
        title=title,
        description=description,
        budget_minor=budget.amount_minor,
        currency=budget.currency,
        deadline_at=deadline_at,
        created_at=now,
    )


def amount_complaint(amount: Money) -> str | None:
    """Return why a price cannot be named, or None."""
    if amount.amount_minor <= 0:
        return "This has to be more than zero."
    return "This is too large." if amount.amount_minor > AMOUNT_MAX_MINOR else amounts.complaint(amount)


def refuse(wrong: dict[str, str | None]) -> None:
    """Raise InvalidTask if any field has a complaint."""
    found = {field: sentence for field, sentence in wrong.items() if sentence}
    if found:
        raise InvalidTask(fields=found)

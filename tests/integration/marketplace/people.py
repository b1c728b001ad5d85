"""Users and tasks as these tests need them, made by the commands themselves."""

import itertools
from datetime import UTC, datetime

from multitask.marketplace import applications, tasks
from multitask.marketplace.models import Application, Task
from multitask.money import Money
from multitask.payments.funding import intents, payment_results
from multitask.payments.models import Payment
from multitask.payments.provider import PaymentState, PaymentStatus
from multitask.users.actor import Actor, Assurance
from multitask.users.models import User

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def actor(*, client: bool = False, freelancer: bool = False, staff_role: str = "") -> Actor:
    """Make a user and let him act."""
    name = f"user{next(_numbers)}"
    user = User.objects.create_user(
        name,
        f"{name}@example.com",
        is_client=client,
        is_freelancer=freelancer,
        staff_role=staff_role,
        is_staff=bool(staff_role),
    )
    return Actor.of(user, assurance=Assurance.FRESH)


def open_task(client: Actor, *, budget_minor: int = 10_000) -> Task:
    """Post a task."""
    return tasks.post_task(
        actor=client, now=NOW, title="Draw a logo", description="Round.", budget=Money(budget_minor, "USD")
    )


def assigned_task(client: Actor, freelancer: Actor) -> Task:
    """Post a task, apply for it, accept."""
    task = open_task(client)
    application = applications.apply(actor=freelancer, now=NOW, task_id=task.pk)
    return accept(client, application).task


def funded_task(client: Actor, freelancer: Actor) -> Task:
    """An assigned task whose payment has arrived, as the provider says."""
    task = assigned_task(client, freelancer)
    milestone = task.milestones[0]
    intents._prepare(client, milestone.pk, NOW)
    payment = Payment.objects.get(escrow__milestone=milestone)
    state = PaymentState(
        id=f"pi_{payment.pk}",
        status=PaymentStatus.SUCCEEDED,
        amount=Money(payment.amount_minor, payment.currency),
        received=Money(payment.amount_minor, payment.currency),
        reference=f"create_payment:{payment.pk}:1",
    )
    payment_results.confirm("stripe", state, NOW)
    return task


def accept(client: Actor, application: Application) -> Application:
    """Accept an application."""
    return applications.accept(actor=client, now=NOW, application_id=application.pk)

"""Start, deliver, complete, cancel: who may, from which state, and what the database refuses by itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from multitask.marketplace import applications, work
from multitask.marketplace.errors import NotYourPart, TaskNotFound
from multitask.marketplace.models import Application, Task, TaskTimes
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.marketplace.work import TaskStateConflict
from multitask.payments.models import Milestone
from multitask.users.actor import Actor
from tests.integration.marketplace import people
from tests.integration.marketplace.people import NOW

pytestmark = pytest.mark.django_db

STEPS: dict[str, Callable[..., Task]] = {
    "start": work.start,
    "deliver": work.deliver,
    "complete": work.complete,
    "cancel": work.cancel,
}
# From which state each step is possible for the one whose step it is.
POSSIBLE = {
    "start": {TaskStatus.ASSIGNED},
    "deliver": {TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS},
    "complete": {TaskStatus.DELIVERED},
    "cancel": {TaskStatus.OPEN, TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS, TaskStatus.DELIVERED},
}
PATHS = {
    TaskStatus.ASSIGNED: [],
    TaskStatus.IN_PROGRESS: ["start"],
    TaskStatus.DELIVERED: ["deliver"],
    TaskStatus.COMPLETED: ["deliver", "complete"],
    TaskStatus.CANCELLED: ["cancel"],
}
OWNERS = {"start": "freelancer", "deliver": "freelancer", "complete": "client", "cancel": "freelancer"}


@pytest.fixture
def parties() -> dict[str, Actor]:
    return {
        "client": people.actor(client=True),
        "freelancer": people.actor(freelancer=True),
        "stranger": people.actor(client=True, freelancer=True),
        "support": people.actor(staff_role="support"),
        "finance": people.actor(staff_role="finance"),
    }


def _take(step: str, task: Task, actor: Actor) -> Task:
    return STEPS[step](actor=actor, now=NOW + timedelta(hours=1), task_id=task.pk)


def _task_in(status: TaskStatus, parties: dict[str, Actor]) -> Task:
    if status == TaskStatus.OPEN:
        return people.open_task(parties["client"])
    task = people.funded_task(parties["client"], parties["freelancer"])
    for step in PATHS[status]:
        task = _take(step, task, parties[OWNERS[step]])
    return task


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_possible_from_its_states_alone(step: str, status: TaskStatus, parties: dict[str, Actor]) -> None:
    task = _task_in(status, parties)
    owner = parties["client" if status == TaskStatus.OPEN else OWNERS[step]]
    if status in POSSIBLE[step]:
        assert _take(step, task, owner).status != status
        return
    with pytest.raises((TaskStateConflict, NotYourPart)):
        _take(step, task, owner)
    assert Task.objects.get(pk=task.pk).status == status


@pytest.mark.parametrize(
    ("step", "who", "refusal"),
    [
        ("start", "client", NotYourPart),
        ("start", "finance", NotYourPart),
        ("start", "stranger", TaskNotFound),
        ("deliver", "client", NotYourPart),
        ("deliver", "stranger", TaskNotFound),
        ("complete", "freelancer", NotYourPart),
        ("complete", "finance", NotYourPart),
        ("complete", "stranger", TaskNotFound),
        ("cancel", "stranger", TaskNotFound),
        ("cancel", "support", NotYourPart),
    ],
)
def test_a_step_belongs_to_one_party(step: str, who: str, refusal: type[Exception], parties: dict[str, Actor]) -> None:
    task = _task_in(TaskStatus.DELIVERED if step == "complete" else TaskStatus.ASSIGNED, parties)
    with pytest.raises(refusal):
        _take(step, task, parties[who])


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        ("client", {TaskStatus.OPEN, TaskStatus.ASSIGNED}),
        ("freelancer", {TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS, TaskStatus.DELIVERED}),
        ("finance", {TaskStatus.OPEN, TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS, TaskStatus.DELIVERED}),
    ],
)
@pytest.mark.parametrize("status", TaskStatus)
def test_who_may_cancel_when(who: str, allowed: set[TaskStatus], status: TaskStatus, parties: dict[str, Actor]) -> None:
    task = _task_in(status, parties)
    if status in allowed:
        assert _take("cancel", task, parties[who]).status == TaskStatus.CANCELLED
    else:
        with pytest.raises((TaskStateConflict, NotYourPart)):
            _take("cancel", task, parties[who])


def test_each_step_is_stamped(parties: dict[str, Actor]) -> None:
    task = _task_in(TaskStatus.IN_PROGRESS, parties)
    _take("deliver", task, parties["freelancer"])
    _take("complete", task, parties["client"])
    task, later = Task.objects.get(pk=task.pk), NOW + timedelta(hours=1)
    assert task.assigned_at == NOW
    assert task.times == TaskTimes(started_at=later, delivered_at=later, completed_at=later)


def test_cancelling_an_open_task_rejects_its_applications(parties: dict[str, Actor]) -> None:
    task = people.open_task(parties["client"])
    application = applications.apply(actor=parties["freelancer"], now=NOW, task_id=task.pk)
    _take("cancel", task, parties["client"])
    application.refresh_from_db()
    assert application.status == ApplicationStatus.REJECTED


@pytest.mark.parametrize(
    "change",
    [
        {"state": "assigned"},
        {"state": "done"},
        {"state": "completed"},
        {"budget_minor": 0},
        {"currency": "usd"},
        {"currency": "EUR"},
        {"assigned_at": NOW},
        {"withdrawn_at": NOW},
    ],
)
def test_the_database_refuses_a_task_that_cannot_be(change: dict[str, Any], parties: dict[str, Actor]) -> None:
    task = people.open_task(parties["client"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(**change)


def test_the_database_refuses_both_sides_of_a_task(parties: dict[str, Actor]) -> None:
    task = people.open_task(parties["client"])
    own = {"task": task, "freelancer_id": task.client_id, "amount_minor": 1, "created_at": NOW}
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(**own)
    assigned = people.assigned_task(parties["client"], parties["freelancer"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=assigned.pk).update(client=parties["freelancer"].user_id)
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=assigned.pk).update(freelancer=parties["client"].user_id)


def test_the_database_refuses_an_accepted_application_of_another_task(parties: dict[str, Actor]) -> None:
    one = people.assigned_task(parties["client"], parties["freelancer"])
    other = people.assigned_task(parties["client"], parties["freelancer"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=one.pk).update(accepted_application=other.accepted_application)


def test_the_database_refuses_two_accepted_applications(parties: dict[str, Actor]) -> None:
    task = people.open_task(parties["client"])
    for who in ("freelancer", "stranger"):
        applications.apply(actor=parties[who], now=NOW, task_id=task.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        task.applications.update(status=ApplicationStatus.ACCEPTED, decided_at=NOW)


@pytest.mark.parametrize("role", ["finance", "admin"])
def test_staff_who_are_the_client_may_cancel_no_more_than_a_client(role: str) -> None:
    both = people.actor(client=True, staff_role=role)
    task = _task_in(TaskStatus.DELIVERED, {"client": both, "freelancer": people.actor(freelancer=True)})
    with pytest.raises(TaskStateConflict):
        _take("cancel", task, both)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (("cancelled", "completed"), TaskStatus.COMPLETED),
        (("completed", "cancelled"), TaskStatus.COMPLETED),
        (("completed", "delivered"), TaskStatus.DELIVERED),
        (("cancelled", "cancelled"), TaskStatus.CANCELLED),
    ],
)
def test_a_task_with_several_milestones_has_one_status(
    states: tuple[str, str], status: TaskStatus, parties: dict[str, Actor]
) -> None:
    task = people.assigned_task(parties["client"], parties["freelancer"])
    first = task.milestones[0]
    Milestone.objects.create(agreement=first.agreement, position=2, title="B", amount_minor=1, created_at=NOW)
    for position, state in enumerate(states, start=1):
        times = {"completed": "completed_at", "cancelled": "cancelled_at"}
        stamp = {times[state]: NOW} if state in times else {}
        Milestone.objects.filter(agreement=first.agreement, position=position).update(state=state, **stamp)
    found = Task.objects.get(pk=task.pk)
    assert found.status == status
    assert [each for each in TaskStatus if Task.objects.filter(pk=task.pk).in_status(each).exists()] == [status]
    assert (found.times.completed_at is not None) == (status is TaskStatus.COMPLETED)

"""Concurrent commands: one takes effect, the others are refused with the reason."""

from functools import partial

import pytest

from multitask.marketplace import applications, work
from multitask.marketplace.models import Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from tests.integration import races
from tests.integration.marketplace import people
from tests.integration.marketplace.people import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_accepts_of_one_application_accept_it_once() -> None:
    client, freelancer = people.actor(client=True), people.actor(freelancer=True)
    application = applications.apply(actor=freelancer, now=NOW, task_id=people.open_task(client).pk)

    answers = races.together([partial(people.accept, client, application)] * 50)

    accepted = [answer for answer in answers if isinstance(answer, Application)]
    refused = [answer for answer in answers if isinstance(answer, applications.TaskNotOpen)]
    assert (len(accepted), len(refused)) == (1, 49)


def test_of_many_applications_one_is_accepted() -> None:
    client = people.actor(client=True)
    task = people.open_task(client)
    applied = [applications.apply(actor=people.actor(freelancer=True), now=NOW, task_id=task.pk) for _ in range(20)]

    races.together([partial(people.accept, client, application) for application in applied])

    task.refresh_from_db()
    accepted = task.applications.get(status=ApplicationStatus.ACCEPTED)
    assert (task.accepted_application_id, task.freelancer_id) == (accepted.pk, accepted.freelancer_id)
    assert task.applications.filter(status=ApplicationStatus.REJECTED).count() == 19


def test_accept_and_withdraw_leave_one_winner() -> None:
    client, freelancer = people.actor(client=True), people.actor(freelancer=True)
    for _ in range(10):
        task = people.open_task(client)
        application = applications.apply(actor=freelancer, now=NOW, task_id=task.pk)
        withdraw = partial(applications.withdraw_application, actor=freelancer, now=NOW, application_id=application.pk)

        answers = races.together([partial(people.accept, client, application), withdraw])

        task.refresh_from_db()
        application.refresh_from_db()
        assert sum(isinstance(answer, Application) for answer in answers) == 1
        assert (task.status, application.status) in {("assigned", "accepted"), ("open", "withdrawn")}


def test_one_freelancer_applies_once() -> None:
    client, freelancer = people.actor(client=True), people.actor(freelancer=True)
    task = people.open_task(client)
    answers = races.together([partial(applications.apply, actor=freelancer, now=NOW, task_id=task.pk)] * 20)
    assert sum(isinstance(answer, Application) for answer in answers) == 1
    assert sum(isinstance(answer, applications.AlreadyApplied) for answer in answers) == 19


def test_complete_and_cancel_leave_one_winner() -> None:
    client, freelancer = people.actor(client=True), people.actor(freelancer=True)
    for _ in range(10):
        task = people.funded_task(client, freelancer)
        work.deliver(actor=freelancer, now=NOW, task_id=task.pk)
        answers = races.together(
            [
                partial(work.complete, actor=client, now=NOW, task_id=task.pk),
                partial(work.cancel, actor=freelancer, now=NOW, task_id=task.pk),
            ]
        )
        winners = [answer for answer in answers if isinstance(answer, Task)]
        task = Task.objects.get(pk=task.pk)
        assert len(winners) == 1
        assert task.status == winners[0].status
        assert task.status in {TaskStatus.COMPLETED, TaskStatus.CANCELLED}

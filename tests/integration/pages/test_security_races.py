"""Codes of the second factor that are sent many times at once."""

from typing import Any

import pytest
from django.utils import timezone

from multitask.users import second_factor
from multitask.users.actor import Actor
from multitask.users.models import LoginAttempt, User
from multitask.users.second_factor import CodeRefused
from multitask.users.throttle import TooManyAttempts
from tests.integration import races
from tests.integration.pages.codes import PASSWORD, fresh_code, switch_on

VISITOR = Actor.visitor(ip="203.0.113.9")


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.com", PASSWORD, is_freelancer=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["code", "recovery"])
def test_a_code_that_is_sent_many_times_at_once_counts_once(ada: User, kind: str) -> None:
    recovery = switch_on(ada)
    code = recovery[0] if kind == "recovery" else fresh_code(ada.pk)
    now = timezone.now()

    def use(last: int) -> Any:
        actor = Actor.visitor(ip=f"203.0.113.{last}")
        return lambda: second_factor.prove(user_id=ada.pk, actor=actor, now=now, code=code)

    answers = races.together([use(last) for last in range(6)])
    assert answers.count(None) == 1
    assert all(answer is None or isinstance(answer, CodeRefused) for answer in answers)


@pytest.mark.django_db(transaction=True)
def test_of_many_guesses_at_once_no_more_than_the_limit_is_looked_at(ada: User) -> None:
    switch_on(ada)
    LoginAttempt.objects.all().delete()

    def guess(number: int) -> Any:
        return lambda: second_factor.prove(user_id=ada.pk, actor=VISITOR, now=timezone.now(), code=f"{number:06d}")

    answers = races.together([guess(number) for number in range(12)])
    assert sum(isinstance(answer, CodeRefused) for answer in answers) <= 5
    assert any(isinstance(answer, TooManyAttempts) for answer in answers)

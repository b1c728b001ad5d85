"""A password that the API accepts is accepted by every page."""

import pytest
from django.test import Client

from multitask.users import passwords
from multitask.users.models import User

pytestmark = pytest.mark.django_db

LONGEST = ("long words " * passwords.LONGEST)[: passwords.LONGEST - 1] + "!"
OTHER = LONGEST[::-1]


def test_the_longest_password_signs_in_and_can_be_changed() -> None:
    User.objects.create_user("ada", "ada@example.com", LONGEST, is_client=True)
    browser = Client()
    assert browser.post("/sign-in/", {"identifier": "ada", "password": LONGEST}).status_code == 302
    fields = {"current": LONGEST, "password": OTHER}
    assert browser.post("/password/change/", fields).status_code == 302
    assert User.objects.get().check_password(OTHER)


def test_the_longest_password_registers() -> None:
    fields = {"username": "ada", "email": "ada@example.com", "password": LONGEST, "roles": ["is_client"]}
    assert Client().post("/register/", fields).status_code == 302
    assert User.objects.get().check_password(LONGEST)


def test_a_longer_password_is_refused_by_the_form() -> None:
    fields = {"username": "ada", "email": "ada@example.com", "password": LONGEST + "!", "roles": ["is_client"]}
    assert Client().post("/register/", fields).status_code == 422

"""The parts of one page are of one moment, whatever commits while it is read."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from multitask.users.actor import Actor
from tests.integration.pages.test_confirmations import words
from tests.integration.web.test_consistent_answers import Meanwhile, fail_refund, refunded
from tests.payments_world import World, dollars

pytestmark = pytest.mark.django_db(transaction=True)

SignIn = Callable[[Actor], Client]


def read(browser: Client, address: str, meanwhile: Meanwhile) -> str:
    with connection.execute_wrapper(meanwhile):
        page = words(browser.get(address))
    assert meanwhile.happened
    return page


def test_the_badge_and_the_timeline_of_a_payment_are_of_one_moment(world: World, sign_in: SignIn) -> None:
    job = refunded(world)
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/payment/"

    page = read(browser, address, Meanwhile("payments_auditevent", lambda: fail_refund(world, job)))

    assert ("Refunded to the client $100.00" in page, "The refund failed" in page) == (True, False)
    after = words(browser.get(address))
    assert ("Refunded to the client $100.00" in after, "The refund failed" in after) == (False, True)


def test_the_parts_of_an_escrow_in_the_back_office_are_of_one_moment(world: World, sign_in: SignIn) -> None:
    job = refunded(world)
    browser, address = sign_in(world.staff()), reverse("admin:payments_escrow_change", args=[job.escrow.pk])

    page = read(browser, address, Meanwhile("payments_auditevent", lambda: fail_refund(world, job)))

    assert ("Refunded to the client" in page, "The refund failed" in page) == (True, False)
    after = words(browser.get(address))
    assert ("Refunded to the client" in after, "The refund failed" in after) == (False, True)


def test_the_totals_of_the_transactions_are_those_of_their_rows(world: World, sign_in: SignIn) -> None:
    first = world.completed(freelancer=world.freelancer())
    world.release(first)
    second = world.completed(dollars("200.00"), client=first.client, freelancer=first.freelancer)
    browser = sign_in(first.freelancer)

    page = read(browser, "/transactions/", Meanwhile("payments_historyrow", lambda: world.release(second)))

    assert "$170.00" not in page
    assert "$255.00" not in page
    assert "$255.00" in words(browser.get("/transactions/"))

"""`/payments/connect/` of accounts that end or are replaced, and the warning about a missing bank account."""

from collections.abc import Callable

import pytest

from multitask.marketplace import tasks
from multitask.money import Money
from multitask.payments.models import ConnectedAccount
from multitask.users.actor import Actor
from tests.acceptance.clients import Caller
from tests.payments_world import World, user_id

As = Callable[[Actor], Caller]


def reject(actor: Actor) -> None:
    ConnectedAccount.objects.filter(user_id=user_id(actor)).update(
        rejection="listed", transfers_enabled=False, payouts_enabled=False
    )


def test_what_can_be_chosen_is_listed(world: World, call_as: As) -> None:
    offered = call_as(world.freelancer(onboarded=False)).get("/payments/connect/options/").json
    assert {"country": "DE", "bank_currency": "EUR"} in offered["countries"]
    assert "USD" in offered["currencies"]
    assert "EGP" not in offered["currencies"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"country": "EG", "currency": "USD"}, "country_unsupported"),
        ({"country": "US", "currency": "JPY"}, "currency_unsupported"),
    ],
)
def test_what_cannot_be_paid_is_refused(world: World, call_as: As, body: dict[str, str], code: str) -> None:
    answer = call_as(world.freelancer(onboarded=False)).post("/payments/connect/create/", body)
    assert (answer.status, answer.code) == (422, code)
    assert not ConnectedAccount.objects.exists()


def test_the_status_says_what_an_account_can_do(world: World, call_as: As) -> None:
    freelancer = world.freelancer()
    caller = call_as(freelancer)
    account = caller.get("/payments/connect/status/").json
    assert (account["status"], account["is_final"], account["bank_currencies"]) == ("ready", False, ["USD"])
    assert account["can_be_replaced"] is True

    reject(freelancer)
    account = caller.get("/payments/connect/status/").json
    assert (account["status"], account["is_final"], account["can_be_replaced"]) == ("rejected", True, True)
    assert "on a list of those it may not pay. That is final" in account["explanation"]
    for path in ("onboarding", "dashboard"):
        answer = caller.post(f"/payments/connect/{path}/")
        assert (answer.status, answer.code) == (409, "account_ended")
    refused = caller.post("/payments/withdrawals/create/", {"amount": "1.00"})
    assert (refused.status, refused.code) == (409, "account_ended")

    successor = caller.post("/payments/connect/create/", {"country": "US", "currency": "USD"})
    assert successor.status == 201
    assert (successor.json["status"], successor.json["is_final"]) == ("incomplete", False)
    assert successor.json["id"] != account["id"]


def test_a_wrong_choice_is_replaced(world: World, call_as: As) -> None:
    freelancer = world.freelancer()
    caller = call_as(freelancer)
    replaced = caller.post("/payments/connect/replace/", {"country": "DE", "currency": "EUR"})
    assert (replaced.status, replaced.json["country"], replaced.json["currency"]) == (201, "DE", "EUR")
    again = caller.post("/payments/connect/replace/", {"country": "DE", "currency": "EUR"})
    assert (again.status, again.code) == (409, "account_exists")
    assert caller.post("/payments/connect/replace/", {"country": "DE"}).status == 422


def test_an_account_that_was_paid_is_not_replaced(world: World, call_as: As) -> None:
    caller = call_as(world.released().freelancer)
    answer = caller.post("/payments/connect/replace/", {"country": "DE", "currency": "EUR"})
    assert (answer.status, answer.code) == (409, "account_in_use")
    assert caller.get("/payments/connect/status/").json["can_be_replaced"] is False


def test_a_dashboard_link_leads_to_the_provider(world: World, call_as: As) -> None:
    answer = call_as(world.freelancer()).post("/payments/connect/dashboard/")
    assert answer.status == 200
    assert answer.json["url"].startswith(f"{world.sandbox.base_url}/express/")


def test_an_application_warns_of_a_bank_that_is_missing(world: World, call_as: As) -> None:
    client, freelancer = world.client(), world.freelancer(onboarded=False)
    price = Money(5_000, "EUR")
    task = tasks.post_task(actor=client, now=world.now, title="Logo", description="Draw one", budget=price)
    applied = call_as(freelancer).post(f"/api/tasks/{task.pk}/apply/")
    assert (applied.status, applied.json["payout_warning"]) == (201, "no_account")

    world.onboard(freelancer)
    (seen,) = call_as(client).get(f"/api/tasks/{task.pk}/applications/").json["results"]
    assert seen["payout_warning"] == "no_bank_in_currency"
    accepted = call_as(client).post(f"/api/tasks/applications/{seen['id']}/accept/")
    assert (accepted.status, accepted.json["payout_warning"]) == (200, "no_bank_in_currency")

    world.add_bank(freelancer, "EUR")
    (mine,) = call_as(freelancer).get("/api/tasks/my-applications/").json["results"]
    assert mine["payout_warning"] == ""

    reject(freelancer)
    (mine,) = call_as(freelancer).get("/api/tasks/my-applications/").json["results"]
    assert mine["payout_warning"] == "no_account"

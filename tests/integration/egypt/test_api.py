"""The platform route over the API: paying by redirect, what is missing, where a withdrawal goes and why it waits."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.db import connection
from django.test.utils import CaptureQueriesContext

from multitask.payments.models import Withdrawal
from multitask.users.actor import Actor
from tests.acceptance.clients import Caller
from tests.egypt_world import COOL_DOWN, SUCCEEDS, EgyptWorld, pounds
from tests.integration.egypt.test_where import identified

As = Callable[[Actor], Caller]
CREATE = "/payments/withdrawals/create/"


def test_an_intent_leads_to_the_page_of_the_provider(world: EgyptWorld, call_as: As) -> None:
    job = world.hired(pounds("1000.00"))
    answer = call_as(job.client).post("/payments/intents/create/", {"application_id": job.application_id})
    assert answer.status == 201, answer.json
    assert urlsplit(answer.json["redirect_url"]).path == "/unifiedcheckout/"
    assert (answer.json["client_secret"], answer.json["publishable_key"]) == ("", "")


def test_what_is_missing_has_a_code_each_and_nothing_moves(world: EgyptWorld, call_as: As) -> None:
    payee = world.freelancer(onboarded=False)
    world.earned(payee)
    caller = call_as(payee)

    def refused() -> tuple[int, str | None]:
        answer = caller.post(CREATE, {"amount": "100.00", "currency": "EGP"})
        return answer.status, answer.code

    assert refused() == (409, "identity_missing")
    world.submit_identity(payee)
    assert refused() == (409, "identity_unconfirmed")
    world.identify(payee)
    assert refused() == (409, "destination_missing")
    assert not Withdrawal.objects.exists()
    assert world.wallet(payee, "EGP").available == pounds("850.00")


def test_a_withdrawal_shows_where_it_goes_and_why_it_waits(world: EgyptWorld, call_as: As) -> None:
    payee = identified(world)
    world.earned(payee)
    destination = world.add_wallet(payee, SUCCEEDS)
    caller = call_as(payee)

    answer = caller.post(CREATE, {"amount": "100.00", "currency": "EGP"})
    assert answer.status == 201, answer.json
    assert answer.json["message"] == "The withdrawal waits to be sent."
    shown = answer.json["withdrawal"]
    assert shown["destination"] == {
        "destination_id": str(destination.public_id),
        "kind": "wallet",
        "bank_code": "",
        "issuer": "vodafone",
        "masked": destination.masked,
    }
    assert (shown["waiting_reason"], shown["can_be_cancelled"]) == ("destination_cooling_down", True)
    assert shown["waits_until"] is not None

    world.wait(COOL_DOWN)
    Withdrawal.objects.get().disbursement.__class__.objects.update(usable_from=Withdrawal.objects.get().created_at)
    listed = caller.get("/payments/withdrawals/").json["results"][0]
    assert (listed["waiting_reason"], listed["waits_until"]) == ("awaits_budget", None)

    cancelled = caller.post(f"/payments/withdrawals/{shown['id']}/cancel/", {})
    assert (cancelled.status, cancelled.json["withdrawal"]["status"]) == (200, "cancelled")
    assert cancelled.json["withdrawal"]["waiting_reason"] is None
    assert world.wallet(payee, "EGP").available == pounds("850.00")


def test_the_list_of_withdrawals_needs_as_many_statements_for_many_as_for_one(world: EgyptWorld, call_as: As) -> None:
    payee = world.payee()
    world.earned(payee)
    caller = call_as(payee)

    def counted() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert caller.get("/payments/withdrawals/").status == 200
        return len(seen)

    world.withdraw(payee, pounds("100.00"))
    counted()
    for_one = counted()
    for _ in range(3):
        world.withdraw(payee, pounds("50.00"))
    assert counted() == for_one


def test_the_wallet_says_how_each_currency_is_paid_out(world: EgyptWorld, call_as: As) -> None:
    payee = identified(world)
    world.earned(payee)
    shown = call_as(payee).get("/payments/wallet/").json
    routes = {each["currency"]: each["route"] for each in shown["balances"]}
    assert routes["EGP"] == "platform"
    [egyptian] = [each for each in shown["balances"] if each["currency"] == "EGP"]
    assert egyptian["where"][0]["reason"] == "destination_missing"

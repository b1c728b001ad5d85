"""Connected accounts: controllers, requirements that shrink, links that work once, banks, capabilities."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox_process import ControlRefused, SandboxProcess

RETURN, REFRESH = "https://example.com/return", "https://example.com/refresh"


def page(url: str) -> tuple[int, str]:
    """Return where an address leads: status, and text or location."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        with urllib.request.build_opener(Stay()).open(url, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, str(error.headers.get("Location"))


def test_a_fresh_account_may_do_nothing(api: stripe.StripeClient) -> None:
    account: Any = steps.account(api)

    assert (account.charges_enabled, account.payouts_enabled, account.details_submitted) == (False, False, False)
    assert (account.type, account.controller.stripe_dashboard.type) == ("none", "express")
    assert account.controller.losses.payments == account.controller.fees.payer == "application"
    assert account.capabilities.transfers == "inactive"
    assert {"individual.first_name", "external_account", "tos_acceptance.date"} <= set(
        account.requirements.currently_due
    )
    assert account.requirements.disabled_reason == "requirements.past_due"
    assert account.settings.payouts.schedule.interval == "manual"


def test_onboarding_makes_it_whole(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    created = steps.account(client)
    assert sandbox.onboard(steps.link(client, created.id).url) == RETURN
    account: Any = client.v1.accounts.retrieve(created.id)

    assert (account.charges_enabled, account.payouts_enabled, account.details_submitted) == (True, True, True)
    assert account.requirements.currently_due == []
    assert account.requirements.disabled_reason is None
    assert account.capabilities.transfers == "active"
    [bank] = account.external_accounts.data
    assert (bank.last4, bank.default_for_currency, bank.currency) == ("6789", True, "usd")
    assert (account.individual.first_name, account.individual.ssn_last_4_provided) == ("Jenny", True)
    listed = client.v1.events.list({"type": "account.updated"}, {"stripe_account": created.id}).data
    assert listed[0].account == created.id


def test_requirements_shrink_as_they_are_given(api: stripe.StripeClient) -> None:
    account = steps.account(api)
    before: Any = account.requirements
    after: Any = api.v1.accounts.update(
        account.id,
        {"business_type": "individual", "individual": {"first_name": "A", "dob": {"day": 1, "month": 2, "year": 1990}}},
    ).requirements

    gone = set(before.currently_due) - set(after.currently_due)
    assert gone == {
        "business_type", "individual.first_name", "individual.dob.day", "individual.dob.month", "individual.dob.year",
    }  # fmt: skip


def test_the_platform_cannot_accept_terms_that_stripe_collects(api: stripe.StripeClient) -> None:
    account = steps.account(api)

    with pytest.raises(stripe.InvalidRequestError):
        api.v1.accounts.update(account.id, {"tos_acceptance": {"date": 1_700_000_000, "ip": "127.0.0.1"}})


def test_a_custom_account_is_onboarded_by_call_alone(api: stripe.StripeClient) -> None:
    address: Any = {"line1": "1 Test St", "city": "Testville", "state": "CA", "postal_code": "94107"}
    account: Any = api.v1.accounts.create({
        "type": "custom", "country": "US", "business_type": "individual",
        "capabilities": {"transfers": {"requested": True}}, "external_account": "btok_us_verified",
        "business_profile": {"product_description": "work"},
        "individual": {
            "first_name": "A", "last_name": "B", "email": "a@example.com", "phone": "+15555550100",
            "ssn_last_4": "0000", "dob": {"day": 1, "month": 1, "year": 1990}, "address": address,
        },
        "tos_acceptance": {"date": 1_700_000_000, "ip": "127.0.0.1"},
    })  # fmt: skip

    assert (account.requirements.currently_due, account.capabilities.transfers) == ([], "active")
    assert api.v1.accounts.retrieve(account.id).payouts_enabled


def test_an_express_account_of_the_older_kind(api: stripe.StripeClient) -> None:
    account: Any = api.v1.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})

    assert (account.type, account.controller.stripe_dashboard.type) == ("express", "express")


@pytest.mark.parametrize(
    "params",
    [
        {"type": "express", "controller": steps.CONTROLLER},
        {"controller": {"losses": {"payments": "application"}, "fees": {"payer": "account"}}},
        {"country": "XX"},
        {"country": "JP", "capabilities": {"transfers": {"requested": True}}},
        {"capabilities": {"flying": {"requested": True}}},
        {"email": "nobody"},
    ],
)
def test_accounts_that_cannot_be(api: stripe.StripeClient, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.accounts.create(params)


def test_a_link_shows_its_form_once(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    link = steps.link(client, steps.account(client).id)

    assert link.expires_at - link.created == 300
    status, text = page(link.url)
    assert status == 200
    assert 'name="individual.first_name"' in text
    assert page(link.url) == (303, REFRESH)
    assert sandbox.onboard(link.url) == RETURN
    assert sandbox.onboard(link.url) == REFRESH


def test_a_link_expires(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    link = steps.link(client, steps.account(client).id)
    sandbox.advance(301)

    assert page(link.url) == (303, REFRESH)
    assert sandbox.onboard(link.url) == REFRESH


def test_leaving_early_leads_back_and_changes_nothing(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.account(client)

    assert sandbox.onboard(steps.link(client, account.id).url, action="leave") == RETURN
    assert not client.v1.accounts.retrieve(account.id).details_submitted


@pytest.mark.parametrize(
    "wrong",
    [
        {"individual.last_name": ""},
        {"individual.dob.year": "long ago"},
        {"routing_number": "12"},
        {"account_number": "x"},
    ],
)
def test_a_wrong_field_shows_the_form_again(
    sandbox: SandboxProcess, client: stripe.StripeClient, wrong: dict[str, str]
) -> None:
    account = steps.account(client)
    link = steps.link(client, account.id).url

    with pytest.raises(ControlRefused, match="400"):
        sandbox.onboard(link, **wrong)
    assert sandbox.onboard(link) == RETURN
    assert client.v1.accounts.retrieve(account.id).details_submitted


def test_an_account_of_another_country_is_asked_its_own(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account: Any = steps.account(client, country="DE")
    assert "individual.ssn_last_4" not in account.requirements.currently_due
    sandbox.onboard(steps.link(client, account.id).url, account_number="DE89370400440532013000", routing_number="")
    onboarded: Any = client.v1.accounts.retrieve(account.id)

    assert (onboarded.payouts_enabled, onboarded.external_accounts.data[0].currency) == (True, "eur")


def test_verification_can_take_its_time() -> None:
    with SandboxProcess(arguments=("--verify-after=3600",)) as sandbox:
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": sandbox.base_url})
        account = steps.freelancer(sandbox, client)
        waiting: Any = client.v1.accounts.retrieve(account)
        assert (waiting.details_submitted, waiting.payouts_enabled) == (True, False)
        assert waiting.capabilities.transfers == "pending"
        assert waiting.requirements.disabled_reason == "requirements.pending_verification"
        sandbox.advance(3601)
        assert client.v1.accounts.retrieve(account).payouts_enabled


def test_an_account_can_be_stopped_and_asked_again(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    sandbox.control("POST", f"accounts/{account}", {"disabled_reason": "listed"})
    stopped: Any = client.v1.accounts.retrieve(account)
    assert (stopped.payouts_enabled, stopped.requirements.disabled_reason) == (False, "listed")
    sandbox.control(
        "POST", f"accounts/{account}", {"disabled_reason": None, "currently_due": ["individual.verification.document"]}
    )
    asked: Any = client.v1.accounts.retrieve(account)
    assert asked.requirements.currently_due == ["individual.verification.document"]
    sandbox.onboard(steps.link(client, account).url)
    assert client.v1.accounts.retrieve(account).payouts_enabled


def test_banks_are_added_changed_and_removed(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    banks = client.v1.accounts.external_accounts
    raw: Any = {
        "object": "bank_account", "country": "US", "currency": "usd", "routing_number": "110000000",
        "account_number": "000111111116",
    }  # fmt: skip
    first = banks.list(account).data[0].id
    second: Any = banks.create(account, {"external_account": raw, "default_for_currency": True})

    assert (second.last4, second.default_for_currency) == ("1116", True)
    assert not banks.retrieve(account, first).default_for_currency
    with pytest.raises(stripe.InvalidRequestError):
        banks.delete(account, second.id)
    banks.update(account, first, {"default_for_currency": True})
    assert banks.delete(account, second.id).deleted
    assert [row.id for row in banks.list(account).data] == [first]


def test_a_bank_token_works_once(api: stripe.StripeClient) -> None:
    token = api.v1.tokens.create(
        {
            "bank_account": {
                "country": "US",
                "currency": "usd",
                "routing_number": "110000000",
                "account_number": "000123456789",
            }
        }
    )
    account = steps.account(api).id
    api.v1.accounts.external_accounts.create(account, {"external_account": token.id})

    with pytest.raises(stripe.InvalidRequestError):
        api.v1.accounts.external_accounts.create(account, {"external_account": token.id})


def test_a_login_link_needs_finished_onboarding_and_works_once(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.login_links.create(steps.account(client).id)
    link = client.v1.accounts.login_links.create(steps.freelancer(sandbox, client))

    assert page(link.url)[0] == 200
    assert page(link.url)[0] == 410


def test_only_an_empty_account_can_be_deleted(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.freelancer(sandbox, client)
    charge = str(steps.pay(client, 10_000).latest_charge)
    client.v1.transfers.create({"amount": 100, "currency": "usd", "destination": account, "source_transaction": charge})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.delete(account)

    assert client.v1.accounts.delete(steps.account(client).id).deleted

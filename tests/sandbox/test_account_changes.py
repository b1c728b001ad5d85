"""Connected accounts that change or end: revoked, rejected, deleted, asked again, another bank."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.raw_requests import send
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import ControlRefused, SandboxProcess

DAY = 86_400


def paid(sandbox: SandboxProcess, client: stripe.StripeClient, amount: int = 1_000) -> tuple[str, str]:
    """Return an account that received a transfer, and the transfer."""
    account = steps.freelancer(sandbox, client)
    steps.pay(client, 5_000, "pm_card_bypassPending")
    transfer = client.v1.transfers.create({"amount": amount, "currency": "usd", "destination": account})
    return account, transfer.id


def refusal(call: Any, *args: Any) -> tuple[int | None, str | None]:
    """Return the status and the code with which a call is refused."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args)
    error: Any = caught.value.error
    return caught.value.http_status, error.code


def test_a_revoked_account_answers_nothing_any_more(
    sandbox: SandboxProcess, client: stripe.StripeClient, receiver: Receiver
) -> None:
    v1 = client.v1
    account, transfer = paid(sandbox, client)
    params: Any = {"url": receiver.url, "enabled_events": ["*"], "connect": True}
    v1.webhook_endpoints.create(params)
    own: Any = {"stripe_account": account}
    assert sandbox.control("POST", f"accounts/{account}/deauthorize")["deauthorized"]
    sandbox.settle(account)
    sandbox.drain()

    assert [event["type"] for event in receiver.events()] == ["account.application.deauthorized"]
    [event] = receiver.events()
    assert (event["account"], event["data"]["object"]["object"]) == (account, "application")
    assert refusal(v1.accounts.retrieve, account) == (403, "account_invalid")
    assert refusal(v1.balance.retrieve, {}, own) == (403, "account_invalid")
    assert refusal(v1.payouts.create, {"amount": 100, "currency": "usd"}, own) == (403, "account_invalid")
    assert refusal(v1.accounts.login_links.create, account) == (403, "account_invalid")
    assert refusal(v1.transfers.reversals.create, transfer) == (403, "account_invalid")
    more: Any = {"amount": 100, "currency": "usd", "destination": account}
    assert refusal(v1.transfers.create, more) == (400, "resource_missing")
    assert v1.accounts.list().data == []
    assert v1.transfers.retrieve(transfer).destination == account
    assert steps.usd(sandbox, account) == (0, 1_000)
    with pytest.raises(ControlRefused):
        sandbox.control("POST", f"accounts/{account}/deauthorize")


def test_a_rejected_account_keeps_its_money_and_does_nothing_with_it(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    v1 = client.v1
    account, transfer = paid(sandbox, client)
    own: Any = {"stripe_account": account}
    rejected = v1.accounts.reject(account, {"reason": "fraud"})

    requirements: Any = rejected.requirements
    assert (requirements.disabled_reason, rejected.payouts_enabled, rejected.charges_enabled) == (
        "rejected.fraud", False, False,
    )  # fmt: skip
    assert v1.accounts.capabilities.retrieve(account, "transfers").status == "inactive"
    kinds = {event.type for event in v1.events.list({}, own)}
    assert {"account.updated", "capability.updated"} <= kinds
    more: Any = {"amount": 100, "currency": "usd", "destination": account}
    assert refusal(v1.transfers.create, more) == (400, "insufficient_capabilities_for_transfer")
    assert refusal(v1.payouts.create, {"amount": 100, "currency": "usd"}, own) == (400, "payouts_not_allowed")
    assert v1.transfers.reversals.create(transfer, {"amount": 400}).amount == 400
    assert steps.usd(sandbox, account) == (0, 600)


def test_a_deleted_account_is_gone_but_its_transfers_are_not(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    v1 = client.v1
    account, transfer = paid(sandbox, client)
    assert refusal(v1.accounts.delete, account) == (400, "account_invalid")
    own: Any = {"stripe_account": account}
    v1.payouts.create({"amount": 1_000, "currency": "usd"}, own)
    # Money on its way to the bank still belongs to the account.
    assert refusal(v1.accounts.delete, account) == (400, "account_invalid")
    sandbox.advance(3 * DAY)

    assert v1.accounts.delete(account).deleted
    assert refusal(v1.accounts.retrieve, account) == (403, "account_invalid")
    assert refusal(v1.balance_transactions.list, {}, own) == (403, "account_invalid")
    assert refusal(v1.transfers.reversals.create, transfer, {"amount": 100}) == (403, "account_invalid")
    assert v1.transfers.retrieve(transfer).amount == 1_000
    assert set(sandbox.money()["sums"].values()) == {0}


def test_requirements_with_a_deadline_stop_an_account_when_it_passes(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    v1, account = client.v1, steps.freelancer(sandbox, client)
    asked = {"currently_due": ["individual.verification.document"], "within": 14 * DAY}
    sandbox.control("POST", f"accounts/{account}", asked)
    now: Any = v1.accounts.retrieve(account)

    assert (now.payouts_enabled, now.requirements.disabled_reason) == (True, None)
    assert now.requirements.currently_due == ["individual.verification.document"]
    assert (now.requirements.past_due, now.capabilities.transfers) == ([], "active")
    assert now.requirements.current_deadline - sandbox.now() in range(14 * DAY - 2, 14 * DAY + 1)
    sandbox.advance(14 * DAY)
    late: Any = v1.accounts.retrieve(account)
    assert (late.payouts_enabled, late.requirements.disabled_reason) == (False, "requirements.past_due")
    assert (late.requirements.past_due, late.capabilities.transfers) == (
        ["individual.verification.document"],
        "inactive",
    )
    [event, *_] = v1.events.list({"type": "account.updated"}, {"stripe_account": account}).data
    assert event.data.object["payouts_enabled"] is False
    sandbox.onboard(steps.link(client, account).url)
    assert v1.accounts.retrieve(account).payouts_enabled


def test_what_is_provided_before_the_deadline_changes_nothing(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client)
    sandbox.control("POST", f"accounts/{account}", {"currently_due": ["individual.id_number"], "within": DAY})
    sandbox.onboard(steps.link(client, account).url)
    sandbox.advance(2 * DAY)

    told: Any = client.v1.accounts.retrieve(account)
    assert (told.payouts_enabled, told.requirements.currently_due) == (True, [])
    for wrong in ({"currently_due": "x"}, {"lost": [1]}, {"currently_due": [], "within": -1}):
        with pytest.raises(ControlRefused, match="400"):
            sandbox.control("POST", f"accounts/{account}", wrong)


def test_an_account_loses_a_capability_and_gets_it_back(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1 = client.v1
    account, _ = paid(sandbox, client)
    sandbox.control("POST", f"accounts/{account}", {"lost": ["transfers"]})
    told: Any = v1.accounts.retrieve(account)
    capability: Any = v1.accounts.capabilities.retrieve(account, "transfers")

    assert (told.capabilities.transfers, told.payouts_enabled) == ("inactive", True)
    assert (capability.status, capability.requirements.disabled_reason) == ("inactive", "other")
    assert v1.events.list({"type": "capability.updated", "limit": 1}, {"stripe_account": account}).data
    more: Any = {"amount": 100, "currency": "usd", "destination": account}
    assert refusal(v1.transfers.create, more) == (400, "insufficient_capabilities_for_transfer")
    sandbox.control("POST", f"accounts/{account}", {"lost": []})
    assert v1.transfers.create(more).amount == 100


def test_an_accounts_country_cannot_be_changed(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    account = steps.account(client).id
    refused = send(sandbox, "POST", f"/v1/accounts/{account}", {"country": "DE"})

    assert (refused.status, refused.error["code"]) == (400, "parameter_unknown")


def test_the_owner_changes_the_bank_in_the_dashboard(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1 = client.v1
    account, _ = paid(sandbox, client)
    own: Any = {"stripe_account": account}
    link = v1.accounts.login_links.create(account).url.removeprefix(sandbox.base_url)
    form = {"action": "bank", "account_number": "000111111116", "routing_number": "110000000"}

    def post(given: dict[str, str]) -> int:
        return status(sandbox, link, given)

    assert post(form) == 410
    assert status(sandbox, link) == 200
    assert post({**form, "account_number": "12"}) == 400
    assert post(form) == 200
    new, old = v1.accounts.external_accounts.list(account).data
    assert (new.last4, new.default_for_currency, old.default_for_currency) == ("1116", True, False)
    assert (
        v1.events.list({"type": "account.external_account.created", "limit": 1}, own).data[0].data.object["id"]
        == new.id
    )
    assert post({"action": "payout"}) == 200
    [payout] = v1.payouts.list({}, own).data
    assert (payout.amount, payout.destination, payout.automatic) == (1_000, new.id, False)
    sandbox.advance(2 * DAY)
    assert post({"action": "payout"}) == 410
    assert v1.payouts.retrieve(payout.id, {}, own).failure_code == "no_account"


def test_a_removed_bank_account_is_told_and_due_again(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1, account = client.v1, steps.freelancer(sandbox, client)
    [bank] = v1.accounts.external_accounts.list(account).data
    v1.accounts.external_accounts.delete(account, bank.id)

    [event] = v1.events.list({"type": "account.external_account.deleted"}, {"stripe_account": account}).data
    told: Any = v1.accounts.retrieve(account)
    assert (event.data.object["id"], told.payouts_enabled) == (bank.id, False)
    assert told.requirements.currently_due == ["external_account"]


def test_a_deleted_customer_cannot_pay_and_its_cards_are_detached(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    v1 = client.v1
    customer = v1.customers.create({"email": "client@example.com", "payment_method": "pm_card_visa"}).id
    [method] = v1.payment_methods.list({"customer": customer}).data
    assert v1.customers.delete(customer).deleted

    kinds = [event.type for event in v1.events.list({"limit": 2})]
    assert kinds == ["customer.deleted", "payment_method.detached"]
    assert v1.customers.retrieve(customer).deleted
    assert v1.payment_methods.retrieve(method.id).customer is None
    assert refusal(v1.customers.update, customer, {"name": "x"}) == (404, "resource_missing")
    assert refusal(v1.payment_methods.list, {"customer": customer}) == (400, "resource_missing")
    asked: Any = {"amount": 500, "currency": "usd", "customer": customer}
    assert refusal(v1.payment_intents.create, asked) == (400, "resource_missing")
    assert refusal(v1.setup_intents.create, {"customer": customer}) == (400, "resource_missing")
    assert refusal(v1.payment_methods.attach, method.id, {"customer": customer}) == (400, "resource_missing")
    other = v1.customers.create({}).id
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        v1.payment_methods.attach(method.id, {"customer": other})


def status(sandbox: SandboxProcess, path: str, form: dict[str, str] | None = None) -> int:
    """Return the status of a hosted page, which is not JSON."""
    url, data = f"{sandbox.base_url}{path}", urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, data, timeout=60) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code

"""Every object that is answered has every field that the SDK declares."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from tests.sandbox import declared_fields, steps, write_shapes
from tests.sandbox.conftest import sdk
from tests.sandbox.test_files import PDF, upload
from tests.sandbox_process import SandboxProcess

for _name in write_shapes.CLASSES:  # The SDK opens its classes lazily.
    _class: Any = write_shapes.sdk_class(_name)
    declared_fields.CLASSES[_class.OBJECT_NAME] = _class


@pytest.mark.parametrize("name", write_shapes.CLASSES)
def test_the_written_names_are_those_of_the_sdk(name: str) -> None:
    cls: Any = write_shapes.sdk_class(name)
    written = json.loads((write_shapes.FOLDER / f"{cls.OBJECT_NAME}.json").read_text())

    assert written == write_shapes.shape_of(cls)


def test_the_written_event_types_are_those_of_the_sdk() -> None:
    written = json.loads((write_shapes.FOLDER / "event_types.json").read_text())

    assert written == write_shapes.event_types()
    assert "*" in written


def test_a_checker_that_finds_what_lacks() -> None:
    assert ".amount_reversed" in declared_fields.lacking({"object": "transfer", "id": "tr_1"})
    assert ".outcome.reason" in declared_fields.lacking({"object": "charge", "outcome": {"type": "authorized"}})


def test_everything_that_a_marketplace_reads_is_complete(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    v1 = client.v1
    account = steps.freelancer(sandbox, client)
    own: Any = {"stripe_account": account}
    upload(client, PDF)
    customer = v1.customers.create({"email": "client@example.com", "payment_method": "pm_card_visa"})
    paid = steps.pay(client, 10_000, customer=customer.id, payment_method=_saved(client, customer.id))
    challenged = steps.pay(client, 10_000, "pm_card_authenticationRequired", return_url="https://example.com/back")
    disputed = steps.pay(client, 10_000, "pm_card_createDispute")
    transfer = v1.transfers.create(
        {"amount": 5_000, "currency": "usd", "destination": account, "source_transaction": str(paid.latest_charge)}
    )
    reversal = v1.transfers.reversals.create(transfer.id, {"amount": 1_000})
    refund = v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    sandbox.control("POST", "early_fraud_warnings", {"charge": challenged.latest_charge or paid.latest_charge})
    sandbox.advance(2 * 86_400)
    payout = v1.payouts.create({"amount": 4_000, "currency": "usd"}, own)
    token = v1.tokens.create({"card": {"number": "4242424242424242", "exp_month": "12", "exp_year": "2040"}})
    answers: list[Any] = [
        v1.accounts.retrieve(account), v1.accounts.list(), v1.accounts.retrieve_current(), token,
        v1.accounts.capabilities.list(account), v1.accounts.capabilities.retrieve(account, "transfers"),
        v1.accounts.external_accounts.list(account), steps.link(client, account),
        v1.accounts.login_links.create(account),
        v1.account_sessions.create({"account": account, "components": {"account_onboarding": {"enabled": True}}}),
        v1.balance.retrieve(), v1.balance.retrieve({}, own), v1.balance_settings.retrieve({}, own),
        v1.balance_transactions.list({"limit": 100}), v1.balance_transactions.list({"limit": 100}, own), customer,
        v1.customers.list(), v1.payment_methods.list({"customer": customer.id}), paid, challenged,
        v1.payment_intents.list({"limit": 100, "expand": ["data.latest_charge.balance_transaction"]}),
        v1.payment_intents.retrieve(disputed.id, {"expand": ["latest_charge.balance_transaction", "payment_method"]}),
        v1.setup_intents.create({"customer": customer.id, "payment_method": "pm_card_visa", "confirm": True}),
        v1.setup_intents.create(
            {"payment_method": "pm_card_authenticationRequired", "confirm": True, "return_url": "https://e.com/x"}
        ),
        v1.charges.list({"expand": ["data.refunds"]}), v1.charges.list({}, own), v1.disputes.list(),
        transfer, v1.transfers.list(), v1.transfers.retrieve(transfer.id), reversal,
        v1.transfers.reversals.list(transfer.id), refund, v1.refunds.list(), payout, v1.payouts.list({}, own),
        v1.webhook_endpoints.create({"url": "https://example.com/hook", "enabled_events": ["*"]}),
        v1.webhook_endpoints.list(), v1.topups.create({"amount": 100, "currency": "usd"}), v1.topups.list(),
        v1.files.list(), v1.radar.early_fraud_warnings.list(),
        v1.events.list({"limit": 100}), v1.events.list({"limit": 100}, own),
    ]  # fmt: skip

    assert [missing for answer in answers for missing in declared_fields.lacking(declared_fields.plain(answer))] == []


def _saved(client: stripe.StripeClient, customer: str) -> str:
    return client.v1.payment_methods.list({"customer": customer}).data[0].id


def test_an_error_carries_a_complete_intent(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.CardError) as caught:
        steps.pay(sdk(sandbox), 1_000, "pm_card_chargeDeclined")

    body: Any = caught.value.json_body
    assert declared_fields.lacking(body["error"]["payment_intent"]) == []
    assert declared_fields.lacking(body["error"]["payment_method"]) == []

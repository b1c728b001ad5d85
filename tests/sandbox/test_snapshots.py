"""Snapshots: everything is as it was, however often one goes back."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox_process import ControlRefused, SandboxProcess

DAY = 86_400


def everything(sandbox: SandboxProcess) -> dict[str, object]:
    """All that tells one state from another."""
    kinds = ("account", "charge", "transfer", "payout", "event")
    read = {kind: sandbox.objects(kind) for kind in kinds}
    return {**read, "money": sandbox.money(), "journal": sandbox.journal(), "faults": sandbox.faults()}


def transfer(client: stripe.StripeClient, charge: str, account: str) -> str:
    params: stripe.params.TransferCreateParams = {"amount": 8_500, "currency": "usd", "destination": account}
    return client.v1.transfers.create({**params, "source_transaction": charge}).id


def test_everything_is_as_it_was_however_often_one_goes_back(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client)
    charge = str(steps.pay(client, 10_000).latest_charge)
    sandbox.add_fault("rate_limit", path="/v1/payouts", count=1)
    before, kept = everything(sandbox), sandbox.keep()

    made = []
    for _ in range(2):
        made.append(transfer(client, charge, account))
        sandbox.advance(3 * DAY)
        sandbox.clear_faults()
        assert everything(sandbox) != before
        sandbox.restore(kept)
        assert everything(sandbox) == before
        assert abs(sandbox.now() - int(client.v1.charges.retrieve(charge).created)) < DAY
    assert made[0] == made[1], "ids are drawn again from there"


def test_a_key_that_was_used_later_is_free_again(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    kept = sandbox.keep()
    options: stripe.RequestOptions = {"idempotency_key": "once"}
    client.v1.customers.create({"name": "Ada"}, options)
    sandbox.restore(kept)

    assert client.v1.customers.create({"name": "Grace"}, options).name == "Grace"


def test_what_is_deleted_or_never_was_is_refused_and_changes_nothing(sandbox: SandboxProcess) -> None:
    kept = sandbox.keep()
    sandbox.drop(kept)
    before = everything(sandbox)
    for method, path in (
        ("POST", f"snapshots/{kept}/restore"),
        ("DELETE", f"snapshots/{kept}"),
        ("DELETE", "snapshots/x"),
    ):
        with pytest.raises(ControlRefused, match=r"404: .*No such snapshot"):
            sandbox.control(method, path)
    assert everything(sandbox) == before


def test_there_are_only_so_many(own: SandboxProcess) -> None:
    kept = [own.keep() for _ in range(100)]
    with pytest.raises(ControlRefused, match=r"400: .*100 snapshots already"):
        own.keep()
    own.drop(kept[0])
    own.restore(own.keep())

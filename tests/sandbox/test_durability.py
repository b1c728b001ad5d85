"""A killed sandbox loses nothing that it confirmed, and continues after a restart."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.sandbox import steps
from tests.sandbox.conftest import sdk
from tests.sandbox_process import ROOT, SandboxProcess, free_port

DAY = 86_400


def test_everything_survives_a_kill(own: SandboxProcess) -> None:
    client = sdk(own)
    account = steps.freelancer(own, client)
    paid = steps.pay(client, 10_000)
    key: Any = {"idempotency_key": "once"}
    params: Any = {"amount": 8_500, "currency": "usd", "destination": account, "source_transaction": paid.latest_charge}
    sent = client.v1.transfers.create(params, key)
    own.advance(3600)
    before = (own.money(), own.now(), own.objects("event"))
    own.kill()
    own.restart()

    assert (own.money(), own.objects("event")) == (before[0], before[2])
    assert 0 <= own.now() - before[1] < 60
    assert sdk(own).v1.transfers.create(params, key).id == sent.id
    own.advance(2 * DAY)
    payout = sdk(own).v1.payouts.create({"amount": 8_500, "currency": "usd"}, {"stripe_account": account})
    own.kill()
    own.restart()
    own.advance(2 * DAY + 1)
    assert own.money()["bank_deposits"] == {account: {"usd": 8_500}}
    assert sdk(own).v1.payouts.retrieve(payout.id, {}, {"stripe_account": account}).status == "paid"


def test_a_kill_amid_requests_leaves_each_whole_or_undone(own: SandboxProcess) -> None:
    answered: list[str] = []

    def keep_paying(worker: int) -> None:
        client = sdk(own)
        for number in range(200):
            try:
                answered.append(steps.pay(client, 1_000, metadata={"n": f"{worker}-{number}"}).id)
            except stripe.APIConnectionError:
                return

    threads = [threading.Thread(target=keep_paying, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    while len(answered) < 30:
        assert any(thread.is_alive() for thread in threads)
    own.kill()
    for thread in threads:
        thread.join()
    own.restart()

    intents = {row["object"]["id"]: row["object"] for row in own.objects("payment_intent")}
    assert set(answered) <= set(intents)
    assert {intent["status"] for intent in intents.values()} == {"succeeded"}
    money = own.money()
    assert money["sums"] == {"usd": 0}
    assert len(money["charges"]) == len(intents)
    assert sum(card["usd"]["charged"] for card in money["cards"].values()) == 1_000 * len(intents)


def test_a_faulty_day_goes_on_after_a_restart(own: SandboxProcess) -> None:
    own.add_fault("rate_limit", path="/v1/balance", count=2)
    with pytest.raises(stripe.RateLimitError):
        sdk(own).v1.balance.retrieve()
    own.kill()
    own.restart()

    with pytest.raises(stripe.RateLimitError):
        sdk(own).v1.balance.retrieve()
    sdk(own).v1.balance.retrieve()


def test_a_taken_port_and_a_taken_folder_are_told_clearly(own: SandboxProcess) -> None:
    def start(port: int, folder: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandboxes.stripe", f"--port={port}", *folder.split()]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    port, folder = start(own.port, "--memory"), start(free_port(), f"--data={own.data}")
    assert (port.returncode, folder.returncode) == (1, 1)
    assert f"port {own.port}" in port.stderr
    assert "--port" in port.stderr
    assert "--data" in folder.stderr
    assert "Traceback" not in port.stderr + folder.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--port=99999", "--port"),
        ("--port=0", "--port"),
        ("--data=/proc/nowhere", "--data"),
        (f"--data={__file__}", "--data"),
        ("--data={folder}", "--data"),
        ("--memory --host=nowhere.invalid", "--host"),
        ("--memory --platform-country=XX", "--platform-country"),
        ("--memory --webhook-retries=soon", "--webhook-retries"),
        ("--memory --settle-after=-5", "--settle-after"),
        ("--memory --webhook=secret", "URL=SECRET"),
    ],
)
def test_what_cannot_be_started_is_told_in_a_line(tmp_path: Path, options: str, told: str) -> None:
    (tmp_path / "sandbox.sqlite").write_text("This is no database.")
    command = [sys.executable, "-m", "sandboxes.stripe", f"--port={free_port()}"]
    command += options.format(folder=tmp_path).split()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert ended.returncode in (1, 2)
    assert told in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_the_help_says_how_to_use_it() -> None:
    command = [sys.executable, "-m", "sandboxes.stripe", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout

    assert "stripe.StripeClient(" in told
    assert "/_sandbox/clock" in told


def test_the_ready_line_names_the_address() -> None:
    port = free_port()
    command = [sys.executable, "-m", "sandboxes.stripe", f"--port={port}", "--memory"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()

    assert f"ready on http://127.0.0.1:{port}" in line

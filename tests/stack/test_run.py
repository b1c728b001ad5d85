"""`make run` and `make demo`: the story, how it ends, and what can go wrong."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from stack import local, staff
from stack.caller import Caller
from tests.stack.conftest import ROOT, stack_command

PATIENCE_SECONDS = 180
PORTS = ("WEB_PORT", "SANDBOX_PORT", "PAYMOB_SANDBOX_PORT")


def free_ports() -> dict[str, str]:
    with ExitStack() as held:
        servers = {name: held.enter_context(socket.create_server(("127.0.0.1", 0))) for name in PORTS}
        return {name: str(server.getsockname()[1]) for name, server in servers.items()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One data folder for all stories here; each must cope with the data of the ones before."""
    folder = str(tmp_path_factory.mktemp("stack") / "data")
    yield folder
    stack_command("postgres", "remove", MULTITASK_DATA=folder)


@pytest.fixture
def settings(data: str) -> dict[str, str]:
    """Return the settings of a stack for one test."""
    return {"MULTITASK_DATA": data, **free_ports()}


def _heed_interrupts() -> None:
    """Restore the default handling of SIGINT, which shells ignore in background processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Running:
    """`python -m stack run` in its own session; its output is read line by line."""

    def __init__(self, settings: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self.settings = settings
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stack", "run"],
            cwd=ROOT,
            env={**inherited, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - no thread runs here.
        )
        self.said: list[str] = []

    def read_until(self, words: str) -> None:
        """Read the output up to a line that contains these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if words in line:
                return
        raise AssertionError(f"it ended without saying {words!r}:\n{''.join(self.said)}")

    def end(self) -> int:
        """Wait until it has ended; return the exit status."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.readlines()
        return self.process.wait(PATIENCE_SECONDS)

    @property
    def output(self) -> str:
        return "".join(self.said)


@contextmanager
def running(settings: dict[str, str]) -> Iterator[Running]:
    started = Running(settings)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.communicate()


def programs_of(settings: dict[str, str]) -> dict[int, str]:
    """Return all running processes that this stack has started, found by their command lines."""
    mark = f"MULTITASK_DATA={settings['MULTITASK_DATA']}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # It has ended, or belongs to another user.
    return found


def await_none(settings: dict[str, str]) -> None:
    deadline = time.monotonic() + 30
    while left := programs_of(settings):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.1)


def server_is_up(settings: dict[str, str]) -> bool:
    return stack_command("postgres", "url", **settings).returncode == 0


def test_a_program_that_dies_is_named_and_takes_the_rest_down(settings: dict[str, str]) -> None:
    with running(settings) as stack:
        stack.read_until(" 1. ")
        for process, command in programs_of(settings).items():
            if "manage.py worker" in command:
                os.kill(process, signal.SIGKILL)
        assert stack.end() == 1
    assert re.search(r"error: step \d+, .* failed: worker was ended by SIGKILL", stack.output), stack.output
    assert "worker.log" in stack.output
    await_none(settings)


def test_when_the_stack_itself_is_killed_its_programs_end_too(settings: dict[str, str]) -> None:
    with running(settings) as stack:
        stack.read_until(" 1. ")
        stack.process.kill()
        stack.end()
    await_none(settings)


def test_the_story_is_told_with_equal_books_and_again_after_what_is_done_by_hand(settings: dict[str, str]) -> None:
    with running(settings) as stack:
        stack.read_until("Ctrl-C stops it")
        assert_told(stack.output)
        assert_books_are_equal(stack.output)
        address = f"http://127.0.0.1:{settings['WEB_PORT']}/readyz"
        assert urllib.request.urlopen(address, timeout=10).status == 200
        assert_no_secret_in_command_lines(settings)
        for role in ("client", "freelancer"):
            assert_can_sign_in(settings, stack.output, f"{role.title()} login", rf"{role}-\w+")
            assert_can_sign_in(settings, stack.output, f"{role.title()} in Egypt login", rf"egypt-{role}-\w+")
        paymob = f"http://127.0.0.1:{settings['PAYMOB_SANDBOX_PORT']}/_sandbox/money"
        assert re.search(rf"Offline Paymob +{paymob}\n", stack.output)
        assert send(paymob)[1]["currency"] == "EGP"
        name, password = re.findall(r"Staff login +(staff-\w+) +password (\S+)", stack.output)[0]
        assert sign_in(settings, name, password) == (401, "otp_required", "")
        shown = stack_command("code", **settings)
        assert shown.returncode == 0, shown.stderr
        [code] = re.findall(rf"^(\d{{6}})  {name}, for \d+ seconds$", shown.stdout.strip())
        assert sign_in(settings, name, password, otp=code) == (200, "", "admin")
        assert_a_code_is_left_where_a_half_minute_ends(settings)
        assert re.search(r"Staff code +make code +\(or this key in an authenticator app: [A-Z2-7]{32}\)", stack.output)

        kinds = re.findall(r"Kinds of emails +(http://\S+/dev/emails/)\n", stack.output)
        assert urllib.request.urlopen(kinds[0], timeout=10).status == 200
        [emails] = re.findall(r"Emails +(\S+)/\n", stack.output)
        assert any((ROOT / emails).iterdir())

        second = stack_command("demo", **{**settings, **free_ports()})
        assert second.returncode == 1
        assert f"running already (process {stack.process.pid})" in second.stderr

        do_by_hand(settings)
        stack.process.send_signal(signal.SIGINT)
        assert stack.end() == 0
    assert_nothing_is_left(settings)

    told = stack_command("demo", **settings)
    assert told.returncode == 0, told.stdout + told.stderr
    assert_told(told.stdout)
    # The chargeback of before has been booked, with its fee.
    assert "Before this story ledger and provider are" not in told.stdout
    assert_books_are_equal(told.stdout)
    assert_nothing_is_left(settings)
    assert_secrets_kept(settings, stack.output + told.stdout + told.stderr)


def assert_told(output: str) -> None:
    assert steps(output) == [str(number) for steps_of_one in (17, 20) for number in range(1, steps_of_one + 1)]
    assert "the freelancer's bank: 85.00 USD" in output
    assert "the platform's fees of this task: 15.00 USD" in output
    assert "the freelancer's mobile wallet: 850.00 EGP" in output
    assert "the platform's fees of this task: 150.00 EGP" in output
    assert re.search(r"payout budget: ([1-9]\d*) in the ledger, \1 at the provider", output)
    assert "\033[" not in output, "no colours where there is no terminal"


def assert_books_are_equal(output: str) -> None:
    assert "15.00 USD platform fees, books equal." in output
    assert "150.00 EGP platform fees, books equal." in output


def assert_can_sign_in(settings: dict[str, str], output: str, label: str, name: str) -> None:
    [(username, password)] = re.findall(rf"^  {label} +({name}) +password (\S+)$", output, re.MULTILINE)
    assert sign_in(settings, username, password) == (200, "", "")


def assert_a_code_is_left_where_a_half_minute_ends(settings: dict[str, str]) -> None:
    """Register with a clock whose first code is too old when it arrives: a later one confirms, and none is used up."""
    late = iter([time.time() - 2 * staff.STEP_SECONDS])
    login = staff.register(
        Caller(f"http://127.0.0.1:{settings['WEB_PORT']}"),
        f"late-{secrets.token_hex(4)}",
        clock=lambda: next(late, time.time()),
    )
    assert next(late, None) is None
    now = staff.code(login.key, time.time())
    assert sign_in(settings, login.username, login.password, otp=now) == (200, "", "")


def assert_nothing_is_left(settings: dict[str, str]) -> None:
    await_none(settings)
    assert not server_is_up(settings)


def sign_in(settings: dict[str, str], name: str, password: str, **otp: str) -> tuple[int, str, str]:
    """Sign in through the API; return the status, the error code and the staff role."""
    address = f"http://127.0.0.1:{settings['WEB_PORT']}/api/auth/login/"
    status, told = send(address, {"username": name, "password": password, **otp})
    return status, told.get("code", ""), told.get("user", {}).get("staff_role", "")


def steps(output: str) -> list[str]:
    return re.findall(r"^ ?(\d+)\. ", output, re.MULTILINE)


def assert_secrets_kept(settings: dict[str, str], printed: str) -> None:
    path = Path(settings["MULTITASK_DATA"]) / "secrets.json"
    assert [found.stat().st_mode & 0o777 for found in (path, path.with_name("staff.json"))] == [0o600, 0o600]
    kept = json.loads(path.read_text())
    assert len(kept) == 11
    public = {"STRIPE_PUBLISHABLE_KEY", "PAYMOB_PUBLIC_KEY"}
    assert [name for name, secret in kept.items() if secret in printed and name not in public] == []


def do_by_hand(settings: dict[str, str]) -> None:
    """Guess passwords until they are throttled, and open a chargeback for a part of a charge.

    A story leaves 11.80 at the provider. The chargeback takes 5.00 and a fee of 15.00, so that with the 96.80 of the
    next payment there is enough for its transfer of 85.00.
    """
    web, sandbox = (f"http://127.0.0.1:{settings[name]}" for name in ("WEB_PORT", "SANDBOX_PORT"))
    guess = {"username": "nobody", "password": "guess"}
    assert [send(f"{web}/api/auth/login/", guess)[0] for _ in range(61)][-1] == 429
    charge = send(f"{sandbox}/_sandbox/objects/charge")[1]["data"][0]["object"]["id"]
    assert send(f"{sandbox}/_sandbox/disputes", {"charge": charge, "reason": "fraudulent", "amount": 500})[0] == 200
    assert send(f"{sandbox}/_sandbox/webhooks/drain", {})[1]["drained"]


def send(url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Call a running stack; return the status and the response."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def assert_no_secret_in_command_lines(settings: dict[str, str]) -> None:
    kept = json.loads((Path(settings["MULTITASK_DATA"]) / "secrets.json").read_text())
    commands = list(programs_of(settings).values())
    for sandbox in ("sandboxes.stripe", "sandboxes.paymob"):
        assert any(sandbox in command for command in commands)
    assert [command for command in commands if any(secret in command for secret in kept.values())] == []


@pytest.mark.parametrize("setting", PORTS)
def test_a_taken_port_is_named_with_its_setting(settings: dict[str, str], setting: str) -> None:
    with socket.create_server(("127.0.0.1", int(settings[setting]))):
        refused = stack_command("demo", **settings)

    assert refused.returncode == 1
    assert refused.stderr.strip().startswith(f"error: port {settings[setting]} is taken: set {setting} to a free one")
    assert "Traceback" not in refused.stderr


def test_two_programs_on_one_port_are_named(settings: dict[str, str]) -> None:
    refused = stack_command("demo", **{**settings, "PAYMOB_SANDBOX_PORT": settings["SANDBOX_PORT"]})

    assert refused.returncode == 1
    assert "SANDBOX_PORT and PAYMOB_SANDBOX_PORT are both" in refused.stderr


def test_secrets_of_an_earlier_release_get_what_they_lack(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"SECRET_KEY": "kept", "STRIPE_SECRET_KEY": "sk_test_kept"}))
    path.chmod(0o600)

    found = local.keys(tmp_path)

    assert (found["SECRET_KEY"], found["STRIPE_SECRET_KEY"]) == ("kept", "sk_test_kept")
    assert found["PAYMOB_HMAC_SECRET"]
    assert local.keys(tmp_path) == found == json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", [("demo",), ("postgres", "start")], ids=" ".join)
@pytest.mark.parametrize("place", ["a file", "below a file", "/proc/nope", "/proc"])
def test_a_data_folder_that_cannot_be_one_is_named_with_its_setting(
    tmp_path: Path, place: str, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    named = {"a file": str(tmp_path / "file"), "below a file": str(tmp_path / "file" / "data")}.get(place, place)
    refused = stack_command(*command, MULTITASK_DATA=named, **free_ports())

    assert refused.returncode == 1
    [line] = refused.stderr.strip().splitlines()
    assert re.fullmatch(rf"error: cannot \w+( into)? {named}\S* \(.+\): set MULTITASK_DATA to a folder of yours", line)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ada:hidden@127.0.0.1:{port}/books", "at 127.0.0.1:{port} that cannot be used: .*refused"),
        ("postgresql://ada:hidden@nowhere.invalid:{port}/books", "at nowhere.invalid:{port} that cannot be used"),
        ("postgresql://ada:hidden@127.0.0.1:http/books", "at 127.0.0.1:http that cannot be used"),
        ("postgresql://ada:an@hidden@127.0.0.1/books", "is no address like"),
        ("postgresql:/ada:hidden", "is no address like"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    settings: dict[str, str], url: str, said: str
) -> None:
    port = free_ports()["WEB_PORT"]
    refused = stack_command("demo", **settings, DATABASE_URL=url.format(port=port))

    assert refused.returncode == 1
    [line] = refused.stderr.strip().splitlines()
    assert re.match(rf"error: DATABASE_URL .*{said.format(port=port)}", line), line
    assert "hidden" not in refused.stdout + refused.stderr

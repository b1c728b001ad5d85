"""An offline provider as a process of its own, for tests: start, stop, kill, restart, and its control API."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[1]
START_SECONDS = 90.0
Doc = dict[str, Any]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ControlRefused(Exception):
    """The control API returned an error."""


class SandboxProcess:
    """A sandbox in a subprocess. As a context manager it starts with the given options and stops at the end."""

    module = "sandboxes.stripe"

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._own_folder: str | None = None
        self.port = 0
        self.data: Path | None = None
        self.base_url = ""

    def __enter__(self) -> Self:
        self.start(**self._options)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def start(
        self,
        port: int | None = None,
        data: Path | str | None = None,
        *,
        settle_after: float | None = None,
        payout_after: float | None = None,
        seed: int | None = None,
        webhooks: dict[str, str] | None = None,
        connect_webhooks: dict[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> str:
        """Start and wait until it answers; return its address. `webhooks`: {url: secret}. Times are in seconds."""
        self.port = port or self.port or free_port()
        self.data = Path(data) if data else self.data or self._make_folder()
        options = {"settle-after": settle_after, "payout-after": payout_after, "seed": seed}
        extra = [f"--{name}={value}" for name, value in options.items() if value is not None]
        extra += [f"--webhook={url}={secret}" for url, secret in (webhooks or {}).items()]
        extra += [f"--connect-webhook={url}={secret}" for url, secret in (connect_webhooks or {}).items()]
        self._command = [
            sys.executable, "-m", self.module, f"--port={self.port}", f"--data={self.data}", *extra, *arguments,
        ]  # fmt: skip
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._launch()
        return self.base_url

    def _make_folder(self) -> Path:
        self._own_folder = tempfile.mkdtemp(prefix="sandbox-")
        return Path(self._own_folder)

    def _launch(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                said = self._process.stdout.read() if self._process.stdout else ""
                raise RuntimeError(f"the sandbox ended with {self._process.returncode}: {said}")
            with contextlib.suppress(OSError):
                self.health()
                return
            time.sleep(0.02)
        raise RuntimeError("the sandbox did not answer in time")

    def stop(self) -> None:
        """Stop the process, and remove the data folder if it was created here."""
        self._end(signal.SIGTERM)
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self._own_folder, self.data = None, None

    def kill(self) -> None:
        """Kill the process, as a crash does; the data folder stays."""
        self._end(signal.SIGKILL)

    def restart(self) -> str:
        """Start again on the same port and data; a running process is stopped first."""
        if self._process is not None:
            self._end(signal.SIGTERM)
        self._launch()
        return self.base_url

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        if process.stdout:
            process.stdout.close()

    def control(self, method: str, path: str, body: Doc | None = None, **query: str | None) -> Any:
        """Call the control API below `/_sandbox/`. Raises ControlRefused, or OSError when nobody answers."""
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        url = f"{self.base_url}/_sandbox/{path}?{asked}"
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise ControlRefused(f"{error.code}: {error.read().decode()}") from error

    def health(self) -> Doc:
        """Return whether it runs, and the platform's account id."""
        return dict(self.control("GET", "health"))

    def reset(self) -> None:
        """Delete all state: no objects, no faults, the clock at real time."""
        self.control("POST", "reset")

    def now(self) -> int:
        """Return the virtual moment in seconds."""
        return int(self.control("GET", "clock")["now"])

    def advance(self, seconds: float, *, wait: bool = True) -> Doc:
        """Move the virtual clock; timers that fall due run, and their webhooks are sent."""
        return dict(self.control("POST", "clock", {"seconds": seconds, "wait": wait}))

    def settle(self, account: str | None = None) -> int:
        """Make pending funds available now; return the number of movements."""
        return int(self.control("POST", "settle", {"account": account})["settled"])

    def add_fault(self, kind: str, **rule: Any) -> Doc:
        """Add a fault rule: method, path, event_type, endpoint, probability, count, skip, seconds, seed."""
        return dict(self.control("POST", "faults", {"kind": kind, **rule})["rules"][0])

    def faults(self) -> list[Doc]:
        """Return the fault rules with their counts."""
        return list(self.control("GET", "faults")["rules"])

    def clear_faults(self) -> None:
        """Remove all fault rules."""
        self.control("DELETE", "faults")

    def money(self) -> Doc:
        """Return the sandbox's record: accounts, cards, bank_deposits, top_ups, stripe, charges, sums."""
        return dict(self.control("GET", "money"))

    def journal(self, object_id: str | None = None) -> list[Doc]:
        """Return the journal's entries."""
        return list(self.control("GET", "money/journal", object=object_id)["entries"])

    def objects(self, kind: str) -> list[Doc]:
        """Return every object of a kind with the account it belongs to: [{account, object}]."""
        return list(self.control("GET", f"objects/{kind}")["data"])

    def deliveries(self, event: str | None = None) -> list[Doc]:
        """Return the webhook deliveries."""
        return list(self.control("GET", "webhooks", event=event)["deliveries"])

    def drain(self, seconds: float = 30) -> bool:
        """Wait until every webhook that is due has been sent."""
        return bool(self.control("POST", "webhooks/drain", {"seconds": seconds})["drained"])

    def resend(self, event: str | None = None) -> int:
        """Send an event again, or every delivery that was lost or failed."""
        path = f"events/{event}/resend" if event else "webhooks/resend"
        return int(self.control("POST", path)["resent"])

    def onboard(self, link: str, **fields: str) -> str:
        """Fill in the onboarding page behind an account link; return where it redirects to."""
        form = {
            "individual.first_name": "Jenny", "individual.last_name": "Rosen",
            "individual.email": "jenny@example.com", "individual.phone": "+15555550100",
            "individual.dob.day": "1", "individual.dob.month": "1", "individual.dob.year": "1990",
            "individual.address.line1": "1 Test Street", "individual.address.city": "Testville",
            "individual.address.state": "CA", "individual.address.postal_code": "94107",
            "individual.ssn_last_4": "0000", "account_number": "000123456789", "routing_number": "110000000",
            "account_holder_name": "Jenny Rosen",
            **fields,
        }  # fmt: skip
        opener = urllib.request.build_opener(_NoRedirect())
        try:
            with opener.open(link, urllib.parse.urlencode(form).encode(), timeout=60) as reply:
                raise ControlRefused(f"the form was not accepted: {reply.read().decode()}")
        except urllib.error.HTTPError as error:
            if error.code in (302, 303):
                return str(error.headers["Location"])
            raise ControlRefused(f"{error.code}: {error.read().decode()}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None

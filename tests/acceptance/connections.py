"""Raw connections to the web server, for requests that no correct client sends."""

import contextlib
import hashlib
import hmac
import json
import re
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.system import WEBHOOK_SECRET, System, eventually

LOGIN = "/api/auth/login/"
WEBHOOK = "/payments/webhooks/stripe/"


def head(method: str, path: str, headers: Mapping[str, object] | None = None) -> bytes:
    """The first part of a request, up to the empty line."""
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", "X-Forwarded-For": "192.0.2.1"}
    lines |= {name: str(value) for name, value in (headers or {}).items()}
    spoken = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    return ("\r\n".join(spoken) + "\r\n\r\n").encode()


def connect(system: System, *, receive_buffer: int = 0) -> socket.socket:
    """Open a connection; a small `receive_buffer` keeps the operating system from reading ahead for us."""
    made = socket.socket()
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(60)
    made.connect(("127.0.0.1", system.port))
    return made


def established(system: System) -> set[int]:
    """The ports at the other ends of the connections that the web server has open, from the system's table."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    own = f":{system.port:04X}"
    return {int(row[2].rpartition(":")[2], 16) for row in rows if row[1].endswith(own) and row[3] == "01"}


def half_sent(system: System, path: str) -> socket.socket:
    """A connection that has sent one byte of a body of 500."""
    made = connect(system)
    made.sendall(head("POST", path, {"Content-Length": 500}) + b"{")
    return made


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer whole: status, headers by lower-case name, body."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, file.read(int(headers.get("content-length", "0")))


def exchange(system: System, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send these bytes by a connection of their own and read the answer."""
    with contextlib.closing(connect(system)) as connection:
        connection.sendall(sent)
        return answer(connection)


def deliver_event(system: System) -> int:
    """Post a signed event that concerns nobody, as the provider would; return the status of the answer."""
    event = {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "type": "customer.created",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": {"id": "cus_of_nobody", "object": "customer"}},
    }
    body, stamp = json.dumps(event).encode(), str(int(time.time()))
    digest = hmac.new(WEBHOOK_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"Content-Length": len(body), "Stripe-Signature": f"t={stamp},v1={digest}"}
    return exchange(system, head("POST", WEBHOOK, headers) + body)[0]


def gauge(system: System, name: str, **labels: str) -> float:
    """One figure of /metrics; 0 where there is none yet."""
    shown: Any = system.call("GET", "/metrics").body
    spoken = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
    found = re.search(rf"^{re.escape(name + spoken)} (\S+)$", shown, re.MULTILINE)
    return float(found[1]) if found else 0.0


def until_idle(system: System) -> None:
    """Wait until no request has a thread, waits for one or is half read, but the one that asks."""
    names = ("running", "waiting")
    lanes = ("webhooks", "provider", "ordinary")
    eventually(
        lambda: (
            not any(gauge(system, f"multitask_web_requests_{name}", lane=lane) for name in names for lane in lanes)
            and not gauge(system, "multitask_web_bodies_unfinished")
        ),
        "the web server to have nothing to do",
    )

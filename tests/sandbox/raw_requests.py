"""Raw HTTP requests, for what the SDK does not allow."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode

from tests.sandbox_process import SandboxProcess


@dataclass(frozen=True)
class Reply:
    """The answer to a request."""

    status: int
    headers: Message
    body: Any

    @property
    def error(self) -> dict[str, Any]:
        """The error of the body."""
        return dict(self.body["error"])


def send(
    sandbox: SandboxProcess,
    method: str,
    path: str,
    form: dict[str, str] | str | None = None,
    *,
    key: str | None = "sk_test_sandbox",
    **headers: str,
) -> Reply:
    """Send one request; header names take underscores for dashes."""
    import json

    text = form if isinstance(form, str) else urlencode(form or {})
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent.setdefault("Authorization", f"Bearer {key}")
    data = text.encode() if method == "POST" else None
    url = f"{sandbox.base_url}{path}" + (f"?{text}" if text and method != "POST" else "")
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return Reply(reply.status, reply.headers, json.load(reply))
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.headers, json.load(error))

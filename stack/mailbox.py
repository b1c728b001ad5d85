"""The emails of a local run, which are files in the data folder; the stories read theirs as their recipients do."""

import re
import time
from collections.abc import Callable, Iterator
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

from stack.errors import StackError

WAIT_SECONDS = 60
PAUSE_SECONDS = 0.3
# Django's line between the messages of a file.
BETWEEN = f"\n{'-' * 79}\n"


def await_link(folder: Path, address: str, beginning: str, *, since: float, check: Callable[[], None]) -> str:
    """Return the path of a link that begins so, from an email to this address that was written after `since`.

    Raises StackError at the timeout.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        for message in _messages(folder, address, since):
            body = message.get_body(("plain",))
            found = re.search(
                rf"https?://[^/\s]+({re.escape(beginning)}\S+)", "" if body is None else body.get_content()
            )
            if found:
                return found[1]
        check()
        if time.monotonic() > deadline:
            raise StackError(f"no email to {address} with a link to {beginning} in {WAIT_SECONDS} s: see {folder}")
        time.sleep(PAUSE_SECONDS)


def _messages(folder: Path, address: str, since: float) -> Iterator[EmailMessage]:
    for path in folder.glob("*") if folder.is_dir() else ():
        if path.stat().st_mtime < since:
            continue
        for text in path.read_text().split(BETWEEN):
            message = message_from_string(text.lstrip("\n"), policy=policy.default)
            if address in str(message.get("To", "")):
                yield message

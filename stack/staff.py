"""The staff login of a local run, with a second factor that is enabled through the pages, as a person does it.

Its key is kept in the data folder, readable only by its owner, so that `python -m stack code` can show a code like
an authenticator app would.
"""

import base64
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack import console
from stack.caller import Caller
from stack.errors import StackError

STEP_SECONDS = 30
CONFIRMATIONS = 3
FILE = "staff.json"


@dataclass(frozen=True, slots=True)
class Login:
    """A staff login, with the key of its second factor in the format of authenticator apps."""

    username: str
    password: str
    key: str


def register(pages: Caller, username: str, clock: Callable[[], float] = time.time) -> Login:
    """Register a user who will become staff, and enable the second factor.

    The current code of the second factor stays unused. Raises StackError naming the page that had an unexpected
    response.
    """
    password = secrets.token_urlsafe(12)
    account = {"username": username, "email": f"{username}@example.com", "password": password, "roles": "is_client"}
    # Registering signs in. Signing in could be throttled, since all visitors have the same IP address here.
    pages.submit("/register/", account)
    pages.submit("/security/", {"current": password}, to="/security/begin/")
    shown = re.search(r'<p class="mono" dir="ltr">([a-z2-7 ]+)</p>', pages.page("/security/"))
    if shown is None:
        raise StackError("the page /security/ shows no key for an authenticator app")
    login = Login(username, password, shown[1].replace(" ", "").upper())
    _confirm(pages, login.key, clock)
    return login


def _confirm(pages: Caller, key: str, clock: Callable[[], float]) -> None:
    # Each code is accepted once, so the previous one is sent, and the current one is left for signing in. The previous
    # one is refused if a half minute ended on the way; then there is a new previous one.
    for _ in range(CONFIRMATIONS):
        page = pages.submit(
            "/security/", {"otp": code(key, clock() - STEP_SECONDS)}, to="/security/confirm/", expect=(200, 422)
        )
        if "recovery" in page:
            return
    raise StackError("the page /security/confirm/ refused the codes of the second factor")


def keep(login: Login, data: Path) -> None:
    """Save the login for `python -m stack code`."""
    path = data / FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"username": login.username, "key": login.key}, file)


def show_code(data: Path) -> int:
    """Print the current code of the newest staff login. Raises StackError if there is none."""
    try:
        kept = json.loads((data / FILE).read_text())
    except FileNotFoundError:
        raise StackError("there is no staff login yet: `make run` makes one") from None
    now = time.time()
    console.say(f"{code(kept['key'], now)}  {kept['username']}, for {STEP_SECONDS - int(now) % STEP_SECONDS} seconds")
    return 0


def code(key: str, at: float) -> str:
    """The six digits that an authenticator app with this key shows at a time."""
    # Here, since the embedded server is started without our packages too.
    from django_otp.oath import TOTP

    clock = TOTP(base64.b32decode(key + "=" * (-len(key) % 8)))
    clock.time = at
    return f"{clock.token():06d}"

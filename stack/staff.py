"""The staff login of a local run: its second factor, switched on through the pages as a person does it.

Its key is kept in the data folder, readable by its owner alone, so that `python -m stack code` can show a code as
an authenticator app would.
"""

import base64
import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from stack import console
from stack.caller import Caller, Form
from stack.errors import StackError

STEP_SECONDS = 30
FILE = "staff.json"


@dataclass(frozen=True, slots=True)
class Login:
    """A staff login, with the key of its second factor as an authenticator app takes it."""

    username: str
    password: str
    key: str


def register(pages: Caller, username: str) -> Login:
    """Register somebody, to be one of the staff, and switch the second factor on.

    Errors: StackError naming the page that answered otherwise.
    """
    password = secrets.token_urlsafe(12)
    account = {"username": username, "email": f"{username}@example.com", "password": password, "roles": "is_client"}
    # Registering signs in. A sign-in would be refused after many failed ones, as everybody has one address here.
    _send(pages, "/register/", "/register/", account)
    _send(pages, "/security/", "/security/begin/", {"current": password})
    shown = re.search(r'<p class="mono" dir="ltr">([a-z2-7 ]+)</p>', pages.page("/security/"))
    if shown is None:
        raise StackError("the page /security/ shows no key for an authenticator app")
    login = Login(username, password, shown[1].replace(" ", "").upper())
    # A code works once. The last half minute's works as well, and leaves the present one to whoever signs in now.
    began = time.time()
    page = _send(
        pages, "/security/", "/security/confirm/", {"otp": code(login.key, began - STEP_SECONDS)}, expect=(200, 422)
    )
    if "recovery" not in page:
        _send(pages, "/security/", "/security/confirm/", {"otp": code(login.key, time.time())}, expect=(200,))
    return login


def keep(login: Login, data: Path) -> None:
    """Keep the login for `python -m stack code`."""
    path = data / FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"username": login.username, "key": login.key}, file)


def show_code(data: Path) -> int:
    """Print the present code of the newest staff login. Errors: StackError while there is none."""
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


def _send(pages: Caller, shown: str, path: str, fields: dict[str, str], *, expect: tuple[int, ...] = (302,)) -> str:
    """Fill in the form of the page `shown` and send it to `path`; answer where it leads or what it says."""
    token = Form(pages.page(shown)).fields["csrfmiddlewaretoken"]
    status, answer = pages.form(path, {"csrfmiddlewaretoken": token, **fields})
    if status not in expect:
        raise StackError(f"POST {path} answered {status}: {answer[:500]}")
    return answer

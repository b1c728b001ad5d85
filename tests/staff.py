"""Staff in tests: a second factor of their own, and sessions that it has proved.

Two codes within the same half minute are one code, which counts once: `code` gives one that works now.
"""

import secrets
import time
from datetime import datetime
from typing import TYPE_CHECKING

from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.users.models import User
from multitask.web import step_up

if TYPE_CHECKING:
    from tests.acceptance.story import Person
    from tests.acceptance.system import System


def enrol(user: User) -> int:
    """Give somebody a confirmed second factor; answer its id."""
    device = TOTPDevice.objects.filter(user=user, confirmed=True).first()
    return int((device or TOTPDevice.objects.create(user=user, name="phone", confirmed=True)).pk)


def code(user_id: int) -> str:
    """A code that works now, as if half a minute had gone by since the last one."""
    TOTPDevice.objects.filter(user_id=user_id).update(last_t=-1)
    device = TOTPDevice.objects.get(user_id=user_id)
    return totp(device.bin_key, time.time())


def totp(key: bytes, at: float) -> str:
    """The code that an app with this key shows at a time."""
    clock = TOTP(key)
    clock.time = at
    return f"{clock.token():06d}"


def prove(browser: Client, user: User, at: datetime | None = None) -> None:
    """Make the browser's session one that the second factor has proved, now or at a time."""
    device_id, session = enrol(user), browser.session
    session[step_up.PROVED_AT] = int((at or timezone.now()).timestamp())
    session[step_up.PROVED_BY] = device_id
    session.save()


# -- in a system of processes, whose database is asked by SQL


def hire(system: "System", name: str, role: str) -> None:
    """Give somebody a role among the staff, as the first of them gets it, and a second factor."""
    system.query(
        "UPDATE users_user SET staff_role = %s, is_staff = true, is_superuser = %s WHERE username = %s",
        *(role, role == "admin", name),
    )
    system.query(
        "INSERT INTO otp_totp_totpdevice (user_id, name, confirmed, key, step, t0, digits, tolerance, drift, last_t,"
        " throttling_failure_count, created_at)"
        " SELECT id, 'phone', true, %s, 30, 0, 6, 1, 0, -1, 0, now() FROM users_user WHERE username = %s",
        *(secrets.token_hex(20), name),
    )


def app_shows(system: "System", name: str) -> str:
    """The code of somebody's app, or an empty text without one; it works now, even right after another one."""
    found = system.query(
        "UPDATE otp_totp_totpdevice SET last_t = -1"
        " WHERE confirmed AND user_id = (SELECT id FROM users_user WHERE username = %s) RETURNING key",
        name,
    )
    return totp(bytes.fromhex(found[0][0]), time.time()) if found else ""


def prove_token(system: "System", person: "Person") -> None:
    """Exchange the token of a person of the API for one that says that the second factor was proved just now."""
    answer = person.ask("POST", "/api/auth/second-factor/", {"otp": app_shows(system, person.name)})
    assert answer.status == 200, answer
    person.token = answer.body["access"]

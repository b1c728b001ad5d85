"""A second factor: codes from an app (TOTP), and recovery codes for a lost phone.

The library stores the secrets and computes the codes; this module counts attempts, accepts each
code once and passes `now`, like other commands.
"""

import base64
import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

import segno
import structlog
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.database import transactional
from multitask.users import account_emails, accounts, credentials, throttle
from multitask.users.actor import Actor, Assurance
from multitask.users.errors import UserError
from multitask.users.models import User
from multitask.users.powers import ProofNeeded

# How long a proof counts as fresh: before a withdrawal, before a change of bank details.
FRESH: Final = timedelta(minutes=5)
# How long a secret waits for its first code.
WAITS: Final = timedelta(minutes=15)
RECOVERY_CODES: Final = 10
# Three of a million codes count at any moment: unknown visitors together have ten tries, whatever their number.
_LIMITS: Final = throttle.Limits(same_account_same_address=5, same_account=10, when_under_attack=0)
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # Without characters that look alike.
_GROUPS, _GROUP = 4, 4

log = structlog.get_logger(__name__)


class CodeRequired(UserError):
    """The password alone is not enough for this account."""

    code = "otp_required"
    message = "This account has a second factor: send its code as well."


class CodeRefused(UserError):
    """The code is wrong, too old, or was used before."""

    code = "otp_invalid"
    message = "This code is not right, or was used already. Wait for the next one."


class AlreadyOn(UserError):
    """There is a second factor."""

    code = "second_factor_on"
    message = "Two-step sign-in is on already."


class NotOn(UserError):
    """There is no second factor, or no secret that waits to be confirmed."""

    code = "second_factor_off"
    message = "Two-step sign-in is off."


def is_on(user_id: int) -> bool:
    """Return whether a user has a second factor."""
    return device_id(user_id) is not None


def device_id(user_id: int) -> int | None:
    """Return the id of a user's second factor, or None; setting it up again gives a new id."""
    found: int | None = TOTPDevice.objects.filter(user_id=user_id, confirmed=True).values_list("pk", flat=True).first()
    return found


def is_fresh(proved_at: datetime | None, now: datetime) -> bool:
    """Return whether a proof counts as fresh."""
    return proved_at is not None and now - FRESH <= proved_at <= now


def staff_proof(*, user_id: int, proved_by: int | None, proved_at: datetime | None, now: datetime) -> Assurance:
    """Return the assurance of a staff session: `proved_by` is the device that proved it, and `proved_at` when.

    A session that was proved by a second factor that has been removed since is not proved.
    """
    if proved_by is None or proved_by != device_id(user_id):
        return Assurance.NONE
    return Assurance.FRESH if is_fresh(proved_at, now) else Assurance.SESSION


def require_fresh(*, user_id: int, proved_at: datetime | None, now: datetime) -> None:
    """Require a fresh proof from users with a second factor. Raises ProofNeeded."""
    if not is_fresh(proved_at, now) and is_on(user_id):
        raise ProofNeeded


def waiting(user_id: int, now: datetime) -> Any | None:
    """The secret that waits to be confirmed, if there is one: `config_url` for an app, `bin_key` for a person."""
    return TOTPDevice.objects.filter(user_id=user_id, confirmed=False, created_at__gt=now - WAITS).first()


def picture(device: Any) -> str:
    """Draw a secret for a phone's camera: an SVG as a data address, dark on white whatever the theme."""
    drawn: str = segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=3, light="white")
    return drawn


def begin(*, actor: Actor, now: datetime, password: str) -> None:
    """Make a secret that waits a quarter of an hour to be confirmed.

    Raises AlreadyOn, WrongPassword or TooManyAttempts.
    """
    user = credentials.require_password(actor=actor, now=now, password=password)
    _make_secret(user, now)


def cancel(*, actor: Actor, now: datetime) -> None:
    """Forget a secret that was never confirmed."""
    TOTPDevice.objects.filter(user_id=actor.user_id, confirmed=False).delete()


def confirm(*, actor: Actor, now: datetime, code: str) -> list[str]:
    """Enable it by a first code; return the recovery codes, which are never shown again.

    Raises AlreadyOn, NotOn, CodeRefused or TooManyAttempts.
    """
    user_id = accounts.present(actor).pk
    attempt_id = _count(user_id, actor, now)
    codes = _confirm(user_id, code, now)
    throttle.succeeded(attempt_id)
    return codes


def prove(*, user_id: int, actor: Actor, now: datetime, code: str) -> None:
    """Check a code from the app or a recovery code; each works once.

    `actor` is the user, or the visitor who is signing in. Raises NotOn, CodeRefused or TooManyAttempts.
    """
    attempt_id = _count(user_id, actor, now)
    if not _take(user_id, code, now):
        raise CodeRefused(fields={"otp": CodeRefused.message})
    throttle.succeeded(attempt_id)


def renew_codes(*, actor: Actor, now: datetime, code: str) -> list[str]:
    """Make new recovery codes, which end the earlier ones. Raises as `prove` does."""
    user_id = accounts.present(actor).pk
    prove(user_id=user_id, actor=actor, now=now, code=code)
    return _new_codes(user_id)


def codes_left(user_id: int) -> int:
    """Return the number of unused recovery codes."""
    return int(StaticToken.objects.filter(device__user_id=user_id).count())


def switch_off(*, actor: Actor, now: datetime, code: str) -> None:
    """Disable the second factor. Raises as `prove` does."""
    user_id = accounts.present(actor).pk
    prove(user_id=user_id, actor=actor, now=now, code=code)
    _remove(user_id)


def remove(*, actor: Actor, now: datetime, user_id: int) -> None:
    """Remove the second factor of a user who lost it, after staff has verified the user's identity.

    Raises NotAllowed, ProofNeeded, UnknownUser or NotOn.
    """
    accounts.require_management(actor, user_id)
    _remove(user_id)
    log.info("second_factor_removed", user_id=user_id, by=actor.user_id)


def _count(user_id: int, actor: Actor, now: datetime) -> int:
    return throttle.begin(identifier=str(user_id), ip=actor.ip, now=now, limits=_LIMITS, purpose="second factor")


@transactional
def _make_secret(proved: User, now: datetime) -> None:
    user = accounts.locked(proved.pk)
    if user.get_session_auth_hash() != proved.get_session_auth_hash():
        # The password was changed meanwhile, so the given one proves nothing.
        raise credentials.WrongPassword(fields={"current": credentials.WrongPassword.message})
    if is_on(user.pk):
        raise AlreadyOn
    TOTPDevice.objects.filter(user_id=user.pk).delete()
    device = TOTPDevice.objects.create(user_id=user.pk, name="phone", confirmed=False)
    # The model would take the moment from its own clock.
    TOTPDevice.objects.filter(pk=device.pk).update(created_at=now)


@transactional
def _confirm(user_id: int, code: str, now: datetime) -> list[str]:
    user = accounts.locked(user_id)
    if is_on(user_id):
        raise AlreadyOn
    device = waiting(user_id, now)
    if device is None:
        raise NotOn
    if not _is_current(device, _plain(code), now):
        raise CodeRefused(fields={"otp": CodeRefused.message})
    device.confirmed = True
    device.save()
    account_emails.post(account_emails.SECOND_FACTOR_ON, address=user.email, user_id=user_id)
    log.info("second_factor_on", user_id=user_id)
    return _new_codes(user_id)


@transactional
def _take(user_id: int, code: str, now: datetime) -> bool:
    # Of two concurrent uses of one code the lock lets one win; everything here locks the user first.
    accounts.locked(user_id)
    device = TOTPDevice.objects.filter(user_id=user_id, confirmed=True).first()
    if device is None:
        raise NotOn
    plain = _plain(code)
    if re.fullmatch(r"[0-9]{6}", plain):
        is_right = _is_current(device, plain, now)
        device.save()
        return is_right
    return _spend(user_id, plain)


def _is_current(device: Any, code: str, now: datetime) -> bool:
    """Compare with the codes of the last, this and the next half minute, none of them used before."""
    if not re.fullmatch(r"[0-9]{6}", code):
        return False
    clock = TOTP(device.bin_key, device.step, device.t0, device.digits)
    clock.time = now.timestamp()
    if not clock.verify(int(code), device.tolerance, device.last_t + 1):
        return False
    device.last_t, device.last_used_at = clock.t(), now
    return True


def _spend(user_id: int, code: str) -> bool:
    used, _ = StaticToken.objects.filter(device__user_id=user_id, token=_digest(user_id, code)).delete()
    if used:
        user = accounts.locked(user_id)
        account_emails.post(account_emails.RECOVERY_CODE_USED, address=user.email, user_id=user_id)
        log.info("recovery_code_used", user_id=user_id)
    return bool(used)


@transactional
def _new_codes(user_id: int) -> list[str]:
    accounts.locked(user_id)
    if not is_on(user_id):
        raise NotOn
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP)) for _ in range(RECOVERY_CODES)]
    StaticDevice.objects.filter(user_id=user_id).delete()
    device = StaticDevice.objects.create(user_id=user_id, name="recovery")
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(user_id, code)) for code in codes)
    return ["-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP)) for code in codes]


@transactional
def _remove(user_id: int) -> None:
    user = accounts.locked(user_id)
    if not is_on(user_id):
        raise NotOn
    TOTPDevice.objects.filter(user_id=user_id).delete()
    StaticDevice.objects.filter(user_id=user_id).delete()
    account_emails.post(account_emails.SECOND_FACTOR_OFF, address=user.email, user_id=user_id)
    log.info("second_factor_off", user_id=user_id)


def _plain(code: str) -> str:
    """Read a code as people write it: in groups, with capitals."""
    return re.sub(r"[\s-]", "", code).lower()


def _digest(user_id: int, code: str) -> str:
    """Return the stored hash of a recovery code, 80 bits. The code has 80 random bits, so a fast hash is enough."""
    return base64.b32encode(hashlib.sha256(f"{user_id}:{code}".encode()).digest()[:10]).decode()

"""What proves who somebody is: changing the password and the email address, and resetting a lost password."""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.contrib.auth import hashers
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.db import IntegrityError
from django.utils.http import urlsafe_base64_decode

from multitask.database import run, transactional
from multitask.users import accounts, fields, letters, sessions, throttle
from multitask.users.actor import Actor
from multitask.users.errors import UserError
from multitask.users.fields import InvalidAccount
from multitask.users.models import User

EMAIL_LINK_LIFETIME: Final = timedelta(days=1)
# A password that is asked for again within a session, and letters that anybody can have sent.
_ASKED_AGAIN: Final = throttle.Limits(same_account_same_address=10, same_account=20)
_LETTERS: Final = throttle.Limits(same_account_same_address=3, same_account=6)

log = structlog.get_logger(__name__)


class WrongPassword(UserError):
    """The password that was asked for again is not right."""

    code = "wrong_password"
    message = "Your present password is not right."


class LinkInvalid(UserError):
    """A link from an email was used before, is too old, or was never one of ours."""

    code = "link_invalid"
    message = "This link was used already or is too old. Ask for a new one."


def require_password(*, actor: Actor, now: datetime, password: str) -> User:
    """Insist on the actor's own password. Raises WrongPassword, or TooManyAttempts before it is looked at."""
    user = accounts.present(actor)
    attempt_id = throttle.begin(identifier=str(user.pk), ip=actor.ip, now=now, limits=_ASKED_AGAIN, purpose="password")
    if len(password) > accounts.PASSWORD_MAX or not user.check_password(password):
        raise WrongPassword(fields={"current": WrongPassword.message})
    throttle.succeeded(attempt_id)
    return user


def change_password(*, actor: Actor, now: datetime, current: str, password: str) -> User:
    """Choose a new password; every session but the caller's page ends, every refresh token too.

    Raises WrongPassword, TooManyAttempts or InvalidAccount.
    """
    user = require_password(actor=actor, now=now, password=current)
    return _new_password(user, password, now)


def ask_for_reset(*, actor: Actor, now: datetime, address: str) -> None:
    """Have a link sent to an address, if it is somebody's: this call does the same either way.

    Raises InvalidAccount for what is no address, TooManyAttempts.
    """
    wrong = fields.complaints({"email": address})
    if wrong:
        raise InvalidAccount(fields=wrong)
    throttle.begin(identifier=address, ip=actor.ip, now=now, limits=_LETTERS, purpose="reset")
    run(lambda: letters.post(letters.RESET, address=address))


def resettable(*, name: str, token: str) -> User | None:
    """The user of a link to reset a password, or None when it does not work any more."""
    user = _named(name)
    return user if user is not None and default_token_generator.check_token(user, token) else None


def reset_password(*, actor: Actor, now: datetime, name: str, token: str, password: str) -> User:
    """Choose a new password by a link, which works once. Raises LinkInvalid or InvalidAccount."""
    user = resettable(name=name, token=token)
    if user is None:
        raise LinkInvalid
    return _new_password(user, password, now)


def ask_for_email(*, actor: Actor, now: datetime, current: str, email: str) -> None:
    """Have a link sent to a new address, which has to confirm it before it counts.

    Raises WrongPassword, TooManyAttempts or InvalidAccount. Says nothing about whose address it may be.
    """
    user = require_password(actor=actor, now=now, password=current)
    wrong = fields.complaints({"email": email})
    if not wrong and email.lower() == user.email.lower():
        wrong = {"email": "This is your address already."}
    if wrong:
        raise InvalidAccount(fields=wrong)
    throttle.begin(identifier=str(user.pk), ip=actor.ip, now=now, limits=_LETTERS, purpose="email")
    run(lambda: letters.post(letters.EMAIL_CONFIRMATION, address=email.lower(), user_id=user.pk))


def confirm_email(*, actor: Actor, now: datetime, token: str) -> User:
    """Take the new address over by the link that was sent to it. Raises LinkInvalid or EmailTaken."""
    asked = email_asked_for(token)
    try:
        return _take_over_email(asked)
    except IntegrityError:
        raise accounts.EmailTaken from None


def email_asked_for(token: str) -> dict[str, Any]:
    """Read a link that confirms an address: `user`, `from` and `to`. Raises LinkInvalid."""
    try:
        asked: dict[str, Any] = signing.loads(token, salt=letters.EMAIL_SALT, max_age=EMAIL_LINK_LIFETIME)
    except signing.BadSignature:
        raise LinkInvalid from None
    return asked


@transactional
def _take_over_email(asked: dict[str, Any]) -> User:
    user = accounts.locked(asked["user"])
    if user.email != asked["from"] or not user.is_active:
        raise LinkInvalid
    user.email = asked["to"]
    user.save(update_fields=["email"])
    letters.post(letters.EMAIL_CHANGED, address=asked["from"], user_id=user.pk)
    log.info("email_changed", user_id=user.pk)
    return user


def _named(name: str) -> User | None:
    try:
        user_id = int(urlsafe_base64_decode(name))
    except ValueError:
        return None
    return User.objects.filter(pk=user_id, is_active=True).first() if 0 < user_id < 2**63 else None


def _new_password(user: User, password: str, now: datetime) -> User:
    wrong = accounts.weakness(password, user)
    if wrong:
        raise InvalidAccount(fields=wrong)
    return _keep_password(user.pk, user.password, hashers.make_password(password), now)


@transactional
def _keep_password(user_id: int, earlier: str, hashed: str, now: datetime) -> User:
    user = accounts.locked(user_id)
    if user.password != earlier:
        # Somebody was faster: what proved the right to this change proves it no longer.
        raise LinkInvalid
    user.password = hashed
    user.save(update_fields=["password"])
    sessions.end_all(user_id=user_id, now=now)
    letters.post(letters.PASSWORD_CHANGED, address=user.email, user_id=user_id)
    log.info("password_changed", user_id=user_id)
    return user

"""Passwords: asking for one again, changing it, and resetting a lost one."""

from datetime import datetime
from typing import Final

import structlog
from django.contrib.auth import hashers
from django.db import IntegrityError
from django.utils.http import urlsafe_base64_decode

from multitask.database import run, transactional
from multitask.users import account_emails, accounts, fields, mailboxes, names, passwords, sessions, throttle
from multitask.users.actor import Actor
from multitask.users.errors import UserError
from multitask.users.fields import InvalidAccount
from multitask.users.models import User
from multitask.users.reset_tokens import reset_tokens

# A password that is asked for again within a session, and links that anybody can ask for.
_ASKED_AGAIN: Final = throttle.Limits(same_account_same_address=10, same_account=20)
_RESETS: Final = throttle.Limits(same_account_same_address=3, same_account=None)

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
    """Require the actor's own password. Raises WrongPassword, or TooManyAttempts before it is checked."""
    user = accounts.present(actor)
    attempt_id = throttle.begin(identifier=str(user.pk), ip=actor.ip, now=now, limits=_ASKED_AGAIN, purpose="password")
    if not passwords.matches(password, user.password):
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
    """Queue a link to the address of the account that has it; without such an account this call does the same work.

    Raises InvalidAccount for an invalid address, TooManyAttempts for a visitor who asks too often.
    """
    wrong = fields.complaints({"email": address})
    normal = names.email(address)
    if wrong or normal is None:
        raise InvalidAccount(fields=wrong)
    throttle.begin(identifier=normal, ip=actor.ip, now=now, limits=_RESETS, purpose="reset")
    if mailboxes.may_send_reset(address=normal, now=now):
        run(lambda: account_emails.post(account_emails.RESET, address=normal))


def resettable(*, name: str, token: str) -> User | None:
    """Return the user of a link to reset a password, or None if the link is no longer valid."""
    user = _named(name)
    if user is None or not reset_tokens.check_token(user, token) or mailboxes.is_anothers(user):
        return None
    return user


def reset_password(*, actor: Actor, now: datetime, name: str, token: str, password: str) -> User:
    """Choose a new password by a link, which works once and confirms the address that it was sent to.

    Raises LinkInvalid or InvalidAccount.
    """
    user = resettable(name=name, token=token)
    if user is None:
        raise LinkInvalid
    try:
        return _new_password(user, password, now, confirms_email=True)
    except IntegrityError:
        # Another account has confirmed this address since the email was written.
        raise LinkInvalid from None


def _named(name: str) -> User | None:
    try:
        user_id = int(urlsafe_base64_decode(name))
    except ValueError:
        return None
    return User.objects.filter(pk=user_id, is_active=True).first() if 0 < user_id < 2**63 else None


def _new_password(user: User, password: str, now: datetime, *, confirms_email: bool = False) -> User:
    wrong = accounts.weakness(password, user)
    if wrong:
        raise InvalidAccount(fields=wrong)
    return _keep_password(user, hashers.make_password(password), now, confirms_email=confirms_email)


@transactional
def _keep_password(proved: User, hashed: str, now: datetime, *, confirms_email: bool) -> User:
    user = accounts.locked(proved.pk)
    if not user.is_active or (user.password, user.email) != (proved.password, proved.email):
        # A concurrent change came first, so the proof for this one is no longer valid.
        raise LinkInvalid
    user.password = hashed
    if confirms_email and not user.email_confirmed:
        mailboxes.release_from_closed(user.email)
        user.email_confirmed_at = now
    user.save(update_fields=["password", "email_confirmed_at"])
    sessions.end_all(user_id=user.pk, now=now)
    account_emails.post(account_emails.PASSWORD_CHANGED, address=user.email, user_id=user.pk)
    log.info("password_changed", user_id=user.pk)
    # As it is now: the pages go on with one session that knows this state.
    return accounts.locked(user.pk)

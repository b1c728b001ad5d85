"""The email address of an account: confirming the one that was named at registration, and changing to another.

A change is asked for with the password, and its link works once, while nothing that this proof rested on has changed:
the password, the sessions (which can be ended together), the second factor, the present address. The link of a
registration confirms the address that the account has anyway, and may be used again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.core import signing
from django.db import IntegrityError
from django.utils.crypto import constant_time_compare, salted_hmac

from multitask.database import run, transactional
from multitask.users import account_emails, accounts, credentials, fields, mailboxes, names, second_factor, throttle
from multitask.users.actor import Actor
from multitask.users.credentials import LinkInvalid
from multitask.users.errors import UserError
from multitask.users.fields import InvalidAccount
from multitask.users.models import User

LINK_LIFETIME: Final = timedelta(days=1)
_STATE_SALT: Final = "multitask.users.address"
_CHANGES: Final = throttle.Limits(same_account_same_address=3, same_account=6, when_under_attack=1)

log = structlog.get_logger(__name__)


class AlreadyConfirmed(UserError):
    """The address has been confirmed, so there is nothing to send."""

    code = "email_already_confirmed"
    message = "Your email address is confirmed already."


@dataclass(frozen=True, slots=True)
class Link:
    """The content of a link that confirms an address.

    `earlier` is the address that the account had when the email was written. `state` is that of the account when a
    change was asked for, and empty in the link of a registration.
    """

    user: User
    earlier: str
    address: str
    state: str


def ask_for_confirmation(*, actor: Actor, now: datetime) -> None:
    """Queue the email of the registration again. Raises UnknownUser, AlreadyConfirmed or TooManyAttempts."""
    user = accounts.present(actor)
    if user.email_confirmed:
        raise AlreadyConfirmed
    mailboxes.count_email(address=user.email, ip=actor.ip, now=now)
    run(lambda: account_emails.post(account_emails.REGISTERED, address=user.email, user_id=user.pk))


def ask_for_change(*, actor: Actor, now: datetime, current: str, email: str) -> None:
    """Queue an email with a link to a new address, which becomes valid by the link; `current` is the password.

    The present address, if confirmed, is notified. Raises WrongPassword, TooManyAttempts or
    InvalidAccount. The response does not reveal whether the address belongs to an account.
    """
    user = credentials.require_password(actor=actor, now=now, password=current)
    wrong, address = fields.complaints({"email": email}), names.email(email)
    if address == user.email:
        wrong = {"email": "This is your address already."}
    if wrong or address is None:
        raise InvalidAccount(fields=wrong)
    throttle.begin(identifier=str(user.pk), ip=actor.ip, now=now, limits=_CHANGES, purpose="email")
    mailboxes.count_email(address=address, ip=actor.ip, now=now)
    _write_to_both(user, address, _states(user)[0])


@transactional
def _write_to_both(user: User, address: str, state: str) -> None:
    account_emails.post(account_emails.EMAIL_CONFIRMATION, address=address, user_id=user.pk, state=state)
    if user.email_confirmed:
        account_emails.post(account_emails.EMAIL_CHANGE_ASKED, address=user.email, user_id=user.pk)


def read_link(token: str) -> Link:
    """Read a link that confirms an address, if it works now. Raises LinkInvalid."""
    try:
        signed: dict[str, Any] = signing.loads(token, salt=account_emails.EMAIL_SALT, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        raise LinkInvalid from None
    user = User.objects.filter(pk=signed["user"]).first()
    if user is None:
        raise LinkInvalid
    # Links from before there was a state have none; those of registrations still work.
    link = Link(user=user, earlier=signed["from"], address=signed["to"], state=signed.get("state", ""))
    owner = mailboxes.owner(link.address)
    if not _works(link, user) or (owner is not None and owner.pk != user.pk):
        raise LinkInvalid
    return link


def confirm(*, actor: Actor, now: datetime, token: str) -> User:
    """Confirm an address by the link that was sent to it, unless another account has confirmed it meanwhile.

    The link of a registration may be used again; it changes nothing then. That of a change works once.
    Raises LinkInvalid.
    """
    link = read_link(token)
    try:
        return _take_over(link, now)
    except IntegrityError:
        raise LinkInvalid from None


@transactional
def _take_over(link: Link, now: datetime) -> User:
    user = accounts.locked(link.user.pk)
    if not _works(link, user):
        raise LinkInvalid
    if user.email_confirmed and user.email == link.address:
        return user
    mailboxes.release_from_closed(link.address)
    user.email, user.email_confirmed_at = link.address, now
    user.save(update_fields=["email", "email_confirmed_at"])
    if link.address != link.earlier:
        account_emails.post(account_emails.EMAIL_CHANGED, address=link.earlier, user_id=user.pk)
    log.info("email_confirmed", user_id=user.pk)
    return user


def _works(link: Link, user: User) -> bool:
    """Return whether a link still works; this does not check whether another account has the address."""
    if not user.is_active or user.email != link.earlier:
        return False
    if not link.state:
        return link.address == link.earlier
    return any(constant_time_compare(link.state, state) for state in _states(user))


def _states(user: User) -> list[str]:
    """Return digests of the state that a change of address depends on, by the present secret and each earlier one."""
    confirmed_at = "" if user.email_confirmed_at is None else user.email_confirmed_at.isoformat()
    device = second_factor.device_id(user.pk)
    rests_on = f"{user.pk}:{user.session_epoch}:{user.password}:{device}:{confirmed_at}:{user.email}"
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [salted_hmac(_STATE_SALT, rests_on, secret=key, algorithm="sha256").hexdigest() for key in keys]

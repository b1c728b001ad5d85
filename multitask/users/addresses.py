"""The email address of an account: confirming the one that was named at registration, and changing to another."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.core import signing
from django.db import IntegrityError

from multitask.database import run, transactional
from multitask.users import accounts, credentials, fields, letters, mailboxes, names, throttle
from multitask.users.actor import Actor
from multitask.users.credentials import LinkInvalid
from multitask.users.errors import UserError
from multitask.users.fields import InvalidAccount
from multitask.users.models import User

LINK_LIFETIME: Final = timedelta(days=1)
_CHANGES: Final = throttle.Limits(same_account_same_address=3, same_account=6, when_besieged=1)

log = structlog.get_logger(__name__)


class AlreadyConfirmed(UserError):
    """The address has been confirmed, so there is nothing to send."""

    code = "email_already_confirmed"
    message = "Your email address is confirmed already."


@dataclass(frozen=True, slots=True)
class Link:
    """What a link that confirms an address says; `earlier` is the address that the account had when it was made."""

    user: User
    earlier: str
    address: str


def ask_for_confirmation(*, actor: Actor, now: datetime) -> None:
    """Have the letter of the registration sent again. Raises UnknownUser, AlreadyConfirmed or TooManyAttempts."""
    user = accounts.present(actor)
    if user.email_confirmed:
        raise AlreadyConfirmed
    mailboxes.take_room(address=user.email, ip=actor.ip, now=now)
    run(lambda: letters.post(letters.REGISTERED, address=user.email, user_id=user.pk))


def ask_for_change(*, actor: Actor, now: datetime, current: str, email: str) -> None:
    """Have a link sent to a new address, which has to confirm it before it counts; `current` is the password.

    Raises WrongPassword, TooManyAttempts or InvalidAccount. Tells nothing about whose address it may be.
    """
    user = credentials.require_password(actor=actor, now=now, password=current)
    wrong, address = fields.complaints({"email": email}), names.email(email)
    if address == user.email:
        wrong = {"email": "This is your address already."}
    if wrong or address is None:
        raise InvalidAccount(fields=wrong)
    throttle.begin(identifier=str(user.pk), ip=actor.ip, now=now, limits=_CHANGES, purpose="email")
    mailboxes.take_room(address=address, ip=actor.ip, now=now)
    run(lambda: letters.post(letters.EMAIL_CONFIRMATION, address=address, user_id=user.pk))


def read_link(token: str) -> Link:
    """Read a link that confirms an address. Raises LinkInvalid."""
    try:
        signed: dict[str, Any] = signing.loads(token, salt=letters.EMAIL_SALT, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        raise LinkInvalid from None
    user = User.objects.filter(pk=signed["user"], is_active=True).first()
    if user is None:
        raise LinkInvalid
    return Link(user=user, earlier=signed["from"], address=signed["to"])


def confirm(*, actor: Actor, now: datetime, token: str) -> User:
    """Take an address over by the link that was sent to it, unless another account has confirmed it meanwhile.

    The link of a registration may be used again; it changes nothing then. Raises LinkInvalid.
    """
    link = read_link(token)
    try:
        return _take_over(link, now)
    except IntegrityError:
        raise LinkInvalid from None


@transactional
def _take_over(link: Link, now: datetime) -> User:
    user = accounts.locked(link.user.pk)
    if user.email != link.earlier or not user.is_active:
        raise LinkInvalid
    if user.email_confirmed and user.email == link.address:
        return user
    user.email, user.email_confirmed_at = link.address, now
    user.save(update_fields=["email", "email_confirmed_at"])
    if link.address != link.earlier:
        letters.post(letters.EMAIL_CHANGED, address=link.earlier, user_id=user.pk)
    log.info("email_confirmed", user_id=user.pk)
    return user

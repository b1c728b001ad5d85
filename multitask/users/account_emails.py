"""Account emails: emails about an account itself, with links that prove an address or news about its security.

Each is written by a job, which is marked right before the email is sent. An email with the mark is not sent again: it
may have been sent already, and every link can be requested again. One without is sent however often its worker died.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from multitask.database import jobs
from multitask.users import mail, mailboxes, outbox
from multitask.users.mail import MessageText
from multitask.users.models import User
from multitask.users.outbox import Outcome
from multitask.users.reset_tokens import reset_tokens

JOB: Final = "send_letter"
PRIORITY: Final = 10
RESET: Final = "password_reset"
REGISTERED: Final = "registered"
ADDRESS_IN_USE: Final = "address_in_use"
EMAIL_CONFIRMATION: Final = "email_confirmation"
EMAIL_CHANGE_ASKED: Final = "email_change_asked"
EMAIL_CHANGED: Final = "email_changed"
PASSWORD_CHANGED: Final = "password_changed"  # noqa: S105 - the name of an account email
SECOND_FACTOR_ON: Final = "second_factor_on"
SECOND_FACTOR_OFF: Final = "second_factor_off"
RECOVERY_CODE_USED: Final = "recovery_code_used"

EMAIL_SALT: Final = "multitask.users.email"
# Emails that visitors request are counted when they are requested.
_COUNTED: Final = frozenset({RESET, REGISTERED, ADDRESS_IN_USE, EMAIL_CONFIRMATION})
Words = Callable[[], str]

log = structlog.get_logger(__name__)


def post(
    kind: str, *, address: str, user_id: int = 0, attempt: int = 0, at: datetime | None = None, state: str = ""
) -> None:
    """Queue an account email in the caller's transaction, to an address in its normal form.

    With `user_id` 0 the reader is found by the address. `state` is the account's state when a change of address was
    requested; it is signed into the link.
    """
    # A user is waiting for it, so it goes before all notices.
    about: dict[str, int | str] = {"kind": kind, "address": address, "user_id": user_id, "attempt": attempt}
    if state:
        about["state"] = state
    jobs.defer(JOB, queue="emails", at=at, priority=PRIORITY, **about)


def send(
    *,
    kind: str,
    address: str,
    user_id: int,
    attempt: int,
    now: datetime,
    state: str = "",
    begin: Callable[[], bool] = lambda: True,
) -> bool:
    """Write and send one account email, unless it has no reader any more; return whether it was sent.

    `begin` marks its job right before, and returns False if the email must not be sent by this one.
    """
    kind_to_write, user = _reader(kind, address, user_id)
    if user is None:
        return False
    email = _AccountEmail(kind_to_write, user, address, state, attempt, asked=(kind, user_id), begin=begin)
    return outbox.send(email, now=now)


@dataclass(frozen=True, slots=True)
class _AccountEmail:
    """An account email as `outbox` sends it; its record is its job, which was made for the kind and user in `asked`."""

    kind: str
    user: User
    address: str
    state: str
    earlier_attempts: int
    asked: tuple[str, int]
    begin: Callable[[], bool]

    @property
    def name(self) -> str:
        return f"account email {self.kind} for user {self.user.pk}"

    def write(self) -> EmailMultiAlternatives:
        with mail.in_language_of(self.user):
            content = message_text(self.kind, self.user, self.address, self.state)
            return written(self.user, content, message_id=uuid.uuid4().hex, to=self.address)

    def take(self, *, now: datetime) -> bool:
        is_first = self.begin()
        if not is_first:
            log.warning("account_email_not_resent", email=self.name)
        return is_first

    def may_be_sent(self, *, now: datetime) -> bool:
        return _may_send(self.kind, self.address, now)

    def record(self, outcome: Outcome, *, now: datetime) -> None:
        if outcome is Outcome.LATER:
            kind, user_id = self.asked
            later = now + outbox.PAUSES[self.earlier_attempts]
            attempt = self.earlier_attempts + 1
            post(kind, address=self.address, user_id=user_id, attempt=attempt, at=later, state=self.state)


def written(user: User, content: MessageText, *, message_id: str, to: str = "") -> EmailMultiAlternatives:
    """Write the message of an account email."""
    why = _("You get this message because it is about the safety of your account.")
    return mail.compose(user=user, content=content, why=why, message_id=message_id, to=to)


def _reader(kind: str, address: str, user_id: int) -> tuple[str, User | None]:
    """Return the kind of account email to write and its reader, or None for no reader.

    The reader has the address or asks to have it. The account that has confirmed it gets no email that is meant for
    another account.
    """
    owner = mailboxes.owner(address)
    if kind == RESET:
        reader = owner or mailboxes.newest_claimant(address)
    elif owner is not None and owner.pk != user_id:
        kind, reader = ADDRESS_IN_USE, owner if kind == REGISTERED else None
    else:
        reader = User.objects.filter(pk=user_id).first()
    if reader is None or not reader.is_active or (kind == REGISTERED and _is_settled(reader, address)):
        return kind, None
    return kind, reader


def _is_settled(user: User, address: str) -> bool:
    return user.email_confirmed or user.email != address


def _may_send(kind: str, address: str, now: datetime) -> bool:
    """Return whether an account email may be sent. An unconfirmed address may be a stranger's, so it gets few."""
    if kind in _COUNTED or mailboxes.owner(address) is not None:
        return True
    return mailboxes.may_send_news(address=address, now=now)


def message_text(kind: str, user: User, address: str, state: str = "") -> MessageText:
    """Return an account email's text in the active language; its link is for this user and address.

    The link of a change of address works while the account's state is `state` (`addresses`).
    """
    return _WORDS[kind](user, address, state)


def _reset(user: User, address: str, state: str) -> MessageText:
    name, token = urlsafe_base64_encode(force_bytes(user.pk)), reset_tokens.make_token(user)
    return MessageText(
        _("Choose a new password"),
        _("Somebody, probably you, has asked to reset your password. The link works once, for one hour. ")
        + _("If it was not you, ignore this message: your password stays as it is."),
        f"/password/reset/{name}/{token}/",
        _("Choose a new password"),
    )


def _confirmation(user: User, address: str, state: str) -> MessageText:
    return MessageText(
        _("Confirm your new email address"),
        _("From now on you want to get our messages at this address. The link works for one day."),
        _confirmation_path(user, address, state),
        _("Confirm this address"),
    )


def _registered(user: User, address: str, state: str) -> MessageText:
    return MessageText(
        _("Confirm your email address"),
        _("Somebody, probably you, has registered with this address. The link works for one day. ")
        + _("If it was not you, ignore this message: without the link the address is not theirs."),
        _confirmation_path(user, address, ""),
        _("Confirm this address"),
    )


def _confirmation_path(user: User, address: str, state: str) -> str:
    signed = {"user": user.pk, "from": user.email, "to": address, "state": state}
    token = signing.dumps(signed, salt=EMAIL_SALT)
    return f"/profile/email/confirm/{token}/"


def _news(title: Words, text: Words, path: str, button: Words) -> Callable[[User, str, str], MessageText]:
    return lambda user, address, state: MessageText(title(), text(), path, button())


_WORDS: Final[dict[str, Callable[[User, str, str], MessageText]]] = {
    RESET: _reset,
    REGISTERED: _registered,
    ADDRESS_IN_USE: _news(
        lambda: _("You have an account already"),
        lambda: (
            _("Somebody, probably you, has tried to register with this address, which belongs to your account. ")
            + _("If it was not you, ignore this message: your account stays as it is.")
        ),
        "/sign-in/",
        lambda: _("Sign in"),
    ),
    EMAIL_CONFIRMATION: _confirmation,
    EMAIL_CHANGE_ASKED: _news(
        lambda: _("A change of your email address was asked for"),
        lambda: (
            _("Somebody, probably you, has asked to use another address. It counts once it is confirmed there. ")
            + _("If it was not you, choose a new password at once: that stops the change.")
        ),
        "/password/forgotten/",
        lambda: _("It was not me"),
    ),
    EMAIL_CHANGED: _news(
        lambda: _("Your email address was changed"),
        lambda: _("Our messages go to another address from now on. If it was not you, write to our support at once."),
        "/profile/",
        lambda: _("Open your profile"),
    ),
    PASSWORD_CHANGED: _news(
        lambda: _("Your password was changed"),
        lambda: _("Every other session has ended. If it was not you, choose a new password at once."),
        "/password/forgotten/",
        lambda: _("It was not me"),
    ),
    SECOND_FACTOR_ON: _news(
        lambda: _("Two-step sign-in is on"),
        lambda: _("From now on we ask for a code from your phone when you sign in and before money leaves."),
        "/security/",
        lambda: _("See your security settings"),
    ),
    SECOND_FACTOR_OFF: _news(
        lambda: _("Two-step sign-in is off"),
        lambda: _("Your password alone is enough to sign in again. If it was not you, choose a new password at once."),
        "/security/",
        lambda: _("See your security settings"),
    ),
    RECOVERY_CODE_USED: _news(
        lambda: _("A recovery code was used"),
        lambda: _("One of your recovery codes was used in place of your phone. It does not work again."),
        "/security/",
        lambda: _("See your security settings"),
    ),
}
KINDS: Final = tuple(_WORDS)

"""Accounts: registration, authentication by password, profiles, staff roles, closing."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import hashers, password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Lower
from django.db.models.lookups import Exact

from multitask.database import run, transactional
from multitask.users import account_emails, fields, mailboxes, names, passwords, powers, sessions, throttle
from multitask.users.actor import Actor, Power, Role
from multitask.users.errors import UserError
from multitask.users.fields import InvalidAccount
from multitask.users.models import StaffRole, User

log = structlog.get_logger(__name__)

PROFILE_FIELDS = frozenset({"country", "default_currency", "language", "time_zone", "is_client", "is_freelancer"})


class UsernameTaken(UserError):
    """Another user has that username, in any mix of upper and lower case."""

    code = "username_taken"
    message = "This username is taken."


class InvalidCredentials(UserError):
    """The same answer for an unknown name, a wrong password and a deactivated account."""

    code = "invalid_credentials"
    message = "The username, email or password is not right."


class NotAllowed(UserError):
    """The actor's role does not grant this."""

    code = "not_allowed"
    message = "You may not do this."


class UnknownUser(UserError):
    """There is no such user."""

    code = "user_not_found"
    message = "There is no such user."


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a visitor registers with."""

    username: str
    email: str
    password: str
    is_client: bool = False
    is_freelancer: bool = False
    country: str = "US"
    default_currency: str = "USD"
    language: str = "en"
    time_zone: str = "UTC"


def register(*, actor: Actor, now: datetime, registration: Registration) -> User:
    """Create an account, whose address has to be confirmed. Raises InvalidAccount, TooManyAttempts or UsernameTaken.

    The response does not reveal whether the address belongs to another account; only the email that a job sends
    depends on that.
    """
    values: dict[str, Any] = asdict(registration)
    password = values.pop("password")
    values["email"] = names.email(registration.email) or registration.email
    user = User(created_at=now, **values)
    wrong = fields.complaints(values) | _complaints_on_roles(user) | weakness(password, user)
    if wrong:
        raise InvalidAccount(fields=wrong)
    if settings.REGISTRATIONS_PER_ADDRESS:
        limits = throttle.Limits(settings.REGISTRATIONS_PER_ADDRESS, same_address=None, same_account=None)
        throttle.begin(identifier="", ip=actor.ip, now=now, limits=limits, purpose="registration")
    user.password = hashers.make_password(password)
    _insert(user)
    # If the process dies here, the user can request the email again.
    if mailboxes.may_send_email(address=user.email, ip=actor.ip, now=now):
        run(lambda: account_emails.post(account_emails.REGISTERED, address=user.email, user_id=user.pk))
    log.info("user_registered", user_id=user.pk, ip=actor.ip, request_id=actor.request_id)
    return user


def authenticate(*, actor: Actor, now: datetime, identifier: str, password: str) -> User:
    """Find the active user whose username or email and password these are.

    Raises InvalidCredentials, or TooManyAttempts before the password is checked. Attempts are counted by the name that
    was sent, not by the account found: a shared count would reveal which address belongs to which username.
    """
    attempt_id = throttle.begin(identifier=identifier, ip=actor.ip, now=now)
    # Every candidate is compared, found or not, so that the timing reveals nothing.
    matching = [user for user in _candidates(identifier) if _is_password_of(user, password)]
    user = next((user for user in matching if user is not None and user.is_active), None)
    if user is None:
        raise InvalidCredentials
    user = _with_present_hash(user, password)
    throttle.succeeded(attempt_id)
    User.objects.filter(pk=user.pk).update(last_login=now)
    return user


@transactional
def change_profile(*, actor: Actor, now: datetime, changes: dict[str, Any]) -> User:
    """Change the actor's own country, currency, language, time zone or roles as client and freelancer.

    Raises InvalidAccount with the invalid fields, which include those that users may not change.
    """
    user = locked(actor.user_id)
    wrong = dict.fromkeys(changes.keys() - PROFILE_FIELDS, "This cannot be changed.")
    for name in changes.keys() & PROFILE_FIELDS:
        setattr(user, name, changes[name])
    wrong |= fields.complaints(changes) | _complaints_on_roles(user)
    if wrong:
        raise InvalidAccount(fields=wrong)
    user.save(update_fields=sorted(changes))
    return user


@transactional
def set_staff_role(*, actor: Actor, now: datetime, user_id: int, staff_role: str) -> User:
    """Set or remove a staff role, and Django's own flags with it.

    Users cannot change their own role, so the last administrator cannot lock everyone out and
    nobody can promote themselves. Raises NotAllowed, ProofNeeded, UnknownUser or InvalidAccount.
    """
    require_management(actor, user_id)
    if staff_role not in StaffRole.values:
        raise InvalidAccount(fields={"staff_role": "This is not a staff role."})
    user = locked(user_id)
    user.staff_role = staff_role
    user.is_staff = bool(staff_role)
    user.is_superuser = staff_role == Role.ADMIN
    user.save(update_fields=["staff_role", "is_staff", "is_superuser"])
    log.info("staff_role_set", user_id=user_id, staff_role=staff_role, by=actor.user_id)
    return user


@transactional
def deactivate(*, actor: Actor, now: datetime, user_id: int) -> User:
    """Close an account to its owner and end its sessions, for good. Raises NotAllowed, ProofNeeded or UnknownUser."""
    require_management(actor, user_id)
    user = locked(user_id)
    user.is_active = False
    user.save(update_fields=["is_active"])
    sessions.end_all(user_id=user_id, now=now)
    log.info("user_deactivated", user_id=user_id, by=actor.user_id)
    return user


@transactional
def reactivate(*, actor: Actor, now: datetime, user_id: int) -> User:
    """Open a closed account again. Raises NotAllowed, ProofNeeded or UnknownUser."""
    powers.require(actor, Power.MANAGE_USERS, NotAllowed())
    user = locked(user_id)
    user.is_active = True
    user.save(update_fields=["is_active"])
    log.info("user_reactivated", user_id=user_id, by=actor.user_id)
    return user


def require_management(actor: Actor, user_id: int) -> None:
    """Require an administrator who acts on another user. Raises NotAllowed or ProofNeeded."""
    if actor.is_user(user_id):
        raise NotAllowed
    powers.require(actor, Power.MANAGE_USERS, NotAllowed())


def by_username(username: str) -> User | None:
    """Find a user by username, in any mix of upper and lower case."""
    # Usernames are ASCII; a database may fold other letters into ASCII ones.
    if not username.isascii():
        return None
    return User.objects.filter(Exact(Lower("username"), names.folded(username))).first()


def present(actor: Actor) -> User:
    """Read the user who acts. Raises UnknownUser."""
    user = None if actor.user_id is None else User.objects.filter(pk=actor.user_id, is_active=True).first()
    if user is None:
        raise UnknownUser
    return user


def locked(user_id: int | None) -> User:
    """Read a user for a change, in the caller's transaction. Raises UnknownUser."""
    user = None if user_id is None else User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None:
        raise UnknownUser
    return user


def _candidates(identifier: str) -> list[User | None]:
    """Return who may be meant, padded with None: one candidate for a username, two for an address."""
    # A username cannot contain an @, so it is never mistaken for an email address.
    if "@" not in identifier:
        return [by_username(identifier)]
    address = names.email(identifier)
    return [None, None] if address is None else [mailboxes.owner(address), mailboxes.newest_claimant(address)]


def _is_password_of(user: User | None, password: str) -> bool:
    return passwords.matches(password, None if user is None else user.password)


@transactional
def _with_present_hash(user: User, password: str) -> User:
    """Hash the password anew if its hash is outdated. Raises InvalidCredentials if it was changed meanwhile."""
    if not passwords.is_outdated(user.password):
        return user
    hashed = hashers.make_password(password)
    present = locked(user.pk)
    if present.password == user.password:
        present.password = hashed
        present.save(update_fields=["password"])
    elif not _is_password_of(present, password):
        raise InvalidCredentials
    return present


def _insert(user: User) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        if "username" in str(error):
            raise UsernameTaken(fields={"username": UsernameTaken.message}) from None
        raise


def _complaints_on_roles(user: User) -> dict[str, str]:
    if user.is_client or user.is_freelancer or user.staff_role:
        return {}
    return {"is_client": "Be a client, a freelancer or both."}


def weakness(password: str, user: User) -> dict[str, str]:
    """Return what is wrong with a new password, by field."""
    if len(password) > passwords.LONGEST:
        return {"password": f"At most {passwords.LONGEST} characters."}
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return {"password": " ".join(error.messages)}
    return {}

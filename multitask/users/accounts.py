"""Accounts: registering, proving who one is, and changing what is known about one."""

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

from multitask.database import transactional
from multitask.users import fields, sessions, throttle
from multitask.users.actor import Actor, Power, Role
from multitask.users.errors import UserError
from multitask.users.fields import InvalidAccount
from multitask.users.models import StaffRole, User

log = structlog.get_logger(__name__)

PASSWORD_MAX = 256
PROFILE_FIELDS = frozenset({"country", "default_currency", "language", "time_zone", "is_client", "is_freelancer"})


class UsernameTaken(UserError):
    """Somebody has that username, in any spelling of upper and lower case."""

    code = "username_taken"
    message = "This username is taken."


class EmailTaken(UserError):
    """Somebody has that email address, in any spelling of upper and lower case."""

    code = "email_taken"
    message = "There is an account with this email address."


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
    """What a visitor says about himself."""

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
    """Make an account. Raises InvalidAccount, TooManyAttempts, UsernameTaken or EmailTaken."""
    values: dict[str, Any] = asdict(registration)
    password = values.pop("password")
    values["email"] = registration.email.lower()
    user = User(created_at=now, **values)
    wrong = fields.complaints(values) | _complaints_on_roles(user) | weakness(password, user)
    if wrong:
        raise InvalidAccount(fields=wrong)
    if settings.REGISTRATIONS_PER_ADDRESS:
        limits = throttle.Limits(settings.REGISTRATIONS_PER_ADDRESS, same_address=None, same_account=None)
        throttle.begin(identifier="", ip=actor.ip, now=now, limits=limits, purpose="registration")
    user.password = hashers.make_password(password)
    _insert(user)
    log.info("user_registered", user_id=user.pk, ip=actor.ip, request_id=actor.request_id)
    return user


def authenticate(*, actor: Actor, now: datetime, identifier: str, password: str) -> User:
    """Find the active user whose username or email and password these are.

    Raises InvalidCredentials, or TooManyAttempts before the password is looked at.
    """
    user = _find(identifier)
    # Counted by username under either name: two names are not twice the tries. A name that is nobody's
    # counts as it is, and is no username of somebody else, so both are stopped after as many tries.
    name = identifier if user is None else user.username
    attempt_id = throttle.begin(identifier=name, ip=actor.ip, now=now)
    if user is None:
        # An unknown name costs as much time as a wrong password, so time tells nobody apart.
        hashers.make_password(password[:PASSWORD_MAX])
        raise InvalidCredentials
    if len(password) > PASSWORD_MAX or not user.check_password(password) or not user.is_active:
        raise InvalidCredentials
    throttle.succeeded(attempt_id)
    User.objects.filter(pk=user.pk).update(last_login=now)
    return user


@transactional
def change_profile(*, actor: Actor, now: datetime, changes: dict[str, Any]) -> User:
    """Change the actor's own country, currency, language, time zone or roles as client and freelancer.

    Raises InvalidAccount with the fields at fault; fields that are not one's own to change are such.
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
    """Give, change or take away a staff role, with Django's own flags in step.

    Nobody changes his own, so that the last administrator cannot lock everybody out, nor
    anybody raise himself. Raises NotAllowed, UnknownUser or InvalidAccount.
    """
    if not actor.may(Power.MANAGE_USERS) or actor.is_user(user_id):
        raise NotAllowed
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
    """Close an account to its owner and end its sessions. Raises NotAllowed or UnknownUser."""
    if not actor.may(Power.MANAGE_USERS) or actor.is_user(user_id):
        raise NotAllowed
    user = locked(user_id)
    user.is_active = False
    user.save(update_fields=["is_active"])
    sessions.end_all(user_id=user_id, now=now)
    log.info("user_deactivated", user_id=user_id, by=actor.user_id)
    return user


@transactional
def reactivate(*, actor: Actor, now: datetime, user_id: int) -> User:
    """Open a closed account again. Raises NotAllowed or UnknownUser."""
    if not actor.may(Power.MANAGE_USERS):
        raise NotAllowed
    user = locked(user_id)
    user.is_active = True
    user.save(update_fields=["is_active"])
    log.info("user_reactivated", user_id=user_id, by=actor.user_id)
    return user


def _find(identifier: str) -> User | None:
    # A username cannot hold an @, so no username passes for somebody's email address.
    field = "email" if "@" in identifier else "username"
    return User.objects.filter(Exact(Lower(field), identifier.lower())).first()


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


def _insert(user: User) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        if "username" in str(error):
            raise UsernameTaken(fields={"username": UsernameTaken.message}) from None
        if "email" in str(error):
            raise EmailTaken(fields={"email": EmailTaken.message}) from None
        raise


def _complaints_on_roles(user: User) -> dict[str, str]:
    if user.is_client or user.is_freelancer or user.staff_role:
        return {}
    return {"is_client": "Be a client, a freelancer or both."}


def weakness(password: str, user: User) -> dict[str, str]:
    """Say what is wrong with a new password, by field."""
    if len(password) > PASSWORD_MAX:
        return {"password": f"At most {PASSWORD_MAX} characters."}
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return {"password": " ".join(error.messages)}
    return {}

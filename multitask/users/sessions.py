"""Sessions: begun at login, extended by refresh tokens that rotate at each use, ended singly or all at once.

A refresh token that comes a second time was either stolen or its successor was, so its whole
family ends: thief and owner both have to log in again, and only one of them can.

Whatever begins, rotates or ends a session holds the row of its user. Otherwise an UPDATE that ends sessions would
not see the successor that a rotation inserts at the same moment. The order of locks is the user first, then tokens.
"""

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet, Subquery
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.database import Statement, purging, transactional
from multitask.users.errors import UserError
from multitask.users.models import RefreshToken, User


class SessionEnded(UserError):
    """The token is unknown, expired or revoked, or its user is no longer active."""

    code = "session_ended"
    message = "This session has ended. Log in again."


class RefreshTokenReused(SessionEnded):
    """The token was used before, which ends its session for all holders."""

    code = "refresh_token_reused"
    message = "This refresh token was used before, so its session has ended. Log in again."


@transactional
def begin(*, user_id: int, now: datetime, lifetime: timedelta, proved_by: int | None = None) -> RefreshToken:
    """Begin a session: the first token of a new family. Raises SessionEnded for an account that is closed.

    `proved_by` is the second factor that it was proved by. A login begins its session by `logins.begin`, which also
    looks at what was proved.
    """
    user = _locked(user_id)
    if user is None or not user.is_active:
        raise SessionEnded
    return _issue(user_id=user_id, family=uuid.uuid4(), now=now, expires_at=now + lifetime, proved_by=proved_by)


def proved(*, family: uuid.UUID, proved_by: int | None) -> None:
    """Record that a session was proved by a second factor."""
    RefreshToken.objects.filter(family=family).update(proved_by=proved_by)


def proved_by(*, family: uuid.UUID) -> int | None:
    """Return the second factor that a session was last proved by, or None."""
    tokens = RefreshToken.objects.filter(family=family, proved_by__isnull=False)
    return tokens.order_by("-issued_at").values_list("proved_by", flat=True).first()


def rotate(*, jti: uuid.UUID, now: datetime, lifetime: timedelta) -> RefreshToken:
    """Exchange a token for its successor. Raises SessionEnded or RefreshTokenReused."""
    successor = _exchange(jti=jti, now=now, lifetime=lifetime)
    # Raised out here because the revocation has to be committed.
    if successor is None:
        raise RefreshTokenReused
    return successor


@transactional
def end(*, family: uuid.UUID, now: datetime) -> None:
    """End one session."""
    tokens = RefreshToken.objects.filter(family=family)
    if _locked_owner(tokens) is not None:
        _revoke(tokens, now=now)


@transactional
def end_all(*, user_id: int, now: datetime) -> None:
    """End every session of a user: those of tokens and those of pages.

    A second factor that one of them began to set up is dropped: the holder of that session knows its secret.
    """
    user = _locked(user_id)
    if user is not None:
        user.session_epoch += 1
        user.save(update_fields=["session_epoch"])
        _revoke(RefreshToken.objects.filter(user_id=user_id), now=now)
        TOTPDevice.objects.filter(user_id=user_id, confirmed=False).delete()


_USER_COLUMNS: Final = tuple(field.attname for field in User._meta.concrete_fields)
_USER: Final = Statement(f"""
SELECT {", ".join(_USER_COLUMNS)} FROM users_user
 WHERE id = %(user)s AND is_active AND EXISTS (
       SELECT FROM users_refreshtoken
        WHERE family = %(family)s AND user_id = users_user.id AND revoked_at IS NULL)
""")  # noqa: S608 - the names of our own columns


def user_of(*, user_id: int, family: uuid.UUID) -> User | None:
    """Read the active user of a session that has not been ended, in one statement."""
    for row in _USER.rows({"user": user_id, "family": family}):
        return User.from_db(DEFAULT_DB_ALIAS, _USER_COLUMNS, row)
    return None


def purge(*, now: datetime) -> int:
    """Delete expired tokens; return how many."""
    return purging.delete(RefreshToken.objects.filter(expires_at__lt=now))


def _locked(user_id: int) -> User | None:
    return User.objects.select_for_update(no_key=True).filter(pk=user_id).first()


def _locked_owner(tokens: QuerySet[RefreshToken]) -> User | None:
    """Lock the owner of the tokens in one statement; a token never changes its owner."""
    return User.objects.select_for_update(no_key=True).filter(pk=Subquery(tokens.values("user_id")[:1])).first()


def _issue(
    *, user_id: int, family: uuid.UUID, now: datetime, expires_at: datetime, proved_by: int | None
) -> RefreshToken:
    return RefreshToken.objects.create(
        user_id=user_id, family=family, issued_at=now, expires_at=expires_at, proved_by=proved_by
    )


@transactional
def _exchange(*, jti: uuid.UUID, now: datetime, lifetime: timedelta) -> RefreshToken | None:
    """Return the successor, or None after revoking the family of a token that was used before."""
    user = _locked_owner(RefreshToken.objects.filter(jti=jti))
    # Read once its user is locked: the last holder of the lock may have used or revoked it.
    token = RefreshToken.objects.filter(jti=jti).first()
    if user is None or not user.is_active or token is None or token.revoked_at is not None or token.expires_at <= now:
        raise SessionEnded
    if token.used_at is not None:
        _revoke(RefreshToken.objects.filter(family=token.family), now=now)
        return None
    token.used_at = now
    token.save(update_fields=["used_at"])
    return _issue(
        user_id=token.user_id,
        family=token.family,
        now=now,
        expires_at=now + lifetime,
        proved_by=token.proved_by,
    )


def _revoke(tokens: QuerySet[RefreshToken], *, now: datetime) -> None:
    tokens.filter(revoked_at=None).update(revoked_at=now)

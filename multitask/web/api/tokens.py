"""JSON Web Tokens: a short-lived one for access and a longer one to refresh it.

Both carry the id of their session (`sid`), which the database can end at any moment. The
audience differs, so that neither is accepted for the other.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac

from multitask.users.models import RefreshToken
from multitask.web.api.request_errors import Refused

ALGORITHM = "HS256"
ISSUER = "multitask"
ACCESS = "multitask-access"
REFRESH = "multitask-refresh"
LONGEST = 2_000
# How many tokens are kept whose signature was right; each takes about a kilobyte.
REMEMBERED = 2_048


class InvalidToken(Refused):
    """The token is not ours, or it has expired."""

    code = "invalid_token"
    message = "The token is not valid or has expired. Log in again."


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token."""

    user_id: int
    session: uuid.UUID
    jti: uuid.UUID
    proved_at: datetime | None = None


def refresh_lifetime() -> timedelta:
    """Return how long a refresh token can be used."""
    return timedelta(days=settings.REFRESH_TOKEN_DAYS)


def access_for(token: RefreshToken, *, now: datetime, proved_at: datetime | None = None) -> str:
    """Sign an access token for the session of a refresh token; `proved_at` is when a second factor was proved."""
    return access(user_id=token.user_id, session=token.family, now=now, proved_at=proved_at)


def access(*, user_id: int, session: uuid.UUID, now: datetime, proved_at: datetime | None) -> str:
    """Sign an access token for a session."""
    expires_at = now + timedelta(minutes=settings.ACCESS_TOKEN_MINUTES)
    claims = {"sub": str(user_id), "sid": str(session), "jti": str(uuid.uuid4())}
    if proved_at is not None:
        claims["otp_at"] = str(int(proved_at.timestamp()))
    return _sign(claims, audience=ACCESS, now=now, expires_at=expires_at)


def refresh_for(token: RefreshToken, *, now: datetime) -> str:
    """Sign the refresh token itself."""
    claims = {"sub": str(token.user_id), "sid": str(token.family), "jti": str(token.jti)}
    return _sign(claims, audience=REFRESH, now=now, expires_at=token.expires_at)


def read_access(encoded: str) -> Claims:
    """Check an access token. Raises InvalidToken."""
    return _read(encoded, audience=ACCESS)


def read_refresh(encoded: str) -> Claims:
    """Check a refresh token. Raises InvalidToken."""
    return _read(encoded, audience=REFRESH)


def _sign(claims: dict[str, str], *, audience: str, now: datetime, expires_at: datetime) -> str:
    frame = {"iss": ISSUER, "aud": audience, "iat": now.astimezone(UTC), "exp": expires_at.astimezone(UTC)}
    return jwt.encode({**frame, **claims}, _key(settings.SECRET_KEY), algorithm=ALGORITHM)


def _read(encoded: str, *, audience: str) -> Claims:
    if len(encoded) > LONGEST or not encoded.isascii():
        raise InvalidToken
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            verified = _verified(encoded, secret, audience)
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError):
            break
        if verified.issued_at <= time.time() < verified.expires_at:
            return verified.claims
        break
    raise InvalidToken


@dataclass(frozen=True, slots=True)
class _Verified:
    """The claims of a token with a valid signature, and the times, in seconds since 1970, between which it counts."""

    claims: Claims
    issued_at: float
    expires_at: float


@lru_cache(maxsize=REMEMBERED)
def _verified(encoded: str, secret: str, audience: str) -> _Verified:
    """Check all of a token but the times, which differ from call to call; callers send the same one again and again."""
    # A token that names another algorithm, or none, is refused.
    found = jwt.decode(
        encoded,
        _key(secret),
        algorithms=[ALGORITHM],
        audience=audience,
        issuer=ISSUER,
        options={"require": ["iss", "aud", "sub", "sid", "jti", "iat", "exp"]},
    )
    return _Verified(_claims(found), float(found["iat"]), float(found["exp"]))


def _claims(found: dict[str, Any]) -> Claims:
    proved = found.get("otp_at")
    return Claims(
        user_id=int(found["sub"]),
        session=uuid.UUID(found["sid"]),
        jti=uuid.UUID(found["jti"]),
        proved_at=None if proved is None else datetime.fromtimestamp(int(proved), UTC),
    )


@lru_cache(maxsize=16)
def _key(secret: str) -> bytes:
    """Derive a separate key, so that nothing else signed with the secret is accepted as a token."""
    return salted_hmac("multitask.web.api.tokens", b"", secret=secret, algorithm="sha256").digest()

"""Signing in: the password, the second factor, and the session, which begins only if both are still valid.

Between the proof and the beginning of the session the password may change, the account may be closed, a second
factor may be switched on. The session begins under the lock of the user's row, and only if none of this has happened.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from multitask.database import transactional
from multitask.users import accounts, second_factor, sessions
from multitask.users.accounts import InvalidCredentials
from multitask.users.actor import Actor
from multitask.users.models import RefreshToken, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof of identity: the user and the second factor (None for none) as they were at that moment."""

    user: User
    device_id: int | None = None
    proved_at: datetime | None = None

    @property
    def proved_by(self) -> int | None:
        """The second factor that was proved, if one was."""
        return self.device_id if self.proved_at is not None else None


def prove_password(*, actor: Actor, now: datetime, identifier: str, password: str) -> Proof:
    """Check the password. Raises InvalidCredentials or TooManyAttempts."""
    user = accounts.authenticate(actor=actor, now=now, identifier=identifier, password=password)
    return Proof(user=user, device_id=second_factor.device_id(user.pk))


def prove_code(*, proof: Proof, actor: Actor, now: datetime, code: str | None) -> Proof:
    """Check the second factor, for users who have one.

    Raises CodeRequired for none, CodeRefused for a wrong one, NotOn or TooManyAttempts.
    """
    if proof.device_id is None:
        return proof
    if code is None:
        raise second_factor.CodeRequired(fields={"otp": "This is required."})
    second_factor.prove(user_id=proof.user.pk, actor=actor, now=now, code=code)
    return Proof(user=proof.user, device_id=proof.device_id, proved_at=now)


@transactional
def begin(*, proof: Proof, now: datetime, lifetime: timedelta) -> RefreshToken:
    """Begin a session of tokens. Raises InvalidCredentials if the proof is no longer valid."""
    require_valid(proof)
    return sessions.begin(user_id=proof.user.pk, now=now, lifetime=lifetime, proved_by=proof.proved_by)


def require_valid(proof: Proof) -> User:
    """Lock the user in the caller's transaction and require that the proof is still valid.

    Raises InvalidCredentials if it is not.
    """
    user = User.objects.select_for_update(no_key=True).filter(pk=proof.user.pk, is_active=True).first()
    if user is None or user.get_session_auth_hash() != proof.user.get_session_auth_hash():
        raise InvalidCredentials
    if second_factor.device_id(user.pk) != proof.device_id:
        raise InvalidCredentials
    return user

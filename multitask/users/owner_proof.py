"""The fresh proof that somebody gives before they change where their money goes.

With a second factor it is a code of the last five minutes. Without one it is the password, entered for this change, and
an email address that was confirmed: the warning that follows has to reach the owner.
"""

from dataclasses import dataclass, field
from datetime import datetime

from multitask.users import accounts, credentials, second_factor
from multitask.users.actor import Actor
from multitask.users.credentials import WrongPassword
from multitask.users.errors import UserError
from multitask.users.models import User


class PasswordNeeded(UserError):
    """The change needs the password, which was not sent."""

    code = "password_required"
    message = "Enter your password to confirm this change."


class EmailUnconfirmed(UserError):
    """No email address was confirmed, so that no warning would reach the owner."""

    code = "email_unconfirmed"
    message = "Confirm your email address first: we write to you whenever your payout details change."


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerProof:
    """What a request brings: when its session was proved by the second factor, and the password if one was entered."""

    proved_at: datetime | None = None
    password: str = field(default="", repr=False)


def require(*, actor: Actor, proof: OwnerProof, now: datetime) -> User:
    """Require a fresh proof from the actor. Outside of transactions: attempts count even if the change is refused.

    Raises EmailUnconfirmed, ProofNeeded, PasswordNeeded, WrongPassword or TooManyAttempts.
    """
    user = accounts.present(actor)
    if not user.email_confirmed:
        raise EmailUnconfirmed
    if second_factor.is_on(user.pk):
        second_factor.require_fresh(user_id=user.pk, proved_at=proof.proved_at, now=now)
        return user
    if not proof.password:
        raise PasswordNeeded(fields={"password": PasswordNeeded.message})
    try:
        return credentials.require_password(actor=actor, now=now, password=proof.password)
    except WrongPassword:
        raise WrongPassword(fields={"password": WrongPassword.message}) from None


def needs_password(user_id: int) -> bool:
    """Return whether this user proves a change by the password, for lack of a second factor."""
    return not second_factor.is_on(user_id)

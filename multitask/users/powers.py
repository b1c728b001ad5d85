"""Staff powers: the role must grant the power, and a second factor must have proved the session."""

from multitask.errors import DomainError
from multitask.users.actor import Actor, Power
from multitask.users.errors import UserError


class ProofNeeded(UserError):
    """The action needs a fresh proof by the second factor."""

    code = "reauth_required"
    message = "Prove your second factor again first."


class StaffUnproved(UserError):
    """A staff member has no second factor, or the session was not proved by it."""

    code = "second_factor_required"
    message = (
        "Staff needs a second factor: switch it on in your profile, then log in with its code or prove this session."
    )


def require(actor: Actor, power: Power, refusal: DomainError) -> None:
    """Require a power, and a fresh proof where the power needs one. Raises `refusal` or ProofNeeded."""
    if not actor.may(power):
        raise refusal
    require_proof(actor, power)


def require_proof(actor: Actor, power: Power) -> None:
    """Require a fresh proof from staff that uses a power which needs one. Raises ProofNeeded."""
    if not actor.has_proof_for(power):
        raise ProofNeeded

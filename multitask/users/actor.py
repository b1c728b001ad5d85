"""Actors: passed to every command and recorded in the audit trail."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol, Self


class Role(StrEnum):
    """The capacity in which an actor acts."""

    CLIENT = "client"
    FREELANCER = "freelancer"
    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"
    SYSTEM = "system"
    VISITOR = "visitor"


class Power(StrEnum):
    """A permission over other people's objects, which a role grants."""

    READ_ANY = "read_any"
    CANCEL_TASK = "cancel_task"
    RELEASE = "release"
    REFUND = "refund"
    SETTLE_DISPUTE = "settle_dispute"
    ADJUST = "adjust"
    ANSWER_CHARGEBACK = "answer_chargeback"
    CONFIRM_IDENTITY = "confirm_identity"
    MANAGE_USERS = "manage_users"


# Reading the back office takes a session that was proved by the second factor; every other power takes a fresh proof.
NEEDS_FRESH_PROOF: frozenset[Power] = frozenset(Power) - {Power.READ_ANY}


class Assurance(IntEnum):
    """How strongly the second factor proves a request; later values include the earlier ones."""

    NONE = 0  # no second factor, or a session that was not proved by it
    SESSION = 1  # the session was proved by the present second factor
    FRESH = 2  # that was within the last five minutes


_FINANCE = frozenset(Power) - {Power.MANAGE_USERS}
POWERS: dict[Role, frozenset[Power]] = {
    Role.CLIENT: frozenset(),
    Role.FREELANCER: frozenset(),
    Role.SUPPORT: frozenset({Power.READ_ANY, Power.CONFIRM_IDENTITY}),
    Role.FINANCE: _FINANCE,
    Role.ADMIN: frozenset(Power),
    Role.SYSTEM: frozenset(Power),
    Role.VISITOR: frozenset(),
}
STAFF_ROLES = frozenset({Role.SUPPORT, Role.FINANCE, Role.ADMIN})


class Person(Protocol):
    """The part of a user that an actor is made of."""

    @property
    def pk(self) -> int:
        """The user's id."""

    @property
    def username(self) -> str:
        """The user's name."""

    @property
    def staff_role(self) -> str:
        """The staff role, or an empty string."""

    @property
    def is_client(self) -> bool:
        """Whether the user may hire."""

    @property
    def is_freelancer(self) -> bool:
        """Whether the user may be hired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One acting user or process, with the roles that the database had at the request.

    `user_id` is None for the system alone. A user may be client and freelancer at once, so
    the two flags decide what one may begin; `role` is the capacity that the audit trail shows.
    Staff whose session was not proved by a second factor acts without its staff role.
    """

    user_id: int | None
    role: Role
    label: str = ""
    ip: str | None = None
    request_id: str = ""
    is_client: bool = False
    is_freelancer: bool = False
    assurance: Assurance = Assurance.NONE

    @classmethod
    def system(cls, label: str, *, request_id: str = "") -> Self:
        """Make the actor of a job, such as `auto_release`."""
        return cls(user_id=None, role=Role.SYSTEM, label=label, request_id=request_id)

    @classmethod
    def visitor(cls, *, ip: str | None = None, request_id: str = "") -> Self:
        """Return the actor of an anonymous visitor."""
        return cls(user_id=None, role=Role.VISITOR, label="visitor", ip=ip, request_id=request_id)

    @classmethod
    def of(
        cls, user: Person, *, ip: str | None = None, request_id: str = "", assurance: Assurance = Assurance.NONE
    ) -> Self:
        """Make the actor of a person, from a user just read from the database; `assurance` is that of the session."""
        return cls(
            user_id=user.pk,
            role=_role_of(user, assurance),
            label=user.username,
            ip=ip,
            request_id=request_id,
            is_client=user.is_client,
            is_freelancer=user.is_freelancer,
            assurance=assurance,
        )

    @property
    def is_staff(self) -> bool:
        """Return whether this is a member of the staff, in any role."""
        return self.role in STAFF_ROLES

    @property
    def is_system(self) -> bool:
        """Return whether this is a process and not a person."""
        return self.role is Role.SYSTEM

    def is_user(self, user_id: int | None) -> bool:
        """Return whether the actor is that user; False for None."""
        return user_id is not None and self.user_id == user_id

    def may(self, power: Power) -> bool:
        """Return whether the role grants the power; by default it does not."""
        return power in POWERS[self.role]

    def has_proof_for(self, power: Power) -> bool:
        """Return whether the second factor was proved lately enough to use the power; processes prove nothing."""
        return self.is_system or power not in NEEDS_FRESH_PROOF or self.assurance is Assurance.FRESH


def _role_of(user: Person, assurance: Assurance) -> Role:
    if user.staff_role and assurance >= Assurance.SESSION:
        return Role(user.staff_role)
    return Role.CLIENT if user.is_client or not user.is_freelancer else Role.FREELANCER

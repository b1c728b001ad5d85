"""Actors and the powers of their roles, without a database."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from multitask.users.actor import POWERS, STAFF_ROLES, Actor, Assurance, Power, Role


@dataclass(frozen=True)
class Somebody:
    """As much of a user as an actor is made of."""

    pk: int = 7
    username: str = "ada"
    staff_role: str = ""
    is_client: bool = False
    is_freelancer: bool = False


@pytest.mark.parametrize(
    ("person", "role"),
    [
        (Somebody(is_client=True), Role.CLIENT),
        (Somebody(is_freelancer=True), Role.FREELANCER),
        (Somebody(is_client=True, is_freelancer=True), Role.CLIENT),
        (Somebody(is_client=True, staff_role="finance"), Role.FINANCE),
        (Somebody(), Role.CLIENT),
    ],
)
def test_the_staff_role_comes_first(person: Somebody, role: Role) -> None:
    actor = Actor.of(person, ip="203.0.113.9", request_id="r1", assurance=Assurance.SESSION)
    assert (actor.role, actor.user_id, actor.label) == (role, 7, "ada")
    assert (actor.ip, actor.request_id) == ("203.0.113.9", "r1")
    assert actor.is_staff is (role in STAFF_ROLES)


def test_every_role_has_its_powers_named_and_the_public_has_none() -> None:
    assert POWERS.keys() == set(Role)
    assert not POWERS[Role.CLIENT] | POWERS[Role.FREELANCER] | POWERS[Role.VISITOR]


def test_the_system_is_nobody_and_staff_may_not_change_anything_by_reading() -> None:
    system = Actor.system("auto_release")
    assert (system.user_id, system.is_system, system.is_staff) == (None, True, False)
    assert not system.is_user(None)
    support = Actor.of(Somebody(staff_role="support"), assurance=Assurance.FRESH)
    assert [power for power in Power if support.may(power)] == [Power.READ_ANY, Power.CONFIRM_IDENTITY]


@pytest.mark.parametrize(("is_freelancer", "role"), [(False, Role.CLIENT), (True, Role.FREELANCER)])
def test_staff_without_a_second_factor_behind_the_session_is_no_staff(is_freelancer: bool, role: Role) -> None:
    somebody = Somebody(staff_role="admin", is_freelancer=is_freelancer)
    unproved = Actor.of(somebody)
    assert (unproved.role, unproved.is_staff) == (role, False)
    assert not [power for power in Power if unproved.may(power)]


def test_every_power_but_reading_needs_a_fresh_proof() -> None:
    proved = Actor.of(Somebody(staff_role="admin"), assurance=Assurance.SESSION)
    assert [power for power in Power if proved.has_proof_for(power)] == [Power.READ_ANY]
    fresh = Actor.of(Somebody(staff_role="admin"), assurance=Assurance.FRESH)
    for actor in (fresh, Actor.system("silence")):
        assert all(actor.has_proof_for(power) for power in Power)


def test_an_actor_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Actor.visitor().role = Role.ADMIN  # type: ignore[misc]

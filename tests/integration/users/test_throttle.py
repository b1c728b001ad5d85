"""Rate limits: visitors are limited by IPv4 address or /64; attempts by others do not lock out the owner."""

from datetime import UTC, datetime, timedelta

import pytest

from multitask.users import accounts, credentials, second_factor, throttle
from multitask.users.actor import Actor
from multitask.users.models import LoginAttempt, User
from tests.integration.pages.codes import PASSWORD, phone_shows, switch_on

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
OWNER = "203.0.113.9"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.com", PASSWORD, is_client=True)


def sign_in(name: str = "ada", *, ip: str = OWNER, password: str = PASSWORD, now: datetime = NOW) -> User:
    return accounts.authenticate(actor=Actor.visitor(ip=ip), now=now, identifier=name, password=password)


def besiege(name: str, *, purpose: str = "login", failures: int = 210, now: datetime = NOW) -> None:
    """Write down as many failures, each from another address."""
    LoginAttempt.objects.bulk_create(
        LoginAttempt(purpose=purpose, identifier=name, ip=f"198.51.{number // 250}.{number % 250}", attempted_at=now)
        for number in range(failures)
    )


def tries(name: str, ip: str, *, now: datetime = NOW) -> int:
    """How many wrong passwords are looked at before a visitor is refused."""
    for number in range(100):
        try:
            sign_in(name, ip=ip, password="guess", now=now)
        except accounts.InvalidCredentials:
            continue
        except throttle.TooManyAttempts:
            return number
    raise AssertionError("nobody was refused")


@pytest.mark.parametrize("name", ["ada", "ada@example.com"])
def test_the_failures_of_others_do_not_lock_the_owner_out(ada: User, name: str) -> None:
    besiege(name)
    assert sign_in(name) == ada


@pytest.mark.parametrize("name", ["ada", "ada@example.com", "nobody", "nobody@example.com"])
def test_of_an_account_under_attack_an_unknown_visitor_has_fewer_tries(ada: User, name: str) -> None:
    assert tries(name, OWNER) == 10
    besiege(name)
    assert tries(name, "203.0.113.10") == 3


def test_an_address_from_which_the_account_signed_in_keeps_its_tries_for_a_month(ada: User) -> None:
    sign_in()
    for days, left in ((29, 10), (31, 3)):
        now = NOW + timedelta(days=days)
        besiege("ada", now=now)
        assert tries("ada", OWNER, now=now) == left


def test_a_64_of_ipv6_is_one_visitor(ada: User) -> None:
    for last in range(10):
        with pytest.raises(accounts.InvalidCredentials):
            sign_in(ip=f"2001:db8:1:2:{last}::{last}", password="guess")
    with pytest.raises(throttle.TooManyAttempts):
        sign_in(ip="2001:db8:1:2:ffff::1")
    assert sign_in(ip="2001:db8:1:3::1") == ada


def test_an_ipv4_address_is_the_same_visitor_when_it_is_mapped_into_ipv6(ada: User) -> None:
    for number in range(10):
        with pytest.raises(accounts.InvalidCredentials):
            sign_in(ip=OWNER if number % 2 else f"::ffff:{OWNER}", password="guess")
    for ip in (OWNER, f"::ffff:{OWNER}"):
        with pytest.raises(throttle.TooManyAttempts):
            sign_in(ip=ip)
    assert sign_in(ip="::ffff:203.0.113.10") == ada


# -- people who share a visitor


def fail_on_others(ip: str, *, failures: int = 61, now: datetime = NOW) -> None:
    """Fail on many other names until the visitor is refused."""
    for number in range(failures):
        with pytest.raises((accounts.InvalidCredentials, throttle.TooManyAttempts)):
            sign_in(f"somebody{number}", ip=ip, password="guess", now=now)


@pytest.mark.parametrize("name", ["ada", "ada@example.com"])
def test_failures_on_other_names_do_not_lock_an_owner_out_of_a_known_address(ada: User, name: str) -> None:
    sign_in(name)
    fail_on_others(OWNER)
    assert sign_in(name) == ada
    with pytest.raises(throttle.TooManyAttempts):
        sign_in("ada" if "@" in name else "ada@example.com")


def test_the_neighbours_of_a_64_do_not_lock_an_owner_out_of_a_known_address(ada: User) -> None:
    mine = "2001:db8:1:2::7"
    sign_in(ip=mine)
    for last in range(10):
        with pytest.raises(accounts.InvalidCredentials):
            sign_in(ip=f"2001:db8:1:2:ffff::{last}", password="guess")
    with pytest.raises(throttle.TooManyAttempts):
        sign_in(ip="2001:db8:1:2:ffff::1")
    assert sign_in(ip=mine) == ada


def test_a_known_address_keeps_five_tries_for_the_account_for_a_month(ada: User) -> None:
    sign_in()
    for days, left in ((29, 5), (31, 0)):
        now = NOW + timedelta(days=days)
        fail_on_others(OWNER, now=now)
        assert tries("ada", OWNER, now=now) == left


def test_a_known_address_gets_no_more_than_the_ordinary_tries_on_its_own(ada: User) -> None:
    sign_in()
    assert tries("ada", OWNER) == 10


@pytest.mark.parametrize(
    ("ip", "visitor"),
    [
        (None, None),
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:a:b:c:d:e:f", "2001:db8:a:b::"),
        ("::1", "::"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_a_visitor_counts_by_one_address(ip: str | None, visitor: str | None) -> None:
    assert throttle.visitor(ip) == visitor


@pytest.mark.parametrize("strange", ["\u212aate", "\u212aate@example.com"])
def test_a_strange_letter_counts_against_nobody_elses_name(strange: str) -> None:
    User.objects.create_user("kate", "kate@example.com", PASSWORD, is_client=True)
    assert tries(strange, OWNER) == 10
    for name in ("kate", "kate@example.com"):
        assert sign_in(name).username == "kate"
    with pytest.raises(accounts.InvalidCredentials):
        sign_in(strange, ip="203.0.113.10")


# -- the second factor, and the password that is asked for again


def prove(ada: User, ip: str, code: str, now: datetime = NOW) -> None:
    second_factor.prove(user_id=ada.pk, actor=Actor.visitor(ip=ip), now=now, code=code)


def test_codes_are_guessed_ten_times_in_all_by_unknown_visitors_however_many_they_are(ada: User) -> None:
    switch_on(ada)
    besiege(str(ada.pk), purpose="second factor", failures=10)
    with pytest.raises(throttle.TooManyAttempts):
        prove(ada, OWNER, phone_shows(ada.pk, NOW))


def test_an_address_that_gave_a_code_before_keeps_its_own_tries(ada: User) -> None:
    switch_on(ada)
    prove(ada, OWNER, phone_shows(ada.pk, NOW))
    later = NOW + timedelta(hours=1)
    besiege(str(ada.pk), purpose="second factor", failures=50, now=later)
    for _ in range(4):
        with pytest.raises(second_factor.CodeRefused):
            prove(ada, OWNER, "000000", later)
    prove(ada, OWNER, phone_shows(ada.pk, later), later)
    with pytest.raises(second_factor.CodeRefused):
        prove(ada, OWNER, "000000", later)
    with pytest.raises(throttle.TooManyAttempts):
        prove(ada, OWNER, phone_shows(ada.pk, later), later)


def test_a_stolen_session_does_not_keep_the_owner_from_changing_the_password(ada: User) -> None:
    besiege(str(ada.pk), purpose="password", failures=30)
    actor = Actor.of(ada, ip=OWNER)
    credentials.change_password(actor=actor, now=NOW, current=PASSWORD, password="a-much-better-secret")


def test_what_a_clock_that_was_ahead_has_counted_locks_nobody_out(ada: User) -> None:
    ahead = NOW + timedelta(hours=3)
    tries("ada", OWNER, now=ahead)
    assert sign_in("ada") == ada

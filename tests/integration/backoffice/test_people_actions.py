"""What administrators do about people: roles, accounts that are closed, a second factor that was lost."""

from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.users import second_factor
from multitask.users.models import User
from tests import mailbag
from tests.integration.backoffice import addresses
from tests.integration.backoffice.test_actions import WHY, Browser, audited, do, told
from tests.payments_world import World, user_id


def test_staff_roles_are_given_and_taken_by_administrators(world: World, browser: Browser) -> None:
    admin, person = world.staff("admin"), world.client()
    inside = browser(admin)
    do(inside, "staff-role", user_id(person), staff_role="finance")
    user = User.objects.get(pk=user_id(person))
    assert (user.staff_role, user.is_staff, user.is_superuser) == ("finance", True, False)
    assert audited("staff_role_set", admin).details == {"from": "none", "to": "finance"}
    do(inside, "staff-role", user_id(person), staff_role="")
    user.refresh_from_db()
    assert (user.staff_role, user.is_staff) == ("", False)


def test_accounts_are_closed_and_opened_again(world: World, browser: Browser) -> None:
    admin, person = world.staff("admin"), world.client()
    inside, theirs = browser(admin), browser(person)
    do(inside, "close-account", user_id(person))
    assert not User.objects.get(pk=user_id(person)).is_active
    assert theirs.get("/wallet/").status_code == 302
    assert audited("account_closed", admin).user_id == person.user_id
    do(inside, "reopen-account", user_id(person))
    assert User.objects.get(pk=user_id(person)).is_active
    audited("account_reopened", admin)


def test_whoever_has_lost_the_phone_is_let_in_again_by_an_administrator(world: World, browser: Browser) -> None:
    admin, person = world.staff("admin"), world.freelancer()
    TOTPDevice.objects.create(user_id=user_id(person), name="phone", confirmed=True)
    inside, page = browser(admin), addresses.change(User.objects.get(pk=user_id(person)))
    assert addresses.action("second-factor-off", user_id(person)) in told(inside, page)
    do(inside, "second-factor-off", user_id(person))
    assert not second_factor.is_on(user_id(person))
    assert audited("second_factor_removed", admin).user_id == person.user_id
    assert addresses.action("second-factor-off", user_id(person)) not in told(inside, page)
    assert [letter.subject for letter in mailbag.empty()] == ["Two-step sign-in is off"]


def test_nobody_changes_their_own_role(world: World, browser: Browser) -> None:
    admin = world.staff("admin")
    inside = browser(admin)
    page = told(inside, addresses.change(User.objects.get(pk=user_id(admin))))
    assert "Nobody changes their own role." in page
    answer = inside.post(addresses.action("staff-role", admin.user_id), {"note": WHY, "staff_role": ""})
    assert answer.status_code == 409
    assert User.objects.get(pk=user_id(admin)).staff_role == "admin"

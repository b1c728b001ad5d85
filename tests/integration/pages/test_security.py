"""Two-step sign-in: setting it up, what it guards on the pages and in the API, and that no code works twice."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.payments.models import Withdrawal
from multitask.users import accounts, credentials, second_factor, sessions
from multitask.users.actor import Actor, Assurance
from multitask.users.models import LoginAttempt, User
from multitask.users.second_factor import CodeRefused
from multitask.users.throttle import TooManyAttempts
from tests import mailbag
from tests.acceptance.clients import Caller
from tests.integration.pages.codes import PASSWORD, fresh_code, phone_shows, switch_on
from tests.integration.pages.reading import text_of
from tests.integration.pages.test_account import is_in, signed_in
from tests.payments_world import World, dollars, user_id

pytestmark = pytest.mark.django_db

VISITOR = Actor.visitor(ip="203.0.113.9")
PREVIEW = "/wallet/withdraw/confirm/"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.com", PASSWORD, is_freelancer=True)


@pytest.fixture
def codes(ada: User) -> list[str]:
    """Ada has a second factor; these are her recovery codes."""
    return switch_on(ada)


def half_way(name: str = "ada", **more: str) -> Client:
    """A browser in which the right password was given, and no code yet."""
    found = Client()
    answer = found.post("/sign-in/", {"identifier": name, "password": PASSWORD} | more)
    assert answer["Location"].startswith("/sign-in/code/")
    return found


def proved(user: User) -> Client:
    """A browser of somebody who has signed in with both steps just now."""
    found = half_way(user.username)
    assert found.post("/sign-in/code/", {"otp": fresh_code(user.pk)}).status_code == 302
    return found


def let_the_proof_age(found: Client) -> None:
    session = found.session
    session["second_factor_proved_at"] -= int(second_factor.FRESH.total_seconds()) + 1
    session.save()


# -- setting it up


def test_it_is_set_up_with_the_password_and_a_first_code(ada: User) -> None:
    browser = signed_in("ada")
    assert browser.post("/security/begin/", {"current": "guess"}).status_code == 422
    assert not TOTPDevice.objects.exists()
    assert browser.post("/security/begin/", {"current": PASSWORD})["Location"] == "/security/"
    shown = browser.get("/security/").content.decode()
    assert 'src="data:image/svg+xml' in shown
    assert not second_factor.is_on(ada.pk)
    wrong = browser.post("/security/confirm/", {"otp": "12345"})
    assert wrong.status_code == 422
    assert "This code is not right" in text_of(wrong)
    answer = browser.post("/security/confirm/", {"otp": phone_shows(ada.pk)})
    written = re.findall(r"<code>([a-z2-9-]{19})</code>", answer.content.decode())
    assert len(set(written)) == second_factor.RECOVERY_CODES
    assert second_factor.is_on(ada.pk)
    assert [letter.subject for letter in mailbag.empty()] == ["Two-step sign-in is on"]
    stored = set(StaticToken.objects.values_list("token", flat=True))
    assert not stored & {code.replace("-", "") for code in written}
    assert browser.post("/security/confirm/", {"otp": phone_shows(ada.pk)})["Location"] == "/security/"


def test_a_secret_that_was_never_confirmed_asks_for_nothing(ada: User) -> None:
    browser = signed_in("ada")
    browser.post("/security/begin/", {"current": PASSWORD})
    assert is_in(signed_in("ada"))
    browser.post("/security/cancel/")
    assert not TOTPDevice.objects.exists()


def test_beginning_again_makes_another_secret_and_never_touches_one_in_use(ada: User) -> None:
    browser = signed_in("ada")
    browser.post("/security/begin/", {"current": PASSWORD})
    first = TOTPDevice.objects.get().key
    browser.post("/security/begin/", {"current": PASSWORD})
    assert TOTPDevice.objects.get().key != first
    browser.post("/security/confirm/", {"otp": phone_shows(ada.pk)})
    used = TOTPDevice.objects.get().key
    again = browser.post("/security/begin/", {"current": PASSWORD}, follow=True)
    assert "Two-step sign-in is on already." in text_of(again)
    browser.post("/security/cancel/")
    assert TOTPDevice.objects.get().key == used


def waits(user: User, minutes: int = 0) -> None:
    """Return a user who began to set up a second factor some minutes ago."""
    then = timezone.now() - timedelta(minutes=minutes)
    second_factor.begin(actor=Actor.of(user, ip="203.0.113.9"), now=then, password=PASSWORD)


@pytest.mark.parametrize("end", ["password", "sessions"])
def test_a_secret_that_waits_ends_with_the_sessions(ada: User, end: str) -> None:
    waits(ada)
    code, now = phone_shows(ada.pk), timezone.now()
    if end == "password":
        credentials.change_password(actor=Actor.of(ada), now=now, current=PASSWORD, password="a-much-better-secret")
    else:
        sessions.end_all(user_id=ada.pk, now=now)
    with pytest.raises(second_factor.NotOn):
        second_factor.confirm(actor=Actor.of(ada), now=now, code=code)
    assert not TOTPDevice.objects.exists()


def test_the_end_of_all_sessions_leaves_a_second_factor_in_use(ada: User, codes: list[str]) -> None:
    sessions.end_all(user_id=ada.pk, now=timezone.now())
    assert second_factor.is_on(ada.pk)


def test_a_secret_waits_a_quarter_of_an_hour(ada: User) -> None:
    waits(ada, minutes=14)
    browser = signed_in("ada")
    assert "data:image/svg+xml" in browser.get("/security/").content.decode()
    waits(ada, minutes=16)
    assert "data:image/svg+xml" not in browser.get("/security/").content.decode()
    late = browser.post("/security/confirm/", {"otp": phone_shows(ada.pk)}, follow=True)
    assert "This key is no longer waiting to be confirmed." in text_of(late)
    assert not second_factor.is_on(ada.pk)


def test_it_is_switched_off_with_a_code_alone(ada: User, codes: list[str]) -> None:
    browser = proved(ada)
    assert browser.post("/security/off/", {"otp": "000000"}).status_code == 422
    assert second_factor.is_on(ada.pk)
    assert browser.post("/security/off/", {"otp": fresh_code(ada.pk)})["Location"] == "/security/"
    assert not second_factor.is_on(ada.pk)
    assert not StaticToken.objects.exists()
    assert is_in(signed_in("ada"))
    assert "Two-step sign-in is off" in [letter.subject for letter in mailbag.empty()]
    assert browser.post("/security/off/", {"otp": "000000"})["Location"] == "/security/"


# -- signing in


def test_the_password_alone_lets_nobody_in(ada: User, codes: list[str]) -> None:
    browser = half_way(next="/wallet/")
    assert not is_in(browser)
    assert browser.get("/payments/wallet/").status_code == 401
    answer = browser.post("/sign-in/code/?next=/wallet/", {"otp": fresh_code(ada.pk), "next": "/wallet/"})
    assert answer["Location"] == "/wallet/"
    assert is_in(browser)


def test_a_form_that_asks_for_no_code_lets_nobody_in_who_has_one(ada: User, codes: list[str]) -> None:
    request = RequestFactory().post("/")
    assert authenticate(request, username="ada", password=PASSWORD) is None
    User.objects.create_user("eve", "eve@example.com", PASSWORD, is_client=True)
    assert authenticate(request, username="eve", password=PASSWORD) is not None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "0x1234", " ", "-1"])
def test_a_bad_code_is_refused(ada: User, codes: list[str], code: str) -> None:
    browser = half_way()
    answer = browser.post("/sign-in/code/", {"otp": code})
    assert answer.status_code == 422
    assert not is_in(browser)


def test_a_code_works_once(ada: User, codes: list[str]) -> None:
    code = fresh_code(ada.pk)
    assert half_way().post("/sign-in/code/", {"otp": code}).status_code == 302
    again = half_way()
    assert again.post("/sign-in/code/", {"otp": code}).status_code == 422
    assert not is_in(again)


def test_a_code_of_the_last_half_minute_still_works_and_an_older_one_does_not(ada: User, codes: list[str]) -> None:
    for now in (timezone.now(), timezone.now() + timedelta(hours=1)):  # Using an earlier code moves no window.
        old, late = (phone_shows(ada.pk, now - timedelta(seconds=30 * steps)) for steps in (2, 1))
        with pytest.raises(CodeRefused):
            second_factor.prove(user_id=ada.pk, actor=VISITOR, now=now, code=old)
        second_factor.prove(user_id=ada.pk, actor=VISITOR, now=now, code=late)


def test_guessing_codes_is_slowed_down_however_often_the_password_is_given(ada: User, codes: list[str]) -> None:
    for _ in range(5):
        half_way().post("/sign-in/code/", {"otp": "000000"})
    answer = half_way().post("/sign-in/code/", {"otp": fresh_code(ada.pk)})
    assert "Too many attempts." in text_of(answer)
    LoginAttempt.objects.update(attempted_at=timezone.now() - timedelta(minutes=16))
    assert half_way().post("/sign-in/code/", {"otp": fresh_code(ada.pk)}).status_code == 302


def test_guessing_from_many_addresses_is_slowed_down_too(ada: User, codes: list[str]) -> None:
    for last in range(10):
        with pytest.raises(CodeRefused):
            second_factor.prove(
                user_id=ada.pk, actor=Actor.visitor(ip=f"203.0.113.{last}"), now=timezone.now(), code="000000"
            )
    with pytest.raises(TooManyAttempts):
        second_factor.prove(user_id=ada.pk, actor=VISITOR, now=timezone.now(), code=fresh_code(ada.pk))


@pytest.mark.parametrize("change", ["late", "password", "closed"])
def test_pending_sign_in_counts_for_ten_minutes_and_one_password(ada: User, codes: list[str], change: str) -> None:
    browser = half_way()
    if change == "late":
        session = browser.session
        session["pending_sign_in"] = {**session["pending_sign_in"], "at": int(timezone.now().timestamp()) - 601}
        session.save()
    elif change == "password":
        ada.set_password("another-good-secret")
        ada.save()
    else:
        User.objects.update(is_active=False)
    answer = browser.post("/sign-in/code/", {"otp": fresh_code(ada.pk)})
    assert answer["Location"].startswith("/sign-in/?")
    assert not is_in(browser)


def test_the_code_page_alone_is_of_no_use() -> None:
    assert Client().get("/sign-in/code/")["Location"].startswith("/sign-in/?")


# -- recovery codes


def test_a_recovery_code_lets_in_once_however_it_is_written(ada: User, codes: list[str]) -> None:
    first = codes[0].upper().replace("-", " ")
    assert half_way().post("/sign-in/code/", {"otp": first}).status_code == 302
    assert half_way().post("/sign-in/code/", {"otp": codes[0]}).status_code == 422
    assert second_factor.codes_left(ada.pk) == len(codes) - 1
    assert [letter.subject for letter in mailbag.empty()][-1] == "A recovery code was used"


def test_nobody_elses_recovery_code_works(ada: User, codes: list[str]) -> None:
    eve = User.objects.create_user("eve", "eve@example.com", PASSWORD, is_client=True)
    switch_on(eve)
    assert half_way("eve").post("/sign-in/code/", {"otp": codes[0]}).status_code == 422


def test_new_recovery_codes_end_the_earlier_ones(ada: User, codes: list[str]) -> None:
    browser = proved(ada)
    assert browser.post("/security/codes/", {"otp": "000000"}).status_code == 422
    answer = browser.post("/security/codes/", {"otp": codes[1]})
    fresh = re.findall(r"<code>([a-z2-9-]{19})</code>", answer.content.decode())
    assert len(fresh) == second_factor.RECOVERY_CODES
    assert half_way().post("/sign-in/code/", {"otp": codes[2]}).status_code == 422
    assert half_way().post("/sign-in/code/", {"otp": fresh[0]}).status_code == 302


def test_an_administrator_takes_away_a_factor_that_was_lost(ada: User, codes: list[str]) -> None:
    with pytest.raises(accounts.NotAllowed):
        second_factor.remove(actor=Actor.of(ada), now=timezone.now(), user_id=ada.pk)
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    second_factor.remove(actor=Actor.of(root, assurance=Assurance.FRESH), now=timezone.now(), user_id=ada.pk)
    assert is_in(signed_in("ada"))


# -- asked again where money leaves


def test_without_a_second_factor_nothing_is_asked(ada: User) -> None:
    browser = signed_in("ada")
    assert browser.get("/security/prove/?next=/wallet/")["Location"] == "/wallet/"
    assert "/security/" not in browser.get(f"{PREVIEW}?amount=1.00").get("Location", "")


@pytest.fixture
def worker(world: World) -> User:
    """A freelancer with 85 dollars to withdraw and a second factor."""
    job = world.settled()
    user = User.objects.get(pk=user_id(job.freelancer))
    user.set_password(PASSWORD)
    user.save()
    switch_on(user)
    return user


def test_a_withdrawal_asks_for_a_fresh_code_and_goes_on_with_what_was_typed(world: World, worker: User) -> None:
    browser = proved(worker)
    let_the_proof_age(browser)
    form = {
        "amount": "85.00",
        "currency": "USD",
        "request_key": "8f14e45f-ceea-467f-9575-6a1b1f1d2c3b",
    }
    refused = browser.post(PREVIEW, form)
    assert refused["Location"].startswith("/security/prove/?next=")
    assert not Withdrawal.objects.exists()
    asked = browser.get(refused["Location"])
    back = re.findall(r'name="next" value="([^"]+)"', asked.content.decode())[0].replace("&amp;", "&")
    wrong = browser.post("/security/prove/", {"otp": "000000", "next": back})
    assert wrong.status_code == 422
    assert not Withdrawal.objects.exists()
    right = browser.post("/security/prove/", {"otp": fresh_code(worker.pk), "next": back})
    preview = browser.get(right["Location"])
    assert (preview.status_code, form["request_key"] in preview.content.decode()) == (200, True)
    assert browser.post(PREVIEW, form).status_code == 302
    assert Withdrawal.objects.get().amount == dollars("85.00")


def test_a_proof_does_not_outlive_its_session_or_pass_to_another(world: World, worker: User) -> None:
    stale = proved(worker)
    let_the_proof_age(stale)
    proved(worker)
    assert stale.post(PREVIEW, {"amount": "85.00"})["Location"].startswith("/security/prove/")
    fresh = proved(worker)
    fresh.post("/sign-out/")
    assert fresh.post(PREVIEW, {"amount": "85.00"})["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(("method", "path"), [("post", "/onboarding/start/"), ("get", "/onboarding/refresh/")])
def test_bank_details_are_changed_after_a_fresh_code(world: World, worker: User, method: str, path: str) -> None:
    browser = proved(worker)
    let_the_proof_age(browser)
    refused = getattr(browser, method)(path)
    assert refused["Location"].startswith("/security/prove/?next=%2Fonboarding%2F")
    browser.post("/security/prove/", {"otp": fresh_code(worker.pk)})
    assert getattr(browser, method)(path)["Location"].startswith("http")


# -- the API


def login(**more: str) -> Any:
    return Caller(Client()).post("/api/auth/login/", {"username": "ada", "password": PASSWORD} | more)


def test_the_api_asks_for_the_code_with_the_password(ada: User, codes: list[str]) -> None:
    without = login()
    assert (without.status, without.code, list(without.json["fields"])) == (401, "otp_required", ["otp"])
    wrong = login(otp="000000")
    assert (wrong.status, wrong.code) == (403, "otp_invalid")
    code = fresh_code(ada.pk)
    right = login(otp=code)
    assert right.status == 200
    assert login(otp=code).code == "otp_invalid"
    assert login(otp=codes[0]).status == 200


def test_too_many_codes_are_refused_with_the_time_to_wait(ada: User, codes: list[str]) -> None:
    for _ in range(5):
        login(otp="000000")
    answer = login(otp=fresh_code(ada.pk))
    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) > 0


def withdraw(caller: Caller, **headers: str) -> Any:
    return caller.post("/payments/withdrawals/create/", {"amount": "10.00"}, **headers)


def test_a_token_with_a_stale_proof_withdraws_nothing_until_it_is_renewed(world: World, worker: User) -> None:
    body = {"username": worker.username, "password": PASSWORD, "otp": fresh_code(worker.pk)}
    tokens = Caller(Client()).post("/api/auth/login/", body).json
    assert withdraw(Caller(Client(), token=tokens["access"])).status == 201
    # A refreshed token tells of no proof, however fresh the session's login is.
    renewed = Caller(Client()).post("/api/auth/token/refresh/", {"refresh": tokens["refresh"]}).json
    caller = Caller(Client(), token=renewed["access"])
    for answer in (withdraw(caller), caller.post("/payments/connect/onboarding/")):
        assert (answer.status, answer.code) == (403, "reauth_required")
    assert Withdrawal.objects.count() == 1
    assert caller.post("/api/auth/second-factor/", {"otp": "000000"}).code == "otp_invalid"
    proof = caller.post("/api/auth/second-factor/", {"otp": fresh_code(worker.pk)})
    assert proof.status == 200
    assert withdraw(Caller(Client(), token=proof.json["access"])).status == 201
    assert withdraw(caller).code == "reauth_required"


def test_a_pages_session_is_held_to_the_same_by_the_api(world: World, worker: User) -> None:
    browser = proved(worker)
    assert withdraw(Caller(browser)).status == 201
    let_the_proof_age(browser)
    assert withdraw(Caller(browser)).code == "reauth_required"
    assert Withdrawal.objects.count() == 1


def test_whoever_has_no_second_factor_cannot_prove_one(ada: User) -> None:
    caller = Caller(Client(), token=login().json["access"])
    answer = caller.post("/api/auth/second-factor/", {"otp": "123456"})
    assert (answer.status, answer.code) == (409, "second_factor_off")

"""The wallet's pages: what is shown of real money, and one withdrawal however often it is asked for."""

import re
import uuid
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask.money import Money
from multitask.payments.escrow import disputes
from multitask.payments.models import ConnectedAccount, Escrow, Payment, Withdrawal
from multitask.payments.payouts import withdrawal_outcomes
from multitask.payments.provider import PayoutState, PayoutStatus
from multitask.payments.reads import pending_reasons, trends
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.pages.base import dates
from tests.integration.pages import codes
from tests.integration.pages.reading import MOST_STATEMENTS, text_of
from tests.payments_world import CONTESTED, World, dollars, user_id

SignIn = Callable[[Actor], Client]


def _key() -> str:
    return str(uuid.uuid4())


# -- what is where


def test_strangers_are_sent_to_sign_in(db: None, client: Client) -> None:
    for address in ("/wallet/", "/wallet/withdraw/", "/wallet/withdraw/confirm/", "/wallet/withdrawals/"):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")


def test_an_empty_wallet_says_what_to_do_first(world: World, sign_in: SignIn) -> None:
    words = text_of(sign_in(world.freelancer(onboarded=False)).get("/wallet/"))
    assert "$0.00" in words
    assert "Nothing has happened in your wallet yet." in words
    assert "Set up your payout account" in words


def test_each_currency_has_its_card(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    world.released(Money(5000, "EUR"), freelancer=freelancer)
    html = sign_in(freelancer).get("/wallet/").content.decode()
    assert 'id="wallet-USD"' in html
    assert 'id="wallet-EUR"' in html
    assert "$85.00" in html
    assert "€42.50" in html


def test_the_wallet_is_shown_by_few_statements_and_small(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    world.released(freelancer=freelancer)
    world.withdrawn(freelancer, dollars("20.00"))
    browser = sign_in(freelancer)
    with CaptureQueriesContext(connection) as statements:
        answer = browser.get("/wallet/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert len(statements) <= MOST_STATEMENTS, [each["sql"] for each in statements]
    assert len(answer.content) < 30_000


def test_a_client_sees_escrow_and_spending_and_no_withdrawals(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    words = text_of(sign_in(job.client).get("/wallet/"))
    assert "In escrow · USD $100.00" in words
    assert "Spent by month" in words
    assert "Withdraw" not in words


# -- what pending money waits for


def test_pending_money_names_the_day_it_becomes_available(world: World, sign_in: SignIn) -> None:
    job = world.released()
    Payment.objects.filter(pk=job.payment.pk).update(available_at=world.now + timedelta(days=3))
    words = text_of(sign_in(job.freelancer).get("/wallet/"))
    assert "Available on" in words
    assert "Settling at the payment provider." in words
    assert "$85.00" in words


def test_pending_money_that_waits_for_onboarding_has_its_button(world: World, sign_in: SignIn) -> None:
    job = world.released(freelancer=world.freelancer(onboarded=False))
    answer = sign_in(job.freelancer).get("/wallet/")
    assert "Waits for your payout account: set it up and the money moves on." in text_of(answer)
    assert "Set up payouts" in text_of(answer)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"details_submitted": False}, pending_reasons.Reason.INCOMPLETE),
        (
            {"details_submitted": True, "requirements": {"currently_due": ["external_account"]}},
            pending_reasons.Reason.INCOMPLETE,
        ),
        ({"details_submitted": True, "requirements": {"currently_due": []}}, pending_reasons.Reason.CHECKED),
    ],
)
def test_an_unfinished_account_says_whose_turn_it_is(world: World, state: dict[str, object], reason: str) -> None:
    job = world.released()
    ConnectedAccount.objects.update(transfers_enabled=False, **state)
    (hold,) = _holds(world, job.freelancer)
    assert hold.reason == reason


def test_money_of_one_day_is_one_line(world: World) -> None:
    freelancer = world.freelancer()
    jobs = [world.released(freelancer=freelancer) for _ in range(3)]
    early = [jobs[0].payment.pk, jobs[1].payment.pk]
    at = world.now.replace(hour=10)
    Payment.objects.filter(pk__in=early).update(available_at=at + timedelta(days=1))
    Payment.objects.filter(pk=jobs[2].payment.pk).update(available_at=at + timedelta(days=2))
    found = _holds(world, freelancer)
    assert [(hold.amount, len(hold.about)) for hold in found] == [(dollars("170.00"), 2), (dollars("85.00"), 1)]


def test_a_chargeback_holds_the_money_of_its_escrow(world: World, sign_in: SignIn) -> None:
    job = world.released(card=CONTESTED)
    world.hear()
    assert Escrow.objects.get(pk=job.escrow.pk).frozen_at is not None
    words = text_of(sign_in(job.freelancer).get("/wallet/"))
    held = "Held: the cardholder&#x27;s bank contests the payment or asks about it; our staff answers the bank."
    assert held in words
    assert "Held $85.00" in words


def test_a_dispute_says_whose_money_waits_and_where_to_look(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="It is late.", now=world.now)
    answer = sign_in(job.freelancer).get("/wallet/")
    assert "“Draw a logo” is in dispute: its money stays in escrow until our staff has settled it." in text_of(answer)
    assert f'href="/tasks/{job.task_id}/payment/"' in answer.content.decode()


def _holds(world: World, freelancer: Actor) -> list[pending_reasons.PendingAmount]:
    account = ConnectedAccount.objects.get(user_id=user_id(freelancer))
    found = pending_reasons.pending_funds(
        user_id=user_id(freelancer), account=account, now=world.now, zone=dates.reader_zone()
    )
    return found.amounts


# -- how it grew


def test_earnings_are_what_the_wallet_grew_by_and_what_was_paid_out(world: World) -> None:
    today = dates.start_of_day(_today())
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    world.settled(dollars("200.00"), freelancer=freelancer)
    world.arrive(world.withdrawn(freelancer, dollars("100.00")))
    failed = world.withdrawn(freelancer, dollars("30.00"))
    withdrawal_outcomes.confirm("stripe", _failed(failed), world.now)
    months = [today - timedelta(days=1), today, today + timedelta(days=2)]
    found = trends.of_wallet(user_id(freelancer), "USD", moments=[months[0], months[2]], months=months)
    assert [point.amount for point in found.earned] == [dollars("0.00"), dollars("255.00")]
    assert [point.amount for point in found.balance] == [dollars("0.00"), dollars("155.00")]


def test_a_payout_that_came_back_was_not_earned_twice(world: World) -> None:
    today = dates.start_of_day(_today())
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    paid = world.arrive(world.withdrawn(freelancer, dollars("85.00")))
    withdrawal_outcomes.confirm("stripe", _failed(paid), world.now)
    months = [today, today + timedelta(days=2)]
    found = trends.of_wallet(user_id(freelancer), "USD", moments=months, months=months)
    assert [point.amount for point in found.earned] == [dollars("85.00")]


def test_charts_have_words_and_a_table(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    html = sign_in(job.freelancer).get("/wallet/").content.decode()
    assert 'role="img" aria-label="Balance over the last 90 days: from $0.00 to $85.00' in html
    assert 'aria-label="Earnings by month: $85.00 in all' in html
    assert html.count("<caption>") == 2
    assert "style=" not in html


def test_spending_is_less_what_came_back(world: World) -> None:
    job = world.funded()
    world.refund(job, amount=dollars("40.00"))
    world.work()
    world.learn_of_refund(job.refund)
    months = [world.now - timedelta(days=1), world.now + timedelta(days=1)]
    found = trends.spent(user_id(job.client), "USD", months=months)
    assert [point.amount for point in found] == [dollars("60.00")]


def _today() -> date:
    """The day on which a test begins, which may end on the next one."""
    return timezone.localdate()


def _failed(withdrawal: Withdrawal) -> PayoutState:
    return PayoutState(
        id=str(withdrawal.provider_payout_id),
        status=PayoutStatus.FAILED,
        amount=withdrawal.amount,
        account_id=str(withdrawal.account.provider_account_id),
        failure_code="account_closed",
    )


# -- withdrawing


def test_the_form_offers_all_that_is_available(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    html = sign_in(job.freelancer).get("/wallet/withdraw/").content.decode()
    assert "?currency=USD&amp;amount=85.00" in html
    assert 'value="85.00"' in sign_in(job.freelancer).get("/wallet/withdraw/?amount=85.00").content.decode()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "This field is required."),
        ("abc", "Write the amount as a number, like 85.00."),
        ("1e2", "Write the amount as a number, like 85.00."),
        ("-5", "The amount has to be more than zero."),
        ("0", "The amount has to be more than zero."),
        ("1.234", "This currency does not have that many decimals."),
        ("85.01", "Your available balance does not cover this amount."),
        ("99999999999999999999", "The amount is more than is left."),
        ("<b>5</b>", "Write the amount as a number, like 85.00."),
    ],
)
def test_bad_amounts_are_answered_beside_the_field(world: World, sign_in: SignIn, written: str, words: str) -> None:
    job = world.settled()
    answer = sign_in(job.freelancer).get("/wallet/withdraw/confirm/", {"amount": written, "currency": "USD"})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert words in html
    assert 'aria-invalid="true"' in html
    assert "<b>5</b>" not in html
    assert not Withdrawal.objects.exists()


def test_the_preview_shows_fee_arrival_and_what_stays(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser = sign_in(job.freelancer)
    with CaptureQueriesContext(connection) as statements:
        words = text_of(browser.get("/wallet/withdraw/confirm/", {"amount": "60.00", "currency": "USD"}))
    assert "Your bank receives $60.00" in words
    assert "Stays available $25.00" in words
    assert "Usually arrives between" in words
    assert len(statements) <= MOST_STATEMENTS
    assert not Withdrawal.objects.exists()


def test_a_withdrawal_is_confirmed_and_followed_to_the_bank(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser = sign_in(job.freelancer)
    answer = browser.post(
        "/wallet/withdraw/confirm/", {"amount": "60.00", "currency": "USD", "request_key": _key()}, follow=True
    )
    assert "Your withdrawal has begun." in text_of(answer)
    assert 'hx-trigger="every 3s"' in answer.content.decode()
    (withdrawal,) = Withdrawal.objects.all()
    world.work()
    withdrawal.refresh_from_db()
    world.arrive(withdrawal)
    address = f"/wallet/withdrawals/{withdrawal.public_id}/"
    assert "Paid to your bank" in text_of(browser.get(address))
    assert "hx-trigger" not in browser.get(address, headers={"HX-Request": "true"}).content.decode()


def test_a_withdrawal_sent_twice_happens_once(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser, key = sign_in(job.freelancer), _key()
    form = {"amount": "20.00", "currency": "USD", "request_key": key}
    first = browser.post("/wallet/withdraw/confirm/", form)
    second = browser.post("/wallet/withdraw/confirm/", form)
    assert first["Location"] == second["Location"]
    assert Withdrawal.objects.count() == 1
    assert world.wallet(job.freelancer).available == dollars("65.00")


def test_going_back_to_the_confirmation_leads_to_the_withdrawal_that_was_asked_for(
    world: World, sign_in: SignIn
) -> None:
    job = world.settled()
    browser, key = sign_in(job.freelancer), _key()
    asked = {"amount": "20.00", "currency": "USD", "request_key": key}
    assert f'value="{key}"' in browser.get("/wallet/withdraw/confirm/", asked).content.decode()
    browser.post("/wallet/withdraw/confirm/", asked)
    again = browser.get("/wallet/withdraw/confirm/", asked, follow=True)
    assert "This withdrawal was asked for already. It is not asked for twice." in text_of(again)
    assert Withdrawal.objects.count() == 1


def test_a_key_is_not_taken_for_another_amount(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser, key = sign_in(job.freelancer), _key()
    for amount in ("20.00", "30.00"):
        browser.post("/wallet/withdraw/confirm/", {"amount": amount, "currency": "USD", "request_key": key})
    assert [row.amount for row in Withdrawal.objects.all()] == [dollars("20.00")]


def test_a_balance_that_has_gone_meanwhile_is_said_and_the_amount_kept(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser = sign_in(job.freelancer)
    world.withdraw(job.freelancer, dollars("80.00"))
    form = {"amount": "60.00", "currency": "USD", "request_key": _key()}
    answer = browser.post("/wallet/withdraw/confirm/", form, follow=True)
    assert "Your available balance does not cover this amount." in text_of(answer)
    assert 'value="60.00"' in answer.content.decode()
    assert Withdrawal.objects.count() == 1


def test_whoever_may_not_withdraw_is_told_why(world: World, sign_in: SignIn) -> None:
    client = world.funded().client
    form = {"amount": "5.00", "currency": "USD", "request_key": _key()}
    answer = sign_in(client).post("/wallet/withdraw/confirm/", form, follow=True)
    assert answer.status_code == 200
    assert "You may not do this." in text_of(answer)
    assert not Withdrawal.objects.exists()


def test_a_second_factor_is_asked_for_again_before_money_leaves(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer(password=codes.PASSWORD)
    world.settled(freelancer=freelancer)
    codes.switch_on(User.objects.get(pk=user_id(freelancer)))
    browser, key = sign_in(freelancer), _key()
    form = {"amount": "20.00", "currency": "USD", "request_key": key}
    for answer in (browser.get("/wallet/withdraw/confirm/", form), browser.post("/wallet/withdraw/confirm/", form)):
        assert answer.status_code == 302
        assert key in answer["Location"]  # So that whoever comes back goes on with the same withdrawal.
    assert not Withdrawal.objects.exists()


# -- withdrawals


def test_a_failed_withdrawal_says_why_and_what_to_do(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("40.00"))
    withdrawal_outcomes.confirm("stripe", _failed(withdrawal), world.now)
    browser = sign_in(job.freelancer)
    words = text_of(browser.get(f"/wallet/withdrawals/{withdrawal.public_id}/"))
    assert "The bank account has been closed." in words
    assert "Nothing is lost: the money is available in your wallet again." in words
    assert "Check your payout account" in words
    assert "The bank account has been closed." in text_of(browser.get("/wallet/"))
    assert "The bank account has been closed." in text_of(browser.get("/wallet/withdrawals/"))


def test_others_withdrawals_are_not_found(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("40.00"))
    address = f"/wallet/withdrawals/{withdrawal.public_id}/"
    assert sign_in(world.freelancer(onboarded=False)).get(address).status_code == 404
    assert sign_in(world.staff()).get(address).status_code == 404


def test_withdrawals_are_paged(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    made = [world.withdraw(job.freelancer, Money(100 + number, "USD")) for number in range(23)]
    browser = sign_in(job.freelancer)
    first = browser.get("/wallet/withdrawals/").content.decode()
    older = re.search(r'href="(\?before=\d+)"', first)
    assert older is not None
    rest = browser.get(f"/wallet/withdrawals/{older[1]}").content.decode()
    shown = re.findall(r"/wallet/withdrawals/([0-9a-f-]{36})/", first + rest)
    assert shown == [str(each.public_id) for each in reversed(made)]
    assert browser.get("/wallet/withdrawals/?before=%00x").status_code == 200


def test_times_are_in_the_readers_zone(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("10.00"))
    moment = withdrawal.created_at.replace(hour=23, minute=30)
    Withdrawal.objects.filter(pk=withdrawal.pk).update(created_at=moment)
    User.objects.filter(pk=user_id(job.freelancer)).update(time_zone="Asia/Tokyo")
    words = text_of(sign_in(job.freelancer).get(f"/wallet/withdrawals/{withdrawal.public_id}/"))
    assert "8:30:" in words.replace("\u202f", " ")

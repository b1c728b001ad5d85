"""Each kind of line: matched with its posting, in flight, or open."""

from multitask.payments.models import ProviderAccount
from tests.integration.statement.books import Books
from tests.payments_world import CONTESTED, REFUNDED_LATER, dollars, held


def test_a_payment_is_matched_with_its_postings(world: Books) -> None:
    world.funded()

    world.read_all()

    assert world.lines() == [("payment", "matched", 9_680)]
    assert world.compared() == (9_680, 9_680, 0, 0)


def test_a_whole_deal_is_matched_on_both_accounts(world: Books) -> None:
    job = world.settled()
    world.read_all()
    account = ProviderAccount.objects.get(account=world.account(job.freelancer))

    assert world.lines(account=world.platform) == [("payment", "matched", 9_680), ("transfer", "matched", -8_500)]
    assert world.lines(account=account) == [("transfer", "matched", 8_500)]
    assert world.compared() == (1_180, 1_180, 0, 0)
    assert world.compared(account) == (8_500, 8_500, 0, 0)


def test_a_payout_is_in_flight_until_it_is_paid(world: Books) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    world.read_all()
    account = ProviderAccount.objects.get(account=world.account(job.freelancer))
    assert world.lines(account=account)[1:] == [("payout", "in_flight", -8_500)]
    assert world.compared(account) == (0, 8_500, -8_500, 0)

    world.arrive(withdrawal)
    world.read_all()

    assert world.lines(account=account)[1:] == [("payout", "matched", -8_500)]
    assert world.compared(account) == (0, 0, 0, 0)


def test_a_line_is_known_before_its_webhook(world: Books) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)

    world.read_all()

    assert world.lines() == [("payment", "matched", 9_680)]
    assert (job.escrow.state, job.payment.state) == ("funded", "succeeded")
    assert world.compared() == (9_680, 9_680, 0, 0)


def test_a_refund_is_matched(world: Books) -> None:
    job = world.funded()
    world.refund(job, actor=job.freelancer)
    world.work()

    world.read_all()

    assert world.lines() == [("payment", "matched", 9_680), ("refund", "matched", -10_000)]
    assert world.compared() == (-320, -320, 0, 0)


def test_money_that_the_platform_pays_itself_needs_no_person(world: Books) -> None:
    world.funded()
    world.sandbox.settle()
    world.at_provider("payouts", amount="1000", currency="usd")

    world.read_all()

    assert world.lines()[1:] == [("payout", "matched", -1_000)]
    assert held("platform:bank") == -1_000
    assert world.compared() == (8_680, 8_680, 0, 0)


def test_an_adjustment_is_an_open_item(world: Books) -> None:
    world.funded()
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": -1234, "currency": "usd"})

    world.read_all()

    assert world.lines()[1:] == [("adjustment", "open", -1_234)]
    assert world.open_items() == [("adjustment", -1_234)]
    assert held("suspense:stripe") == -1_234
    assert world.compared() == (8_446, 8_446, 0, 0)


def test_fees_of_the_platform_are_costs(world: Books) -> None:
    world.funded()
    world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -200, "currency": "usd"})

    world.read_all()

    assert world.lines()[1:] == [("fee", "matched", -200)]
    assert held("platform:processing_costs") == -320 - 200
    assert world.compared() == (9_480, 9_480, 0, 0)


def test_a_refund_made_in_the_dashboard_is_booked_by_its_line(world: Books) -> None:
    job = world.funded()
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount="4000")

    world.read_all()

    assert world.lines()[1:] == [("refund", "matched", -4_000)]
    assert job.escrow.refunded_minor == 4_000
    assert world.compared() == (5_680, 5_680, 0, 0)


def test_a_refund_that_comes_back_is_matched_with_both_postings(world: Books) -> None:
    job = world.funded()
    world.refund(job, actor=job.freelancer)
    world.work()
    world.read_all()
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {})

    world.read_all()

    assert world.lines()[1:] == [("refund", "matched", -10_000), ("refund_failure", "matched", 10_000)]
    assert job.refund.state == "failed"
    assert world.compared() == (9_680, 9_680, 0, 0)


def test_a_refund_on_its_way_is_in_flight(world: Books) -> None:
    job = world.funded(card=REFUNDED_LATER)
    world.refund(job, actor=job.freelancer)
    world.work()

    world.read_all()

    assert world.lines()[1:] == [("refund", "in_flight", -10_000)]
    assert world.compared() == (-320, 9_680, -10_000, 0)
    world.sandbox.advance(2)
    world.learn_of_refund(job.refund)
    world.read_all()
    assert world.lines()[1:] == [("refund", "matched", -10_000)]
    assert world.compared() == (-320, -320, 0, 0)


def test_a_reversal_made_in_the_dashboard_is_booked_on_both_accounts(world: Books) -> None:
    job = world.settled()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="2000")

    world.read_all()

    account = ProviderAccount.objects.get(account=world.account(job.freelancer))
    assert world.lines(kind="reversal") == [("reversal", "matched", 2_000), ("reversal", "matched", -2_000)]
    assert world.compared() == (3_180, 3_180, 0, 0)
    assert world.compared(account) == (6_500, 6_500, 0, 0)


def test_a_payout_that_the_payee_made_at_the_provider_is_booked(world: Books) -> None:
    job = world.settled()
    account = world.account(job.freelancer)
    payout = world.at_provider("payouts", account=str(account.provider_account_id), amount="1500", currency="usd")
    world.sandbox.control("POST", f"payouts/{payout['id']}/settle")

    world.read_all()

    found = ProviderAccount.objects.get(account=account)
    assert world.lines(account=found)[1:] == [("payout", "matched", -1_500)]
    assert world.compared(found) == (7_000, 7_000, 0, 0)


def test_a_payout_that_comes_back_is_matched(world: Books) -> None:
    freelancer = world.freelancer(bank="000111111113")
    world.settled(freelancer=freelancer)
    withdrawal = world.withdrawn(freelancer, dollars("20.00"))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")

    world.read_all()

    account = ProviderAccount.objects.get(account=world.account(freelancer))
    assert world.lines(account=account)[1:] == [("payout", "matched", -2_000), ("payout_failure", "matched", 2_000)]
    withdrawal.refresh_from_db()
    assert withdrawal.state == "failed"
    assert world.compared(account) == (8_500, 8_500, 0, 0)


def test_a_chargeback_is_booked_line_by_line(world: Books) -> None:
    job = world.funded(card=CONTESTED)

    world.read_all()

    assert world.lines()[1:] == [("chargeback", "matched", -11_500)]
    dispute = job.escrow.chargebacks.get().provider_dispute_id
    assert world.compared() == (-1_820, -1_820, 0, 0)
    world.at_provider(f"disputes/{dispute}", **{"evidence[uncategorized_text]": "winning_evidence", "submit": "true"})
    world.read_all()
    assert world.lines()[2:] == [("chargeback_reversal", "matched", 10_000)]
    assert world.compared() == (8_180, 8_180, 0, 0)


def test_a_top_up_comes_from_the_platforms_bank(world: Books) -> None:
    world.funded()
    topup = world.at_provider("topups", amount="5000", currency="usd", description="Working capital")
    world.sandbox.control("POST", f"topups/{topup['id']}/settle")

    world.read_all()

    assert world.lines()[1:] == [("topup", "matched", 5_000)]
    assert held("platform:bank") == 5_000
    assert world.compared() == (14_680, 14_680, 0, 0)


def test_a_reserve_moves_nothing(world: Books) -> None:
    world.funded()
    world.sandbox.settle()
    line = {"type": "reserve_transaction", "amount": -4_000, "currency": "usd"}
    world.sandbox.control("POST", "lines", line)

    world.read_all()

    assert world.lines() == [("payment", "matched", 9_680)]
    assert world.compared() == (9_680, 9_680, 0, 0)


def test_a_fee_of_a_payees_account_is_open(world: Books) -> None:
    job = world.settled()
    account = str(world.account(job.freelancer).provider_account_id)
    line = {"type": "stripe_fee", "amount": -200, "currency": "usd", "account": account}
    world.sandbox.control("POST", "lines", line)

    world.read_all()

    assert world.open_items() == [("fee", -200)]
    assert world.differences() == []


def test_a_line_whose_object_cannot_be_read_is_tried_again(world: Books) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    world.sandbox.add_fault("error_before", method="GET", path="/v1/payment_intents/*", count=2)
    world.read_all()
    assert world.lines() == [("payment", "new", 9_680)]
    world.wait(hours=2)
    world.read_all()
    assert world.lines() == [("payment", "new", 9_680)]

    world.read_all()

    assert world.lines() == [("payment", "matched", 9_680)]

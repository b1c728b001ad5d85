"""Payouts: tokens, how a payout ends, references, the budget, inquiries and their limits, callbacks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.paymob_process import PaymobProcess
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import ControlRefused

# A payout of 100 pounds costs 0.5% and 2 pounds, and VAT of that.
CHARGED = 10_000 + 250 + 35
OVER = "Sorry, the amount to be disbursed exceeds you budget limit, please contact your support team"


@pytest.fixture
def funded(paymob: PaymobProcess) -> PaymobProcess:
    """A sandbox with a thousand pounds to pay out."""
    paymob.control("POST", "topups", {"amount": 100_000})
    return paymob


def budget(paymob: PaymobProcess) -> int:
    return int(paymob.money()["budget"])


def status_of(paymob: PaymobProcess, ident: str, *, bank: bool) -> tuple[str, str]:
    [found] = paymob.inquire(ident, bank=bank)[1]["results"]
    return found["disbursement_status"], found["status_code"]


def test_a_token_is_refreshed_once_and_ends_the_one_before(paymob: PaymobProcess) -> None:
    status, first = paymob.token()
    assert (status, first["expires_in"], first["token_type"]) == (200, 3600, "Bearer")
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    _, second = paymob.token(form)

    assert paymob.payouts("GET", "/budget/inquire/", token=second["access_token"])[0] == 200
    assert paymob.payouts("GET", "/budget/inquire/", token=first["access_token"])[0] == 401
    assert paymob.token(form)[1]["error"] == "invalid_grant"


def test_a_token_ends_after_an_hour(paymob: PaymobProcess) -> None:
    token = paymob.token()[1]["access_token"]
    paymob.advance(3_601)
    status, told = paymob.payouts("GET", "/budget/inquire/", token=token)

    assert (status, told["status_code"]) == (401, "401")
    assert told["status_description"] == "Authentication credentials were not provided."


def test_wrong_credentials_get_no_token(paymob: PaymobProcess) -> None:
    assert paymob.token(client="id:invalid") == (401, {"error": "invalid_client"})
    assert paymob.token({"grant_type": "password", "username": "u", "password": "invalid"})[0] == 400
    assert paymob.token({"grant_type": "password", "username": "u"})[0] == 400
    assert paymob.token({"grant_type": "refresh_token", "refresh_token": "x"})[0] == 400
    assert paymob.send("POST", "/api/secure/disburse/", {})[0] == 401


@pytest.mark.parametrize("issuer", ["vodafone", "etisalat"])
def test_a_wallet_is_paid_at_once(funded: PaymobProcess, issuer: str) -> None:
    status, paid = funded.disburse(issuer, client_reference_id="r")

    assert (status, paid["disbursement_status"], paid["status_code"]) == (200, "success", "200")
    assert (paid["amount"], paid["fees"], paid["vat"]) == ("100.00", "2.50", "0.35")
    assert paid["client_transaction_reference"] == "r"
    # The word of an inquiry is not that of the answer.
    assert status_of(funded, "r", bank=False) == ("successful", "200")
    assert budget(funded) == 100_000 - CHARGED
    assert funded.money()["books"][f"recipients/{issuer}"] == 10_000


@pytest.mark.parametrize(
    ("issuer", "amount", "bank"),
    [
        ("orange", "100.00", False),
        ("bank_wallet", "100", True),
        ("bank_card", "5", True),
        ("instant_bank", "112", True),
    ],
)
def test_other_rails_take_their_steps(funded: PaymobProcess, issuer: str, amount: str, bank: bool) -> None:
    status, begun = funded.disburse(issuer, amount)
    ident = begun["transaction_id"]
    assert (status, begun["disbursement_status"], begun["status_code"]) == (200, "pending", "8000")
    assert funded.inquire(ident, bank=not bank)[1]["count"] == 0
    for code in ("8111", "8222"):
        funded.advance(1_200)
        assert status_of(funded, ident, bank=bank) == ("pending", code)
    funded.advance(1_200)

    assert status_of(funded, ident, bank=bank) == ("successful", "8333")


@pytest.mark.parametrize(
    ("digit", "first", "last", "lost"),
    [
        (1, "success", "successful", CHARGED),
        (2, "pending", "successful", CHARGED),
        (3, "failed", "failed", 0),
        (4, "pending", "failed", 0),
        # The fee of a payout that came back stays with Paymob.
        (5, "success", "returned", 285),
        (6, "unknown", "unknown", CHARGED),
        (8, "pending", "returned", 285),
        (9, "pending", "pending", CHARGED),
    ],
)
@pytest.mark.parametrize("issuer", ["vodafone", "bank_card"])
def test_the_destination_decides_the_end(
    funded: PaymobProcess, issuer: str, digit: int, first: str, last: str, lost: int
) -> None:
    to = f"0100000000{digit}" if issuer == "vodafone" else f"100000000000000{digit}"
    status, begun = funded.disburse(issuer, to=to)

    assert (status, begun["disbursement_status"]) == (200, first)
    funded.advance(2 * 86_400)
    assert status_of(funded, begun["transaction_id"], bank=issuer == "bank_card")[0] == last
    assert budget(funded) == 100_000 - lost


def test_failures_have_the_codes_of_their_rail(funded: PaymobProcess) -> None:
    codes = {
        issuer: funded.disburse(issuer, to=to)[1]["status_code"]
        for issuer, to in (("vodafone", "01000000003"), ("etisalat", "01100000003"), ("bank_card", "1000000000000003"))
    }
    assert codes == {"vodafone": "618", "etisalat": "90040", "bank_card": "000001"}


def test_the_next_payout_ends_as_chosen(funded: PaymobProcess) -> None:
    funded.control("POST", "payouts/outcomes", {"outcome": "fails", "code": "610", "issuer": "vodafone"})

    assert funded.disburse("etisalat")[1]["disbursement_status"] == "success"
    assert funded.disburse("vodafone")[1]["status_code"] == "610"
    assert funded.disburse("vodafone")[1]["disbursement_status"] == "success"
    for wrong in (
        {"outcome": "explodes"},
        {"outcome": "fails", "count": 0},
        {"outcome": "fails", "code": "x"},
        {"a": 1},
    ):
        with pytest.raises(ControlRefused, match="400"):
            funded.control("POST", "payouts/outcomes", wrong)


@pytest.mark.parametrize(("outcome", "status", "lost"), [("succeed", "successful", CHARGED), ("fail", "failed", 0)])
def test_an_unknown_payout_is_decided_later(funded: PaymobProcess, outcome: str, status: str, lost: int) -> None:
    funded.disburse(to="01000000006", client_reference_id="r")
    decided = funded.control("POST", "payouts/r", {"outcome": outcome})

    assert decided["disbursement_status"] == status
    assert budget(funded) == 100_000 - lost
    with pytest.raises(ControlRefused, match="409"):
        funded.control("POST", "payouts/r", {"outcome": outcome})


def test_money_comes_back_on_demand_and_once(funded: PaymobProcess) -> None:
    funded.disburse(client_reference_id="r")
    back = funded.control("POST", "payouts/r", {"outcome": "return", "code": "000112"})

    assert (back["disbursement_status"], back["status_code"]) == ("returned", "000112")
    assert budget(funded) == 100_000 - 285
    with pytest.raises(ControlRefused, match="409"):
        funded.control("POST", "payouts/r", {"outcome": "return"})


def test_a_reference_is_used_once_in_each_store(funded: PaymobProcess) -> None:
    reference = str(uuid4())
    assert funded.disburse("vodafone", client_reference_id=reference)[0] == 200
    status, told = funded.disburse("etisalat", client_reference_id=reference)

    assert (status, told["disbursement_status"], told["status_code"]) == (400, "failed", "400")
    assert told["status_description"] == {"client_reference_id": [f"client_reference_id {reference} is used before."]}
    assert funded.disburse("orange", client_reference_id=reference)[0] == 200
    assert funded.disburse("bank_card", client_reference_id=reference)[0] == 400
    assert len(funded.objects("payout")) == 2


def test_a_failed_payout_has_used_its_reference(funded: PaymobProcess) -> None:
    assert funded.disburse(to="01000000003", client_reference="r")[0] == 200

    assert list(funded.disburse(client_reference="r")[1]["status_description"]) == ["client_reference"]


def test_what_exceeds_the_budget_is_refused_and_leaves_nothing(funded: PaymobProcess) -> None:
    told = (400, {"disbursement_status": "failed", "status_description": OVER, "status_code": "400"})

    # The fees count too.
    assert funded.disburse(amount="1000.00", client_reference_id="r") == told
    assert funded.disburse(to="01000000007") == told
    assert (budget(funded), funded.objects("payout")) == (100_000, [])
    assert funded.disburse(client_reference_id="r")[0] == 200


def test_the_recipient_may_bear_the_fees(funded: PaymobProcess) -> None:
    funded.disburse(customer_bears_fees=True)

    money = funded.money()
    assert (money["budget"], money["books"]["recipients/vodafone"]) == (90_000, 10_000 - 285)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": "1.001"}, "amount"),
        ({"amount": "0.99"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "1e3"}, "amount"),
        ({"issuer": "bank_card", "amount": "4.99"}, "amount"),
        ({"issuer": "instant_bank", "amount": "111.99"}, "amount"),
        ({"issuer": "aman"}, "issuer"),
        ({"to": "0102030405"}, "msisdn"),
        ({"to": "12345678901"}, "msisdn"),
        ({"issuer": "bank_card", "bank_code": "NONE"}, "bank_code"),
        ({"issuer": "bank_card", "to": "12"}, "bank_card_number"),
        ({"pin": "123456"}, "pin"),
    ],
)
def test_what_cannot_be_paid_is_refused_by_name(funded: PaymobProcess, given: Any, field: str) -> None:
    status, told = funded.disburse(**given)

    assert (status, told["status_code"], list(told["status_description"])) == (400, "400", [field])
    assert funded.objects("payout") == []


def test_missing_fields_are_all_named(funded: PaymobProcess) -> None:
    given = {"issuer": "bank_card", "amount": 50.25}
    _, told = funded.payouts("POST", "/disburse/", given)

    assert set(told["status_description"]) == {"bank_card_number", "bank_code", "full_name", "bank_transaction_type"}
    given |= {"bank_card_number": "1111-2222-3333-4444", "bank_code": "CIB", "full_name": "Mona Ali"}
    _, paid = funded.payouts("POST", "/disburse/", {**given, "bank_transaction_type": "salary"})
    assert paid["amount"] == "50.25"


def test_a_wallet_takes_no_more_than_its_limit(paymob: PaymobProcess) -> None:
    paymob.control("POST", "topups", {"amount": 20_000_000})

    assert paymob.disburse(amount="60000.00")[1]["disbursement_status"] == "success"
    status, told = paymob.disburse(amount="60000.01")
    assert (status, told["disbursement_status"], told["status_code"]) == (200, "failed", "583")


def test_the_budget_is_a_sentence_that_may_be_asked_five_times_a_minute(funded: PaymobProcess) -> None:
    token = funded.token()[1]["access_token"]
    answers = [funded.payouts("GET", "/budget/inquire/", token=token) for _ in range(6)]

    assert answers[0] == (200, {"current_budget": "Your current budget is 1000.00 LE"})
    assert [status for status, _ in answers] == [200] * 5 + [429]
    assert answers[5][1]["status_code"] == "429"
    assert "throttled" in answers[5][1]["status_description"]
    # Inquiries about payouts are counted apart.
    assert funded.inquire("x")[0] == 200
    funded.advance(61)
    assert funded.payouts("GET", "/budget/inquire/", token=token)[0] == 200


def test_inquiries_are_limited_and_paged(paymob: PaymobProcess) -> None:
    paymob.control("POST", "topups", {"amount": 100_000})
    token = paymob.token()[1]["access_token"]
    given = {"issuer": "vodafone", "amount": "1.00", "msisdn": "01020304050"}
    for number in range(52):
        body = {**given, "client_reference_id": f"r{number}"}
        assert paymob.payouts("POST", "/disburse/", body, token=token)[0] == 200
    references = [f"r{number}" for number in range(52)]
    _, first = paymob.inquire(*references)
    _, second = paymob.inquire(*references, page=2)

    assert (first["count"], len(first["results"]), first["previous"]) == (52, 50, None)
    assert first["next"] == f"{paymob.base_url}/api/secure/transaction/inquire/?page=2"
    assert [one["client_transaction_reference"] for one in second["results"]] == ["r50", "r51"]
    assert paymob.inquire(*references, page=3)[0] == 404
    assert [paymob.inquire("r1")[0] for _ in range(4)] == [200, 200, 200, 429]
    paymob.advance(61)
    assert (
        paymob.payouts("GET", "/transaction/inquire/?transactions_ids_list=r1&transactions_ids_list=r2")[1]["count"]
        == 2
    )


def test_an_inquiry_by_reference_names_the_rails(funded: PaymobProcess) -> None:
    wallet = funded.disburse("vodafone", client_reference="w")[1]["transaction_id"]
    bank = funded.disburse("bank_card", client_reference="b", client_reference_id="c")[1]["transaction_id"]
    path = "/transaction/inquire/by-reference/"
    asked = {"references_list": ["w", "b", "c", "none"]}

    for method in ("GET", "POST"):
        for more, expected in (({}, wallet), ({"bank_transactions": True}, bank)):
            _, found = funded.payouts(method, path, asked | more)
            assert [one["transaction_id"] for one in found["results"]] == [expected]
        funded.advance(61)
    assert funded.payouts("POST", path, {})[1]["status_description"] == {"references_list": ["This field is required."]}


def test_a_top_up_waits_for_approval(paymob: PaymobProcess) -> None:
    status, asked = paymob.payouts("POST", "/topup/request/", {"amount": "1234.50"})
    assert (status, asked["status"], budget(paymob)) == (201, "pending", 0)
    paymob.control("POST", f"topups/{asked['id']}/approve")
    assert budget(paymob) == 123_450
    with pytest.raises(ControlRefused, match="409"):
        paymob.control("POST", f"topups/{asked['id']}/approve")
    _, other = paymob.payouts("POST", "/topup/request/", {"amount": 10})

    assert paymob.control("POST", f"topups/{other['id']}/reject")["status"] == "rejected"
    assert budget(paymob) == 123_450


def test_banks_report_the_end_without_a_signature(funded: PaymobProcess, receiver: Receiver) -> None:
    funded.control("POST", "payout_callback", {"url": receiver.url})
    funded.disburse("vodafone")
    ident = funded.disburse("bank_card", to="1000000000000008")[1]["transaction_id"]
    funded.advance(3_600)
    funded.advance(86_400)

    bodies = receiver.payouts(2)
    assert [(body["transaction_id"], body["disbursement_status"]) for body in bodies] == [
        (ident, "successful"), (ident, "returned"),
    ]  # fmt: skip
    assert receiver.paths == ["/hook", "/hook"]


def test_the_setting_decides_where_bank_wallets_are_found() -> None:
    with PaymobProcess(seed=1, arguments=("--bank-wallets-are-wallets", "--budget=100000")) as own:
        ident = own.disburse("bank_wallet")[1]["transaction_id"]
        assert own.inquire(ident)[1]["count"] == 1
        assert own.inquire(ident, bank=True)[1]["count"] == 0


def test_the_setting_refuses_inquiries_by_post() -> None:
    with PaymobProcess(seed=1, arguments=("--inquiries-by-get", "--budget=100000")) as own:
        ident = own.disburse("bank_wallet")[1]["transaction_id"]
        assert own.inquire(ident) == (405, {"detail": 'Method "POST" not allowed.'})
        asked = {"transactions_ids_list": [ident], "bank_transactions": True}
        assert own.payouts("GET", "/transaction/inquire/", asked)[1]["count"] == 1

"""Translation of Paymob's transactions, statuses and refusals."""

from datetime import UTC, datetime
from typing import Any

import pytest

from multitask.money import Money
from multitask.payments.provider import PaymentStatus, PayoutStatus, ProviderError, Rejected, Unavailable, Unknown
from multitask.providers.paymob import errors, failure_messages, payments, payout_statuses, payouts, times, transactions
from multitask.providers.paymob.client import Answer

PAID: dict[str, Any] = {
    "id": 1001,
    "amount_cents": 25050,
    "currency": "EGP",
    "success": True,
    "pending": False,
    "error_occured": False,
    "is_voided": False,
    "is_refunded": False,
    "is_refund": False,
    "is_void": False,
    "is_auth": False,
    "has_parent_transaction": False,
    "parent_transaction": None,
    "refunded_amount_cents": 0,
    "integration_id": 2002,
    "created_at": "2026-03-01T10:15:30",
    "order": {"id": 3003, "merchant_order_id": "create_payment:7:1:2"},
    "source_data": {"type": "card", "pan": "2346"},
}
PAYOUT: dict[str, Any] = {
    "transaction_id": "tx-1",
    "amount": "123.45",
    "disbursement_status": "successful",
    "status_code": "200",
    "fees": "2.00",
    "vat": "0.28",
    "client_transaction_reference": "ref-1",
}


def status(**changes: Any) -> PaymentStatus:
    return payments._status(transactions.read(PAID | changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PaymentStatus.SUCCEEDED),
        ({"success": False}, PaymentStatus.AWAITING),
        ({"success": False, "pending": True}, PaymentStatus.ACTION_REQUIRED),
        ({"success": True, "pending": True}, PaymentStatus.ACTION_REQUIRED),
        ({"error_occured": True}, PaymentStatus.AWAITING),
        ({"is_voided": True}, PaymentStatus.CANCELLED),
        ({"is_refunded": True}, PaymentStatus.CANCELLED),
        ({"is_refunded": True, "refunded_amount_cents": 25050}, PaymentStatus.CANCELLED),
        ({"is_refunded": True, "refunded_amount_cents": 50}, PaymentStatus.SUCCEEDED),
        ({"is_refund": True}, PaymentStatus.AWAITING),
        ({"is_void": True}, PaymentStatus.AWAITING),
        ({"parent_transaction": 1000}, PaymentStatus.AWAITING),
        ({"is_auth": True}, PaymentStatus.PROCESSING),
    ],
)
def test_only_a_successful_payment_that_has_not_gone_back_is_paid(
    changes: dict[str, Any], expected: PaymentStatus
) -> None:
    assert status(**changes) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 250.5},
        {"amount_cents": None},
        {"currency": "USD"},
        {"currency": None},
        {"success": "true"},
        {"success": None},
        {"pending": 1},
        {"id": None},
        {"order": None},
        {"order": {"id": "x"}},
        {"is_voided": "false"},
        {"refunded_amount_cents": 25051},
        {"refunded_amount_cents": -1},
        {"refunded_amount_cents": "all"},
    ],
)
def test_a_transaction_that_cannot_be_read_for_certain_moves_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        transactions.read(PAID | changes)


def test_a_transaction_names_its_parent_in_any_form() -> None:
    for parent in (1000, "1000", {"id": 1000}):
        assert transactions.read(PAID | {"parent_transaction": parent}).parent_id == "1000"


@pytest.mark.parametrize(
    ("written", "reference"),
    [("create_payment:7:1:2", "create_payment:7:1"), ("", ""), ("order-17", ""), ("a:b:c", "")],
)
def test_the_reference_is_the_key_without_its_generation(written: str, reference: str) -> None:
    assert payments._without_generation(written) == reference


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T10:15:30.5", datetime(2026, 3, 1, 8, 15, 30, 500000, tzinfo=UTC)),
        ("2026-07-01T10:15:30", datetime(2026, 7, 1, 7, 15, 30, tzinfo=UTC)),
        ("2026-03-01T10:15:30Z", datetime(2026, 3, 1, 10, 15, 30, tzinfo=UTC)),
        ("2026-03-01T10:15:30+03:00", datetime(2026, 3, 1, 7, 15, 30, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00", None),
        (1_700_000_000, None),
    ],
)
def test_dates_without_a_zone_are_those_of_cairo(text: object, moment: datetime | None) -> None:
    assert times.parse(text) == moment


@pytest.mark.parametrize(
    ("word", "code", "expected"),
    [
        ("success", "200", PayoutStatus.PAID),
        ("successful", "8333", PayoutStatus.PAID),
        ("Successful", "", PayoutStatus.PAID),
        ("successful", 200, PayoutStatus.PAID),
        ("pending", "", PayoutStatus.PENDING),
        ("pending", "8000", PayoutStatus.PENDING),
        ("pending", "8111", PayoutStatus.IN_TRANSIT),
        ("successful", "8222", PayoutStatus.IN_TRANSIT),
        ("failed", "618", PayoutStatus.FAILED),
        ("failed", "", PayoutStatus.FAILED),
        ("Returned", "000100", PayoutStatus.FAILED),
    ],
)
def test_a_payout_is_paid_or_failed_only_when_word_and_code_agree(
    word: str, code: str | int, expected: PayoutStatus
) -> None:
    state = payout_statuses.state(PAYOUT | {"disbursement_status": word, "status_code": code})

    assert state.status is expected
    assert bool(state.failure_code) == (expected is PayoutStatus.FAILED)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("done", "200"),
        ("", "200"),
        (None, "8333"),
        ("Unknown", "501"),
        ("successful", "618"),
        ("failed", "8333"),
        ("failed", "8222"),
        ("failed", "200"),
    ],
)
def test_unknown_words_and_contradictions_are_unknown(word: str | None, code: str) -> None:
    with pytest.raises(Unknown, match="unexpected_status"):
        payout_statuses.state(PAYOUT | {"disbursement_status": word, "status_code": code})


def test_a_payouts_amounts_are_pounds() -> None:
    state = payout_statuses.state(PAYOUT)

    assert (state.amount, state.fee, state.tax) == (Money(12_345, "EGP"), Money(200, "EGP"), Money(28, "EGP"))
    assert (state.id, state.reference, state.account_id) == ("tx-1", "ref-1", "")


def test_what_came_back_keeps_its_costs_and_what_failed_has_none() -> None:
    returned = payout_statuses.state(PAYOUT | {"disbursement_status": "returned", "status_code": "000100"})
    failed = payout_statuses.state(PAYOUT | {"disbursement_status": "failed", "status_code": "000001"})

    assert (returned.status, returned.fee) == (PayoutStatus.FAILED, Money(200, "EGP"))
    assert (failed.status, failed.fee, failed.tax) == (PayoutStatus.FAILED, None, None)


@pytest.mark.parametrize("name", ["fees", "vat"])
def test_a_cost_is_unknown_while_it_is_not_named_and_refused_when_it_cannot_be(name: str) -> None:
    state = payout_statuses.state({key: value for key, value in PAYOUT.items() if key != name})
    assert None in (state.fee, state.tax)
    with pytest.raises(Unknown, match=f"unexpected_{name}"):
        payout_statuses.state(PAYOUT | {name: "-1"})


@pytest.mark.parametrize("changes", [{"amount": 123.45}, {"amount": None}, {"transaction_id": None}])
def test_a_payout_without_amount_or_id_is_unknown(changes: dict[str, Any]) -> None:
    with pytest.raises(Unknown, match="unexpected_payout"):
        payout_statuses.state(PAYOUT | changes)


def answer(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status=status, body=body, text="")


POUNDS = Money(12_345, "EGP")


def failure(status: int, body: dict[str, Any], *, amount: Money = POUNDS) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        payouts._failed(answer(status, body), "ref-1", amount)
    return raised.value


def test_a_payout_over_the_budget_waits_and_needs_a_new_reference() -> None:
    for status_code in (200, 400):
        body = {"disbursement_status": "failed", "status_description": "Sorry, the amount exceeds you budget limit"}
        error = failure(status_code, body)
        assert isinstance(error, Unavailable)
        assert (error.code, error.key_spent) == ("budget_short", True)


def test_a_used_reference_is_looked_up() -> None:
    body = {
        "disbursement_status": "failed",
        "status_description": {"client_reference_id": ["This client_reference_id is used before."]},
    }
    assert isinstance(failure(400, body), Unknown)


def test_a_failed_payout_with_an_id_is_one_that_failed() -> None:
    body = PAYOUT | {"disbursement_status": "failed", "status_code": "618", "status_description": "unregistered"}
    state = payouts._failed(answer(200, body), "ref-1", Money(12_345, "EGP"))
    assert (state.status, state.failure_code, state.id) == (PayoutStatus.FAILED, "618", "tx-1")


def test_a_refusal_of_the_details_names_them() -> None:
    body = {"disbursement_status": "failed", "status_code": "400", "status_description": {"msisdn": ["Invalid."]}}
    error = failure(400, body)
    assert isinstance(error, Rejected)
    assert error.code == "invalid_destination"
    assert failure_messages.payout(error.code, "").needs_new_details


def test_a_failure_without_an_id_is_a_refusal_by_its_code() -> None:
    error = failure(200, {"disbursement_status": "failed", "status_code": "6061", "status_description": "limit"})
    assert isinstance(error, Rejected)
    assert error.code == "6061"


@pytest.mark.parametrize(("amount", "reference"), [(Money(12_346, "EGP"), "ref-1"), (Money(12_345, "EGP"), "ref-2")])
def test_an_answer_about_another_payout_is_unknown(amount: Money, reference: str) -> None:
    with pytest.raises(Unknown):
        payouts._checked(payout_statuses.state(PAYOUT), reference, amount)


def test_an_amount_that_is_a_hundred_times_too_large_is_unknown() -> None:
    with pytest.raises(Unknown, match="unexpected_amount"):
        payouts._checked(payout_statuses.state(PAYOUT | {"amount": "12345"}), "ref-1", Money(12_345, "EGP"))


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, Rejected, "refused"),
        (401, Unavailable, errors.MISCONFIGURED),
        (403, Unavailable, errors.MISCONFIGURED),
        (404, Rejected, errors.MISSING),
        (409, Unknown, "conflict"),
        (429, Unavailable, "rate_limited"),
        (200, Unknown, "unexpected_answer"),
    ],
)
def test_a_refusal_is_what_its_status_says(status: int, kind: type[ProviderError], code: str) -> None:
    error = errors.refusal(answer(status, {"detail": "No."} if status == 400 else {}))
    assert isinstance(error, kind)
    assert error.code == code


@pytest.mark.parametrize(
    ("body", "described"),
    [
        ({"detail": "Not now."}, ("refused", "Not now.")),
        ({"message": "Too much."}, ("refused", "Too much.")),
        ({"amount_cents": ["Too much.", "And more."]}, ("invalid_amount_cents", "Too much.")),
        ({"billing_data": {"email": ["Enter one."]}}, ("invalid_billing_data", "email")),
        ({"code": "unmatched_item_prices"}, ("invalid_code", "unmatched_item_prices")),
        ({}, ("refused", "The payment provider refused.")),
        ({"detail": 5}, ("refused", "The payment provider refused.")),
    ],
)
def test_a_refusal_is_described_whatever_its_shape(body: dict[str, Any], described: tuple[str, str]) -> None:
    assert errors.described(body) == described


@pytest.mark.parametrize("status", [300, 302, 500, 502, 599, 100])
def test_what_may_have_had_an_effect_is_unknown(status: int) -> None:
    with pytest.raises(Unknown):
        errors.require_decided(status, "http://127.0.0.1")


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "duplicate order with same id"},
        {"special_reference": ["This must be unique."]},
        {"message": "Duplicate"},
    ],
)
def test_a_used_special_reference_spends_its_key(body: dict[str, Any]) -> None:
    error = payments._not_created(answer(400, body))
    assert isinstance(error, Unavailable)
    assert error.key_spent


def test_a_wrong_integration_is_for_the_operator_to_mend() -> None:
    error = payments._not_created(answer(404, {"detail": "Integration ID does not exist"}))
    assert isinstance(error, Unavailable)
    assert (error.code, error.key_spent) == (errors.MISCONFIGURED, False)

"""Cards: outcomes by number and by name, 3-D Secure, saved cards, capture and cancellation."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from sandboxes.stripe import cards
from tests.sandbox import raw_requests, steps
from tests.sandbox.conftest import sdk
from tests.sandbox_process import SandboxProcess

DAY = 86_400


def typed(number: str, **more: str) -> Any:
    """Return the parameters of a typed-in card."""
    return {"type": "card", "card": {"number": number, "exp_month": "12", "exp_year": "2034", "cvc": "123", **more}}


def pay_typed(client: stripe.StripeClient, number: str, **more: Any) -> stripe.PaymentIntent:
    method = client.v1.payment_methods.create(typed(number))
    return steps.pay(client, 2_000, method.id, **more)


@pytest.mark.parametrize(
    ("number", "code", "decline"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000009987", "card_declined", "lost_card"),
        ("4000000000009979", "card_declined", "stolen_card"),
        ("4000000000006975", "card_declined", "card_velocity_exceeded"),
        ("4000000000000069", "expired_card", None),
        ("4000000000000127", "incorrect_cvc", None),
        ("4000000000000119", "processing_error", None),
        ("4000000000000341", "card_declined", "generic_decline"),
        ("4111111111111111", "card_declined", "test_mode_live_card"),
    ],
)
def test_cards_decline_as_their_number_says(
    api: stripe.StripeClient, number: str, code: str, decline: str | None
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        pay_typed(api, number)

    error: Any = caught.value.error
    assert (caught.value.http_status, error.code, error.decline_code) == (402, code, decline)
    intent = api.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.payment_method, intent.latest_charge) == (
        "requires_payment_method", None, error.charge,
    )  # fmt: skip
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    assert api.v1.charges.retrieve(error.charge).failure_code == code


def test_a_declined_intent_can_be_paid_with_another_card(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        steps.pay(api, 2_000, "pm_card_chargeDeclined")
    intent: Any = caught.value.error
    paid = api.v1.payment_intents.confirm(intent.payment_intent.id, {"payment_method": "pm_card_visa"})

    assert (paid.status, paid.last_payment_error, paid.amount_received) == ("succeeded", None, 2_000)


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"number": "4242"}, "incorrect_number"),
        ({"exp_month": "13"}, "invalid_expiry_month"),
        ({"exp_year": "2019"}, "invalid_expiry_year"),
        ({"exp_year": "soon"}, "invalid_expiry_year"),
        ({"cvc": "12"}, "invalid_cvc"),
    ],
)
def test_a_mistyped_card_is_no_payment_method(api: stripe.StripeClient, card: dict[str, str], code: str) -> None:
    with pytest.raises(stripe.CardError) as caught:
        api.v1.payment_methods.create(typed(**{"number": "4242424242424242", **card}))

    assert caught.value.code == code


def test_the_number_itself_is_nowhere_kept(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    pay_typed(client, "4000056655665556")
    assert sandbox.data is not None

    kept = b"".join(path.read_bytes() for path in sandbox.data.iterdir() if path.is_file())
    assert b"5556" in kept
    assert b"4000056655665556" not in kept


@pytest.mark.parametrize("name", sorted(cards.BY_NAME))
def test_every_ready_made_card_has_a_valid_number(name: str) -> None:
    assert cards.valid_number(cards.BY_NAME[name].number)


def test_two_uses_of_a_number_have_one_fingerprint(api: stripe.StripeClient) -> None:
    made: list[Any] = [api.v1.payment_methods.create(typed(number)) for number in (
        "4242424242424242", "4242424242424242", "5555555555554444",
    )]  # fmt: skip

    prints = [method.card.fingerprint for method in made]
    assert prints[0] == prints[1] != prints[2]


def challenged(client: stripe.StripeClient, **more: Any) -> stripe.PaymentIntent:
    return steps.pay(client, 2_000, "pm_card_authenticationRequired", **more)


def test_authentication_is_a_redirect_when_there_is_a_way_back(api: stripe.StripeClient) -> None:
    redirected: Any = challenged(api, return_url="https://example.com/back")
    scripted: Any = challenged(api)

    assert (redirected.status, redirected.next_action.type) == ("requires_action", "redirect_to_url")
    assert redirected.next_action.redirect_to_url.return_url == "https://example.com/back"
    assert redirected.latest_charge is None
    assert scripted.next_action.type == "use_stripe_sdk"


@pytest.mark.parametrize(("passed", "status"), [(True, "succeeded"), (False, "requires_payment_method")])
def test_authentication_passes_or_fails(
    sandbox: SandboxProcess, client: stripe.StripeClient, passed: bool, status: str
) -> None:
    intent = challenged(client)
    sandbox.control("POST", f"intents/{intent.id}/authenticate", {"passed": passed})
    after: Any = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})

    assert (after.status, after.next_action) == (status, None)
    if passed:
        assert after.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"
    else:
        assert after.last_payment_error.code == "payment_intent_authentication_failure"


def test_authentication_may_be_followed_by_a_decline(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    intent = steps.pay(client, 2_000, "pm_card_threeDSecureRequiredChargeDeclined")
    sandbox.control("POST", f"intents/{intent.id}/authenticate", {"passed": True})
    after: Any = client.v1.payment_intents.retrieve(intent.id)

    assert (after.status, after.last_payment_error.code) == ("requires_payment_method", "card_declined")


def test_a_card_that_was_set_up_is_not_asked_again(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({}).id
    setup = client.v1.setup_intents.create(
        {"customer": customer, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )
    assert setup.status == "requires_action"
    sandbox.control("POST", f"intents/{setup.id}/authenticate", {"passed": True})
    done = client.v1.setup_intents.retrieve(setup.id)

    assert done.status == "succeeded"
    paid = steps.pay(client, 2_000, str(done.payment_method), customer=customer, off_session=True)
    assert paid.status == "succeeded"


def test_off_session_a_card_that_asks_is_declined(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        challenged(api, off_session=True)

    assert caught.value.code == "authentication_required"


def test_cards_are_saved_listed_chosen_and_let_go(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"email": "c@example.com"}).id
    saved = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    api.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": saved.id}})

    assert [row.id for row in api.v1.customers.payment_methods.list(customer).data] == [saved.id]
    assert steps.pay(api, 900, saved.id, customer=customer).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        steps.pay(api, 900, saved.id)
    assert api.v1.payment_methods.detach(saved.id).customer is None
    with pytest.raises(stripe.InvalidRequestError):
        steps.pay(api, 900, saved.id, customer=customer)
    settings = api.v1.customers.retrieve(customer).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None


def test_paying_can_save_the_card(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({}).id
    paid = steps.pay(api, 900, customer=customer, setup_future_usage="off_session")

    assert [row.id for row in api.v1.payment_methods.list({"customer": customer}).data] == [paid.payment_method]


def test_a_card_that_declines_cannot_be_saved_unless_it_may(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({}).id
    with pytest.raises(stripe.CardError):
        api.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer})

    assert api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer}).customer == customer


def test_a_deleted_customer_is_gone(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"email": "gone@example.com"}).id
    api.v1.customers.delete(customer)

    assert api.v1.customers.retrieve(customer).deleted
    assert api.v1.customers.list({"email": "gone@example.com"}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.customers.update(customer, {"name": "x"})


def test_capture_takes_all_or_part(api: stripe.StripeClient) -> None:
    held = steps.pay(api, 2_000, capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 2_000, 0)
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.capture(held.id, {"amount_to_capture": 2_001})
    taken = api.v1.payment_intents.capture(held.id, {"amount_to_capture": 1_500})

    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1_500, 0)
    assert api.v1.charges.retrieve(str(taken.latest_charge)).amount_captured == 1_500


def test_an_authorization_ends_after_a_week(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    held = steps.pay(client, 2_000, capture_method="manual")
    sandbox.advance(7 * DAY + 1)
    ended = client.v1.payment_intents.retrieve(held.id)

    assert (ended.status, ended.cancellation_reason) == ("canceled", "automatic")
    assert sandbox.money()["cards"] == {}


def test_an_intent_is_canceled_once_and_never_when_paid(api: stripe.StripeClient) -> None:
    fresh = api.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    canceled = api.v1.payment_intents.cancel(fresh.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    for ident in (fresh.id, steps.pay(api, 500).id):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            api.v1.payment_intents.cancel(ident)
        assert caught.value.code == "payment_intent_unexpected_state"


def test_a_paid_intent_keeps_its_amount(api: stripe.StripeClient) -> None:
    paid = steps.pay(api, 500)
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.update(paid.id, {"amount": 600})

    assert api.v1.payment_intents.update(paid.id, {"metadata": {"a": "b"}}).metadata.to_dict() == {"a": "b"}
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.confirm(paid.id, {"payment_method": "pm_card_visa"})


def test_a_page_confirms_with_a_publishable_key(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    intent = api.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    page = sdk(shared, "pk_test_page")
    params: Any = {"client_secret": intent.client_secret, "payment_method_data": typed("4242424242424242")}

    assert page.v1.payment_intents.confirm(intent.id, params).status == "succeeded"
    with pytest.raises(stripe.PermissionError):
        page.v1.payment_intents.create({"amount": 500, "currency": "usd"})


def test_a_balance_transaction_may_come_late() -> None:
    with SandboxProcess(arguments=("--balance-transaction-after=60",)) as sandbox:
        client = sdk(sandbox)
        charge = str(steps.pay(client, 2_000).latest_charge)
        assert client.v1.charges.retrieve(charge).balance_transaction is None
        sandbox.advance(61)
        assert client.v1.charges.retrieve(charge).balance_transaction
        [event] = client.v1.events.list({"type": "charge.updated"}).data
        assert event.data.object["id"] == charge


def test_an_error_about_an_intent_carries_it(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    paid = steps.pay(api, 900)
    saved = api.v1.setup_intents.create({"payment_method": "pm_card_visa", "confirm": True})

    reply = raw_requests.send(
        shared, "POST", f"/v1/payment_intents/{paid.id}/confirm", {"payment_method": "pm_card_visa"}
    )
    assert (reply.status, reply.error["code"]) == (400, "payment_intent_unexpected_state")
    assert (reply.error["payment_intent"]["id"], reply.error["payment_intent"]["status"]) == (paid.id, "succeeded")
    reply = raw_requests.send(shared, "POST", f"/v1/setup_intents/{saved.id}/cancel")
    assert (reply.status, reply.error["setup_intent"]["status"]) == (400, "succeeded")


def test_a_browser_is_not_shown_what_is_the_sellers_alone(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    intent = api.v1.payment_intents.create({"amount": 900, "currency": "usd", "metadata": {"note": "secret"}})
    form = {"client_secret": str(intent.client_secret), "payment_method": "pm_card_chargeDeclined"}
    reply = raw_requests.send(shared, "POST", f"/v1/payment_intents/{intent.id}/confirm", form, key="pk_test_page")

    told = reply.error["payment_intent"]
    assert (reply.status, told["id"], told["metadata"], told["latest_charge"]) == (402, intent.id, None, None)
    setup = api.v1.setup_intents.create({})
    read = {"client_secret": str(setup.client_secret)}
    shown = raw_requests.send(shared, "GET", f"/v1/setup_intents/{setup.id}", read, key="pk_test_page").body
    assert shown.keys() == raw_requests.send(shared, "GET", f"/v1/setup_intents/{setup.id}").body.keys()


def test_an_update_clears_the_last_error(api: stripe.StripeClient) -> None:
    intent = api.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    with pytest.raises(stripe.CardError):
        api.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})

    assert api.v1.payment_intents.retrieve(intent.id).last_payment_error is not None
    assert api.v1.payment_intents.update(intent.id, {"description": "again"}).last_payment_error is None


def test_a_deleted_customer_pays_nothing(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({}).id
    api.v1.customers.delete(customer)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.v1.payment_intents.create({"amount": 900, "currency": "usd", "customer": customer})
    assert (caught.value.code, caught.value.param) == ("resource_missing", "customer")

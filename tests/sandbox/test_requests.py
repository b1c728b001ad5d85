"""Keys, versions, forms, parameters, lists and expansion, as Stripe answers them."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox import raw_requests, steps
from tests.sandbox.conftest import sdk
from tests.sandbox_process import SandboxProcess

PI = "/v1/payment_intents"


@pytest.mark.parametrize("key", ["sk_test_invalid_key", "sk_live_0123456789", "rk_live_x", "nonsense", "sk_test_"])
def test_a_wrong_key_is_refused(shared: SandboxProcess, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        sdk(shared, key).v1.balance.retrieve()

    assert caught.value.http_status == 401


def test_a_missing_key_is_refused(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "GET", "/v1/balance", key=None).status == 401


def test_a_basic_key_is_taken(shared: SandboxProcess) -> None:
    assert (
        raw_requests.send(shared, "GET", "/v1/balance", key=None, Authorization="Basic c2tfdGVzdF9hYmM6").status == 200
    )


def test_a_publishable_key_may_not_read_the_balance(shared: SandboxProcess) -> None:
    with pytest.raises(stripe.PermissionError):
        sdk(shared, "pk_test_abc").v1.balance.retrieve()


def test_an_unknown_connected_account_is_refused(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.PermissionError):
        api.v1.balance.retrieve({}, {"stripe_account": "acct_1Nobody"})


def test_an_unknown_version_is_refused(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "GET", "/v1/balance", Stripe_Version="2020-08-27").status == 400


def test_every_answer_names_its_request_and_version(shared: SandboxProcess) -> None:
    reply = raw_requests.send(shared, "GET", "/v1/balance")

    assert reply.headers["Request-Id"].startswith("req_")
    assert reply.headers["Stripe-Version"] == "2026-10-28.endive"


def test_an_unknown_address_is_404(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "GET", "/v1/unicorns").status == 404
    assert raw_requests.send(shared, "POST", "/v1/balance").status == 404


def test_a_json_body_is_refused(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "POST", PI, "{}", Content_Type="application/json").status == 415


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ({"amount": "100", "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": "1.5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1e3", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "-5", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "0", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "", "currency": "usd"}, "parameter_invalid_empty", "amount"),
        ({"amount": "49", "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": "100000000", "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": "1000000000000", "currency": "idr"}, "amount_too_large", "amount"),
        ({"amount": "100", "currency": "xyz"}, None, "currency"),
        ({"amount": "1001", "currency": "kwd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "1050", "currency": "isk"}, "parameter_invalid_integer", "amount"),
        ({"amount": "49", "currency": "jpy"}, "amount_too_small", "amount"),
        ({"amount": "100", "currency": "usd", "confirm": "yes"}, None, "confirm"),
        ({"amount": "100", "currency": "usd", "metadata": "x"}, None, "metadata"),
        ({"amount": "100", "currency": "usd", "capture_method": "later"}, None, "capture_method"),
        (
            {"amount": "100", "currency": "usd", "payment_method_types[0]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        ({"amount": "100", "currency": "usd", "customer": "cus_x"}, "resource_missing", "customer"),
        ({"amount": "100", "currency": "usd", "payment_method": "pm_x"}, "resource_missing", "payment_method"),
    ],
)
def test_bad_parameters_are_refused(shared: SandboxProcess, form: dict[str, str], code: str | None, param: str) -> None:
    reply = raw_requests.send(shared, "POST", PI, form)

    assert (reply.status, reply.error.get("code"), reply.error["param"]) == (400, code, param)
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["message"]


def test_rupiah_are_charged_with_up_to_twelve_digits(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "POST", PI, {"amount": "999999999999", "currency": "idr"}).status == 200


@pytest.mark.parametrize("text", ["a[b=1", "amount=%ff", "a=1&a[b]=2", "[x]=1", "a" + "[b]" * 30 + "=1"])
def test_unreadable_forms_are_refused(shared: SandboxProcess, text: str) -> None:
    assert raw_requests.send(shared, "POST", PI, text).status == 400


def test_automatic_and_allowed_types_exclude_each_other(api: stripe.StripeClient) -> None:
    params: Any = {"amount": 100, "currency": "usd", "allowed_payment_method_types": ["card"]}

    assert api.v1.payment_intents.create(params).payment_method_types == ["card"]
    params["automatic_payment_methods"] = {"enabled": True}
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.create(params)


def test_what_does_not_exist_is_404_in_the_path(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.v1.payment_intents.retrieve("pi_nobody")

    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_metadata_merges_and_an_empty_value_deletes(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    changed = api.v1.customers.update(customer.id, {"metadata": {"b": "", "c": "3"}})

    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"a": "1", "c": "3"}
    emptied = api.v1.customers.update(customer.id, {"metadata": ""})
    assert emptied.metadata is not None
    assert emptied.metadata.to_dict() == {}


@pytest.mark.parametrize("metadata", [{"k" * 41: "v"}, {"k": "v" * 501}, {str(number): "v" for number in range(51)}])
def test_metadata_has_limits(api: stripe.StripeClient, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.customers.create({"metadata": metadata})


def test_an_empty_string_unsets(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"name": "A", "description": "d"})

    assert api.v1.customers.update(customer.id, {"description": ""}).description is None


def test_lists_page_forwards_and_backwards(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create({"name": str(number)}).id for number in range(7)][::-1]

    first = client.v1.customers.list({"limit": 3})
    assert ([row.id for row in first.data], first.has_more) == (made[:3], True)
    second = client.v1.customers.list({"limit": 3, "starting_after": made[2]})
    assert [row.id for row in second.data] == made[3:6]
    last = client.v1.customers.list({"limit": 3, "starting_after": made[5]})
    assert ([row.id for row in last.data], last.has_more) == (made[6:], False)
    back = client.v1.customers.list({"limit": 2, "ending_before": made[4]})
    assert ([row.id for row in back.data], back.has_more) == (made[2:4], True)
    assert [row.id for row in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == made
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.list({"limit": 101})


def test_lists_filter_by_moment(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    early = client.v1.customers.create({"name": "early"})
    sandbox.advance(1000)
    late = client.v1.customers.create({"name": "late"})

    found = client.v1.customers.list({"created": {"gt": early.created}})
    assert [row.id for row in found.data] == [late.id]
    assert [row.id for row in client.v1.customers.list({"created": early.created}).data] == [early.id]


def test_ids_expand_in_objects_and_lists(api: stripe.StripeClient) -> None:
    paid = steps.pay(api, 2_000)
    expanded: Any = api.v1.payment_intents.retrieve(paid.id, {"expand": ["latest_charge.balance_transaction"]})
    listed: Any = api.v1.payment_intents.list({"limit": 1, "expand": ["data.payment_method"]})

    assert expanded.latest_charge.balance_transaction.amount == 2_000
    assert listed.data[0].payment_method.card.last4 == "4242"
    assert api.v1.payment_intents.retrieve(paid.id).latest_charge == expanded.latest_charge.id
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.retrieve(paid.id, {"expand": ["amount"]})
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.payment_intents.retrieve(paid.id, {"expand": ["unicorn"]})


def test_refunds_are_in_a_charge_only_when_asked_for(api: stripe.StripeClient) -> None:
    paid = steps.pay(api, 2_000)
    refund = api.v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    charge = str(paid.latest_charge)

    assert api.v1.charges.retrieve(charge).refunds is None
    shown = api.v1.charges.retrieve(charge, {"expand": ["refunds"]}).refunds
    assert shown is not None
    assert [row.id for row in shown.data] == [refund.id]
    for _ in range(10):
        api.v1.refunds.create({"payment_intent": paid.id, "amount": 50})
    more = api.v1.charges.retrieve(charge, {"expand": ["refunds"]}).refunds
    assert more is not None
    assert (len(more.data), more.has_more, len(list(more.auto_paging_iter()))) == (10, True, 11)


def test_a_publishable_key_reads_an_intent_by_its_secret(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    intent = api.v1.payment_intents.create({"amount": 500, "currency": "usd", "metadata": {"a": "b"}})
    page = sdk(shared, "pk_test_page")

    shown: Any = page.v1.payment_intents.retrieve(intent.id, {"client_secret": str(intent.client_secret)})
    assert (shown.id, shown.metadata) == (intent.id, None)
    for params in ({}, {"client_secret": "pi_x_secret_y"}):
        with pytest.raises(stripe.InvalidRequestError):
            page.v1.payment_intents.retrieve(intent.id, params)  # type: ignore[arg-type]

"""Invalid requests are refused with Stripe's errors: never with a 500, and without any effect."""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
import stripe

from sandboxes.kit import params
from sandboxes.stripe.registry import ROUTES
from tests.sandbox import raw_requests, steps
from tests.sandbox.conftest import sdk
from tests.sandbox.test_pages import visit
from tests.sandbox_process import ControlRefused, SandboxProcess

CARD = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2040"}


def raw(sandbox: SandboxProcess, header: bytes) -> tuple[int, Any]:
    """Post a customer with one header as bytes; return status and body."""
    head = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header
    form = b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nname=a"
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=60) as connection:
        connection.sendall(head + form)
        with connection.makefile("rb") as reply:
            told, _, body = reply.read().partition(b"\r\n\r\n")
    return int(told.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Authorization: Bearer \xff\xfe\xff\xff", 401),
        (b"Authorization: Bearer sk_test_\xff\xff", 401),
        (b"Authorization: Basic \xff\xff", 401),
        (b"Authorization: Bearer sk_test_a\r\nStripe-Account: \xff", 403),
        (b"Authorization: Bearer sk_test_a\r\nIdempotency-Key: \xff", 400),
        (b"Authorization: Bearer sk_test_a\r\nStripe-Version: \xff", 400),
    ],
)
def test_headers_that_are_no_text(shared: SandboxProcess, header: bytes, status: int) -> None:
    told, body = raw(shared, header)

    assert (told, body["error"]["type"]) == (status, "invalid_request_error")


def test_a_key_that_is_no_text(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "GET", "/v1/balance", "key[a]=1", key=None).status == 401


def test_a_body_that_is_too_large(shared: SandboxProcess) -> None:
    assert raw_requests.send(shared, "POST", "/v1/customers", "name=" + "a" * 2_000_000).status == 413


@pytest.mark.parametrize("path", ["/v2/core/accounts", "/v1/", "/v1/customers/"])
def test_addresses_that_are_none(shared: SandboxProcess, path: str) -> None:
    reply = raw_requests.send(shared, "GET", path)

    assert (reply.status, reply.error["type"]) == (404, "invalid_request_error")


@pytest.mark.parametrize(
    ("path", "form", "param"),
    [
        ("/v1/customers", {"expand[0]": ""}, "expand[0]"),
        ("/v1/customers", {"expand": "id"}, "expand"),
        ("/v1/payment_methods", {**CARD, "card[exp_month]": "\u00b2"}, "exp_month"),
        ("/v1/payment_methods", {**CARD, "card[exp_year]": "\u00b2\u00b2"}, "exp_year"),
        ("/v1/payment_methods", {**CARD, "card[cvc]": "\u0661\u0662\u0663"}, "cvc"),
        ("/v1/accounts", {"settings[payouts]": ""}, "settings[payouts]"),
        ("/v1/accounts", {"settings[payouts][schedule]": ""}, "settings[payouts][schedule]"),
        (
            "/v1/accounts",
            {"settings[payouts][schedule][delay_days]": "soon"},
            "settings[payouts][schedule][delay_days]",
        ),
        ("/v1/accounts", {"capabilities[transfers]": "yes"}, "capabilities[transfers]"),
        (
            "/v1/balance_settings",
            {"payments[payouts][minimum_balance_by_currency][usd]": "x"},
            "payments[payouts][minimum_balance_by_currency][usd]",
        ),
    ],
)
def test_parameters_that_are_none(shared: SandboxProcess, path: str, form: dict[str, str], param: str) -> None:
    reply = raw_requests.send(shared, "POST", path, form)

    assert reply.status in (400, 402)
    assert reply.error["param"] == param


@pytest.mark.parametrize("given", ["x", "[features]=x", "[enabled]=maybe", "[enabled]=true&components[unicorn][a]=1"])
def test_components_that_are_none(shared: SandboxProcess, api: stripe.StripeClient, given: str) -> None:
    form = f"account={steps.account(api).id}&components[account_onboarding]{given if '[' in given else '=' + given}"

    assert raw_requests.send(shared, "POST", "/v1/account_sessions", form).status == 400


def test_a_delay_of_days_is_a_number_whoever_sets_it(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    account = steps.account(api, settings={"payouts": {"schedule": {"delay_days": "minimum"}}})
    own: Any = {"stripe_account": account.id}
    assert account.settings is not None
    assert account.settings.payouts is not None
    assert account.settings.payouts.schedule.delay_days == 2

    given: Any = {"payments": {"payouts": {"minimum_balance_by_currency": {"usd": 1_500}}}}
    told: Any = api.v1.balance_settings.update(given, own)
    assert told.payments.settlement_timing.delay_days == 2
    assert told.payments.payouts.minimum_balance_by_currency["usd"] == 1_500
    assert "_minimum" not in api.v1.accounts.retrieve(account.id).last_response.body  # type: ignore[union-attr]


def test_the_platform_cannot_end_itself(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    platform = sandbox.health()["platform"]

    assert raw_requests.send(sandbox, "DELETE", f"/v1/accounts/{platform}").status == 400
    assert raw_requests.send(sandbox, "POST", f"/v1/accounts/{platform}/reject", {"reason": "fraud"}).status == 400
    assert client.v1.accounts.retrieve_current().charges_enabled


def test_what_came_by_a_transfer_is_neither_refunded_nor_disputed(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    account = steps.freelancer(sandbox, client)
    steps.pay(client, 5_000, "pm_card_bypassPending")
    sent = client.v1.transfers.create({"amount": 1_000, "currency": "usd", "destination": account})

    reply = raw_requests.send(
        sandbox, "POST", "/v1/refunds", {"charge": str(sent.destination_payment)}, Stripe_Account=account
    )
    assert (reply.status, reply.error["param"]) == (400, "charge")
    with pytest.raises(ControlRefused, match="400"):
        sandbox.control("POST", "disputes", {"charge": sent.destination_payment})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("webhooks/drain", {"seconds": []}),
        ("disputes", {"charge": "ch_x", "amount": "all"}),
        ("clock", {"seconds": "1"}),
        ("clock", {}),
        ("faults", {"kind": "delay", "seconds": float("inf")}),
        ("payouts/po_x/fail", {"code": []}),
        ("accounts/acct_x", {"disabled_reason": {"a": 1}}),
        ("accounts/acct_x", {"disabled_reason": "lazy"}),
    ],
)
def test_the_control_api_says_what_it_cannot_read(shared: SandboxProcess, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(ControlRefused, match="400"):
        shared.control("POST", path, body)


def test_the_control_api_survives_what_is_too_deep_or_too_large(shared: SandboxProcess) -> None:
    url = f"{shared.base_url}/_sandbox/"
    for method, path, body in (("POST", "clock", b"[" * 5_000), ("DELETE", f"faults/{10**30}", None)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(url + path, body, method=method), timeout=60)
        assert caught.value.code == 400


def test_a_dispute_is_about_no_more_than_was_paid(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    charge = steps.pay(api, 1_000).latest_charge

    for amount in (-5, 0, 1_001):
        with pytest.raises(ControlRefused, match="400"):
            shared.control("POST", "disputes", {"charge": charge, "amount": amount})
    account = steps.account(api).id
    with pytest.raises(ControlRefused, match="400"):
        shared.control("POST", f"accounts/{account}", {"currently_due": 5})


@pytest.mark.parametrize("day", ["\u00b2", "99", "first"])
def test_a_birthday_that_is_none(shared: SandboxProcess, api: stripe.StripeClient, day: str) -> None:
    url = steps.link(api, steps.account(api).id).url

    with pytest.raises(ControlRefused, match="400"):
        shared.onboard(url, **{"individual.dob.day": day})
    assert shared.onboard(url) == "https://example.com/return"


def test_pages_of_rubbish(shared: SandboxProcess, api: stripe.StripeClient) -> None:
    intent = api.v1.payment_intents.create({"amount": 900, "currency": "usd"})
    pay = f"{shared.base_url}/pay/{intent.client_secret}"
    for url in (steps.link(api, steps.account(api).id).url, pay):
        for kind, body in (("application/x-www-form-urlencoded; charset=foo", b"a=\xff"), ("multipart/form-data", b"")):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind}), timeout=60)
            assert caught.value.code in (400, 402)
    card = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123"}
    assert visit(f"{pay}?return_url=http://[", card)[0] == 400
    assert visit(f"{pay}?return_url=nowhere", card)[0] == 400
    assert api.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_lists_begin_only_after_what_is_in_them(api: stripe.StripeClient, shared: SandboxProcess) -> None:
    paid = steps.pay(api, 900)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.v1.customers.list({"starting_after": paid.id})
    assert (caught.value.code, caught.value.param) == ("resource_missing", "starting_after")


def test_metadata_keeps_keys_that_are_numbers(api: stripe.StripeClient) -> None:
    made = api.v1.customers.create({"metadata": {"42": "a", "7": "b"}})

    assert made.metadata is not None
    assert made.metadata.to_dict() == {"42": "a", "7": "b"}


def test_a_restricted_test_key_is_a_key(shared: SandboxProcess) -> None:
    assert sdk(shared, "rk_test_abc").v1.balance.retrieve().livemode is False


def names(fields: dict[str, params.Param], inside: str = "") -> Iterator[str]:
    """Return the name of every parameter, nested ones as they are sent."""
    for name, param in fields.items():
        path = f"{inside}[{name}]" if inside else name
        yield path
        nested = param.nested if isinstance(param, params.Either) else param
        if isinstance(nested, params.Hash):
            yield from names(nested.fields, path)


def test_no_value_of_any_parameter_breaks_the_server(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    known = {"accounts": steps.freelancer(sandbox, client), "customers": client.v1.customers.create({}).id}
    known["payment_intents"] = client.v1.payment_intents.create({"amount": 900, "currency": "usd"}).id
    required = {"amount": "900", "currency": "usd", "type": "card", "enabled_events[0]": "*", "url": "http://e.com"}
    broken = []
    server = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    headers = {"Authorization": "Bearer sk_test_a", "Content-Type": "application/x-www-form-urlencoded"}
    for route in ROUTES:
        kind = route.pattern.pattern.split("/")[2]
        path = re.sub(r"\(\?P<\w+>[^)]*\)", known.get(kind, "x"), route.pattern.pattern)
        given = {name: value for name, value in required.items() if name.partition("[")[0] in route.params}
        for name in names({**route.params, "expand": params.Array(params.Str())}):
            for rubbish in ("=", "=\u00b2", "[0]=", "[a][b]=1"):
                pairs = [f"{other}={value}" for other, value in given.items() if other != name]
                form = "&".join([*pairs, name + quote_plus(rubbish, safe="=[]")])
                body, query = (form, "") if route.method == "POST" else (None, f"?{form}")
                server.request(route.method, path + query, body, headers)
                reply = server.getresponse()
                if reply.status >= 500 or ("object" not in (told := json.loads(reply.read())) and not told["error"]):
                    broken.append((route.method, path, form))

    assert broken == []


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("GET", "/v1/balance_transactions", {}),
        ("GET", "/v1/topups", {}),
        ("POST", "/v1/topups", {"amount": "100", "currency": "usd"}),
        ("GET", "/v1/files", {}),
        ("GET", "/v1/radar/early_fraud_warnings", {}),
        ("GET", "/v1/disputes", {}),
    ],
)
def test_unknown_parameters_are_refused(shared: SandboxProcess, method: str, path: str, form: dict[str, str]) -> None:
    refused = raw_requests.send(shared, method, path, {**form, "colour": "red"})

    assert (refused.status, refused.error["code"], refused.error["param"]) == (400, "parameter_unknown", "colour")

"""Translation of failed calls, with a local server that returns the responses of each test."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from multitask.money import Money
from multitask.payments.operations import send_deadline
from multitask.payments.provider import ABSENT, CannotTell, Found, Rejected, Unavailable, Unknown
from multitask.providers import circuit_breaker
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration

TEN = Money(1_000, "USD")


@dataclass
class Script:
    """What the server answers, the last answer for ever, and what it was asked."""

    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def answer(self, status: int, body: object, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.answers.append((status, text, {name.replace("_", "-"): value for name, value in headers.items()}))

    def refuse(self, status: int, **error: Any) -> None:
        headers = error.pop("headers", {})
        self.answer(status, {"error": {"type": "invalid_request_error", **error}}, **headers)


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer()

        def _answer(self) -> None:
            script.requests.append((self.command, self.path, dict(self.headers)))
            if not script.answers:
                script.hangs.wait(10)
                self.close_connection = True
                return
            status, body, headers = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield script
    script.hangs.set()
    server.shutdown()
    server.server_close()


def provider(script: Script, *, read_timeout_seconds: float = 5, request_timeout_seconds: float = 5) -> StripeProvider:
    return StripeProvider(
        Configuration(
            secret_key="sk_test_1",
            publishable_key="pk_test_1",
            webhook_secret="whsec_1",
            connect_webhook_secret="whsec_2",
            api_base=script.address,
            connect_timeout_seconds=1,
            read_timeout_seconds=read_timeout_seconds,
            request_timeout_seconds=request_timeout_seconds,
        )
    )


def transfer(script: Script, **options: Any) -> None:
    provider(script, **options).create_transfer(
        reference="create_transfer:1:1", amount=TEN, account_id="acct_1", collection_id="ch_1", key="key-1"
    )


def test_a_silent_server_leaves_the_outcome_unknown(script: Script) -> None:
    with pytest.raises(Unknown) as error:
        transfer(script, read_timeout_seconds=0.2)

    assert (error.value.code, error.value.replayed) == ("connection_failed", False)
    assert len(script.requests) == 1, "the SDK must not send again by itself"


def test_a_closed_port_leaves_the_outcome_unknown(script: Script) -> None:
    script.address = "http://127.0.0.1:9"
    with pytest.raises(Unknown):
        transfer(script)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": {"type": "api_error", "message": "Something went wrong"}}),
        (502, "<html>Bad gateway</html>"),
        (503, {"error": {"type": "api_error"}}),
        (200, "not json"),
        (500, {"error": "a string"}),
    ],
)
def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(script: Script, status: int, body: Any) -> None:
    script.answer(status, body)
    with pytest.raises(Unknown) as error:
        transfer(script)
    assert not error.value.replayed
    assert len(script.requests) == 1


def test_a_replayed_500_says_so(script: Script) -> None:
    script.answer(500, {"error": {"type": "api_error"}}, Idempotent_Replayed="true")
    with pytest.raises(Unknown) as error:
        transfer(script)
    assert error.value.replayed


@pytest.mark.parametrize(("code", "refuses_all"), [("rate_limit", True), ("lock_timeout", False)])
def test_a_rate_limit_asks_for_patience(script: Script, code: str, refuses_all: bool) -> None:
    script.refuse(429, code=code, headers={"Retry-After": "7"})
    with pytest.raises(Unavailable) as error:
        transfer(script)
    assert (error.value.code, error.value.retry_after) == ("rate_limited", timedelta(seconds=7))
    assert (error.value.key_spent, error.value.refuses_all) == (False, refuses_all)


@pytest.mark.parametrize("odd", ["soon", "-1", "1.5", ""])
def test_an_unreadable_retry_after_waits_a_second(script: Script, odd: str) -> None:
    script.refuse(429, headers={"Retry-After": odd})
    with pytest.raises(Unavailable) as error:
        transfer(script)
    assert error.value.retry_after == timedelta(seconds=1)


def test_a_key_in_flight_asks_for_patience(script: Script) -> None:
    script.refuse(409, type="idempotency_error", code="idempotency_key_in_use")
    with pytest.raises(Unavailable) as error:
        transfer(script)
    assert error.value.code == "idempotency_key_in_use"
    assert error.value.retry_after == timedelta(seconds=1)
    assert not error.value.key_spent


def test_a_key_used_for_something_else_is_never_final(script: Script) -> None:
    script.refuse(400, type="idempotency_error", message="Keys for idempotent requests...")
    with pytest.raises(Unknown) as error:
        transfer(script)
    assert (error.value.code, error.value.replayed) == ("idempotency_key_reused", True)


@pytest.mark.parametrize("code", ["balance_insufficient", "insufficient_capabilities_for_transfer"])
def test_a_transfer_that_cannot_go_yet_is_held_and_its_key_is_spent(script: Script, code: str) -> None:
    script.refuse(400, code=code, message="You have insufficient funds in your Stripe account.")
    with pytest.raises(Unavailable) as error:
        transfer(script)
    assert (error.value.code, error.value.key_spent) == (code, True)
    assert "Stripe" not in error.value.message


def test_a_refund_that_cannot_be_paid_yet_is_held(script: Script) -> None:
    script.refuse(400, code="balance_insufficient")
    with pytest.raises(Unavailable) as error:
        provider(script).create_refund(reference="r:1:1", payment_id="pi_1", amount=TEN, key="k")
    assert error.value.key_spent


def test_a_payout_without_funds_is_final_and_a_reversal_waits_for_them(script: Script) -> None:
    script.refuse(400, code="balance_insufficient")
    with pytest.raises(Rejected) as payout:
        provider(script).create_payout(reference="r:1:1", account_id="acct_1", amount=TEN, key="k")
    with pytest.raises(Unavailable) as reversal:
        provider(script).reverse_transfer(reference="r:1:1", transfer_id="tr_1", amount=TEN, key="k")
    assert payout.value.code == reversal.value.code == "balance_insufficient"


def test_a_declined_card_names_its_payment_and_the_banks_reason(script: Script) -> None:
    script.refuse(
        402,
        type="card_error",
        code="card_declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
        payment_intent={"id": "pi_1", "object": "payment_intent"},
        charge="ch_1",
    )
    with pytest.raises(Rejected) as error:
        transfer(script)
    assert error.value.code == "insufficient_funds"
    assert error.value.message == "Your card has insufficient funds."
    assert error.value.object_id == "pi_1"


def test_a_refusal_without_a_code_names_its_parameter(script: Script) -> None:
    script.refuse(400, param="amount", message="Refund amount ($20.00) is greater than unrefunded amount on charge.")
    with pytest.raises(Rejected) as error:
        transfer(script)
    assert error.value.code == "invalid_amount"
    assert "Refund amount" in error.value.message


def test_a_bare_refusal_still_has_a_sentence(script: Script) -> None:
    script.answer(400, {"error": {}})
    with pytest.raises(Rejected) as error:
        transfer(script)
    assert (error.value.code, error.value.message) == ("refused", "The payment provider refused.")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_our_fault_and_never_final(script: Script, status: int) -> None:
    script.refuse(status, message="Invalid API Key provided: sk_test_*****1")
    with pytest.raises(Unavailable) as error:
        transfer(script)
    assert error.value.code == "provider_misconfigured"
    assert "sk_test" not in error.value.message
    assert not error.value.key_spent


def test_an_account_that_left_is_read_as_closed(script: Script) -> None:
    script.refuse(403, code="account_invalid", message="The provided key does not have access to account 'acct_1'")

    state = provider(script).read_account("acct_1")

    assert state.closed
    assert [state.transfers_enabled, state.payouts_enabled, state.charges_enabled] == [False, False, False]


def test_an_account_that_left_refuses_payouts_for_good(script: Script) -> None:
    script.refuse(403, code="account_invalid")
    with pytest.raises(Rejected) as error:
        provider(script).create_payout(reference="r:1:1", account_id="acct_1", amount=TEN, key="k")
    assert error.value.code == "account_invalid"


def test_an_account_that_cannot_be_read_is_not_called_closed(script: Script) -> None:
    script.refuse(404, code="resource_missing")
    with pytest.raises(Rejected):
        provider(script).read_account("acct_1")


def test_a_status_that_nobody_knows_moves_nothing(script: Script) -> None:
    common = {"id": "x_1", "amount": 1, "currency": "usd", "status": "levitating", "metadata": {}}
    script.answer(200, common)
    with pytest.raises(Unknown):
        provider(script).read_payment("pi_1")
    with pytest.raises(Unknown):
        provider(script).read_refund("re_1")
    with pytest.raises(Unknown):
        provider(script).read_payout(account_id="acct_1", payout_id="po_1")


def test_the_key_the_account_and_no_telemetry_go_with_a_call(script: Script) -> None:
    script.answer(200, {"id": "po_1", "amount": 1_000, "currency": "usd", "status": "pending", "metadata": {}})
    stripe = provider(script)

    stripe.create_payout(reference="r:1:1", account_id="acct_1", amount=TEN, key="key-7")
    stripe.read_payout(account_id="acct_1", payout_id="po_1")

    for _, _, headers in script.requests:
        assert headers["Stripe-Account"] == "acct_1"
        assert "X-Stripe-Client-Telemetry" not in headers
    assert script.requests[0][2]["Idempotency-Key"] == "key-7"


def page_of_customers(reference: str = "", *, has_more: bool = True) -> dict[str, Any]:
    """A hundred customers, the last of which has the reference."""
    data = [{"id": f"cus_{n}", "object": "customer", "metadata": {}} for n in range(99)]
    data.append({"id": "cus_last", "object": "customer", "metadata": {"reference": reference}})
    return {"object": "list", "url": "/v1/customers", "has_more": has_more, "data": data}


def test_a_job_searches_a_list_to_its_end_however_long_it_is(script: Script) -> None:
    for _ in range(80):
        script.answer(200, page_of_customers())
    script.answer(200, page_of_customers("create_customer:1:1", has_more=False))

    assert provider(script).find_customer(reference="create_customer:1:1", email="") == Found("cus_last")
    assert len(script.requests) == 81


def test_a_list_without_the_object_proves_that_it_does_not_exist(script: Script) -> None:
    script.answer(200, page_of_customers(has_more=False))
    assert provider(script).find_customer(reference="create_customer:1:1", email="") == ABSENT


def test_a_search_that_a_request_breaks_off_proves_nothing(script: Script) -> None:
    script.answer(200, page_of_customers())
    with circuit_breaker.from_request():
        found = provider(script).find_customer(reference="create_customer:1:1", email="")
    assert isinstance(found, CannotTell)
    assert found.code == "search_incomplete"
    assert len(script.requests) == 3


def test_a_search_asks_only_for_what_can_have_been_made_by_the_call(script: Script) -> None:
    script.answer(200, {"object": "list", "url": "/v1/transfers", "has_more": False, "data": []})
    stripe = provider(script)
    since = datetime(2026, 1, 2, tzinfo=UTC)

    stripe.find_customer(reference="r:1:1", email="ada@example.com")
    stripe.find_account(reference="r:1:1", since=since)
    stripe.find_transfer(reference="r:1:1", account_id="acct_1", since=since)
    stripe.find_payout(reference="r:1:1", account_id="acct_1", since=since)

    asked = [parse_qs(urlsplit(path).query) for _, path, _ in script.requests]
    assert asked[0]["email"] == ["ada@example.com"]
    assert [query["created[gte]"] for query in asked[1:]] == [[str(int(since.timestamp()))]] * 3


def test_a_search_without_a_reference_is_a_mistake(script: Script) -> None:
    with pytest.raises(ValueError, match="reference"):
        provider(script).find_customer(reference="", email="")


def test_a_call_that_is_late_is_not_sent(script: Script) -> None:
    script.answer(200, {"id": "cus_1", "object": "customer"})
    stripe = provider(script)
    with send_deadline.within(timedelta(0), since=send_deadline.moment()), pytest.raises(Unavailable) as error:
        stripe.create_customer(reference="r:1:1", email="", name="", key="k")
    assert error.value.code == "sent_too_late"
    assert script.requests == []


def test_a_call_on_a_connection_from_before_is_not_sent_late_either(script: Script) -> None:
    script.answer(200, {"id": "cus_1", "object": "customer"})
    stripe = provider(script)
    stripe.create_customer(reference="r:1:1", email="", name="", key="k")
    with send_deadline.within(timedelta(0), since=send_deadline.moment()), pytest.raises(Unavailable):
        stripe.create_customer(reference="r:2:1", email="", name="", key="l")
    assert len(script.requests) == 1


def test_a_request_waits_less_long_than_a_job(script: Script) -> None:
    stripe = provider(script, read_timeout_seconds=30, request_timeout_seconds=0.3)
    with circuit_breaker.from_request(), pytest.raises(Unknown) as error:
        stripe.read_account("acct_1")
    assert error.value.code == "connection_failed"


def test_an_answer_that_drips_in_is_given_up_as_a_whole() -> None:
    """Each byte comes in time; all of them would take a minute."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "200")
            self.end_headers()
            with suppress(OSError):
                while not stop.wait(0.3):
                    self.wfile.write(b" ")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    script = Script(address=f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(Unknown) as error:
            provider(script, read_timeout_seconds=1).read_account("acct_1")
        assert error.value.code == "connection_failed"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()

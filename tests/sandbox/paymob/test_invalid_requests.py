"""Whatever is sent, it is refused with an answer of Paymob's; nothing ends in a server error."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandboxes.kit.api import Request
from sandboxes.kit.pipeline import Pipeline, Reply
from sandboxes.kit.routing import Route
from sandboxes.paymob.api import PaymobApi
from sandboxes.paymob.objects import payout_token
from sandboxes.paymob.registry import BEHAVIOUR, ROUTES
from sandboxes.paymob.sandbox import Sandbox
from sandboxes.paymob.settings import Settings
from tests.paymob_process import PaymobProcess

LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.floats(),
    st.sampled_from(["card", "EGP", "vodafone", "bank_card", "01020304050", "CIB", "https://a.example/", "1.00", 2001]),
)  # fmt: skip
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@st.composite
def bodies(draw: Any) -> tuple[Route, str]:
    """Return an endpoint and a body with some of its names."""
    route = draw(st.sampled_from(ROUTES))
    names = st.sampled_from([*route.params, "other"])
    body = draw(st.dictionaries(names, VALUE, max_size=12))
    return route, json.dumps(body)


@settings(max_examples=600, deadline=None)
@given(sent=bodies(), token=st.sampled_from(["Token egy_sk_test_any", "payouts"]))
def test_no_body_breaks_an_endpoint(api: PaymobApi, sent: tuple[Route, str], token: str) -> None:
    route, body = sent
    path = re.sub(r"\(\?P<\w+>\[\^/\]\+\)", "1", route.pattern.pattern)
    with api.sandbox.store.transaction():
        bearer = f"Bearer {payout_token.issue(api.sandbox)['id']}"
    headers = {"Authorization": bearer if token == "payouts" else token}
    pipeline = Pipeline(api)
    work = pipeline.begin(Request(route.method, path, headers=headers, body=body.encode()))
    reply = work if isinstance(work, Reply) else pipeline.finish(work)

    assert reply.status < 500, (path, body)
    assert json.loads(reply.body)


@pytest.fixture(scope="module")
def api() -> PaymobApi:
    """An API in this process."""
    return PaymobApi(Sandbox(Settings(seed=1, budget=10**9, inquiries_per_minute=0), BEHAVIOUR))


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 10_000, b'{"a": NaN}', b'{"a": "\\ud800"}'])
def test_a_body_that_is_no_object_is_refused(api: PaymobApi, body: bytes) -> None:
    headers = {"Authorization": "Token egy_sk_test_any"}
    reply = Pipeline(api).begin(Request("POST", "/v1/intention/", headers=headers, body=body))

    assert isinstance(reply, Reply)
    assert reply.status == 400
    assert "detail" in json.loads(reply.body)


def test_a_form_is_refused_where_json_belongs(paymob: PaymobProcess) -> None:
    headers = {"Authorization": "Token egy_sk_test_any", "Content-Type": "application/x-www-form-urlencoded"}

    assert paymob.send("POST", "/v1/intention/", {}, headers=headers)[0] == 415


def test_nothing_is_where_no_endpoint_is(paymob: PaymobProcess) -> None:
    assert paymob.manage("POST", "/v1/intentions/", {})[0] == 404
    assert paymob.payouts("POST", "/transaction/cancel/", {})[0] == 404


def test_a_killed_sandbox_goes_on_where_it_was() -> None:
    with PaymobProcess(seed=1, arguments=("--budget=100000",)) as own:
        made = own.intention(special_reference="7-1")
        ident = own.disburse("bank_card")[1]["transaction_id"]
        token = own.token()[1]["access_token"]
        own.kill()
        own.restart()

        assert own.create(special_reference="7-1")[0] == 400
        assert own.pay(made)["success"]
        assert own.payouts("GET", "/budget/inquire/", token=token)[1]["current_budget"].endswith(" LE")
        own.advance(3_600)
        assert own.inquire(ident, bank=True)[1]["results"][0]["disbursement_status"] == "successful"
        assert own.money()["sum"] == 0

"""Query parameters: none is ignored, and those with two names filter alike under both."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from multitask.users.actor import Actor
from multitask.web.api import document, urls
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.integration.test_query_counts import add_rows
from tests.payments_world import World

HISTORY = "/payments/wallet/transactions/"


def operations() -> Iterator[tuple[str, str, list[str]]]:
    """Every operation of the OpenAPI document: its method, its address with ids, its query parameters."""
    for path, methods in document.openapi(urls.api)["paths"].items():
        address = re.sub(r"\{\w+\}", "1", path)
        for method, operation in methods.items():
            queries = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
            yield method.upper(), address, queries
            if address.startswith("/payments/"):
                yield method.upper(), f"/api{address}", queries


@pytest.mark.parametrize(("method", "address", "known"), list(operations()))
def test_every_operation_refuses_unknown_parameters_and_takes_its_own(
    db: None, method: str, address: str, known: list[str]
) -> None:
    caller = clients.person(client=True)
    for query in ("surprise=1", "surprise=", "&".join([*(f"{name}=1" for name in known), "surprise=1"])):
        refused = caller.send(method, f"{address}?{query}", b"")
        assert (refused.status, refused.code) == (422, "unknown_parameter"), refused.json
        assert refused.json["fields"] == {"surprise": "This parameter is not known."}
    for name in known:
        taken = caller.send(method, f"{address}?{name}=1", b"")
        assert taken.status == 200 or taken.code != "unknown_parameter", taken.json


def test_several_unknown_parameters_are_all_named(db: None) -> None:
    refused = clients.person(client=True).get("/payments/wallet/?page=1&type=refund")
    assert sorted(refused.json["fields"]) == ["page", "type"]


def test_who_is_not_logged_in_learns_that_first(db: None) -> None:
    assert clients.visitor().get("/payments/wallet/?surprise=1").status == 401


def test_transaction_type_filters_as_type_does(db: None) -> None:
    caller = clients.person(freelancer=True)
    for number, kind in enumerate(("escrow_release", "withdrawal", "refund"), start=1):
        add_rows(caller, number, type=kind)

    for kind, number in (("escrow_release", 1), ("withdrawal", 2), ("refund", 3), ("adjustment", 0)):
        found = caller.get(HISTORY, {"transaction_type": kind}).json
        assert found == caller.get(HISTORY, {"type": kind}).json
        assert [row["transaction_type"] for row in found["results"]] == [kind] * number
        assert found["count"] == number
        assert caller.get(HISTORY, {"type": kind, "transaction_type": kind}).json == found

    assert caller.get(HISTORY, {"transaction_type": "gift"}).status == 422
    both = caller.get(HISTORY, {"transaction_type": "refund", "type": "withdrawal"})
    assert (both.status, list(both.json["fields"])) == (422, ["transaction_type"])


def test_the_next_page_keeps_the_filter(db: None) -> None:
    caller = clients.person(freelancer=True)
    add_rows(caller, 3, type="refund")
    add_rows(caller, 3, type="withdrawal")
    first = caller.get(HISTORY, {"transaction_type": "refund", "limit": "2"}).json
    second = caller.get(first["next"].removeprefix("http://testserver")).json
    assert [row["transaction_type"] for row in first["results"] + second["results"]] == ["refund"] * 3
    assert second["next"] is None


@pytest.mark.parametrize("name", ["limit", "page_size"])
def test_more_than_a_hundred_rows_are_asked_for_and_a_hundred_given(db: None, name: str) -> None:
    caller = clients.person(freelancer=True)
    add_rows(caller, 130)
    for size in ("100", "101", "130", "1000", "9" * 40):
        first = caller.get(HISTORY, {name: size}).json
        assert (first["count"], len(first["results"])) == (130, 100)
        second = caller.get(first["next"].removeprefix("http://testserver")).json
        assert (len(second["results"]), second["next"]) == (30, None)
        seen = {row["id"] for row in itertools.chain(first["results"], second["results"])}
        assert len(seen) == 130
    assert caller.get(HISTORY, {"limit": "7", "page_size": "7"}).json["results"][6:]


@pytest.mark.parametrize(
    "path",
    ["/payments/escrow/", "/payments/refunds/", "/payments/disputes/", "/payments/withdrawals/", "/api/tasks/"],
)
def test_no_list_refuses_a_size_beyond_a_hundred(db: None, path: str) -> None:
    assert clients.person(client=True).get(path, {"limit": "500"}).status == 200


def test_a_filter_by_type_that_another_list_lacks_is_refused(world: World, call_as: Callable[[Actor], Caller]) -> None:
    job = world.funded()
    found: Any = call_as(job.client).get("/payments/escrow/", {"transaction_type": "refund"})
    assert (found.status, found.code) == (422, "unknown_parameter")

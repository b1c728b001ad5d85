"""`/payments/proof/`: statements without signing in, and the caller's own proof."""

from collections.abc import Callable
from pathlib import Path

from multitask.payments.books.proof import statements
from multitask.users.actor import Actor
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.integration.proof.verifying import verify
from tests.payments_world import World, user_id

As = Callable[[Actor], Caller]
PROOF = "/payments/proof/"


def test_before_the_first_statement_there_is_nothing(world: World, call_as: As) -> None:
    assert (clients.visitor().get(PROOF).status, clients.visitor().get(PROOF).code) == (404, "not_found")
    assert clients.visitor().get(f"{PROOF}statements/").json["count"] == 0
    assert call_as(world.client()).get(f"{PROOF}mine/").status == 404


def test_anybody_reads_statements(world: World, tmp_path: Path) -> None:
    world.funded()
    world.completed()
    published = statements.publish(now=world.now)
    visitor = clients.visitor()
    shown = visitor.get(PROOF)
    assert shown.status == 200
    (dollars,) = shown.json["currencies"]
    assert (dollars["owed"], dollars["owed_by_kind"]) == ("200.00", {"escrow": "200.00"})
    assert (dollars["held"], dollars["is_covered"], dollars["leaves"]) == ("193.60", False, 2)
    assert visitor.get(f"{PROOF}statements/{published.number}/").json == shown.json
    assert visitor.get(f"{PROOF}statements/").json["results"] == [shown.json]
    assert visitor.get(f"/api{PROOF}").json == shown.json
    assert verify(tmp_path, shown.json).status == 0


def test_what_is_no_statement_is_not_found(world: World) -> None:
    world.funded()
    statements.publish(now=world.now)
    for number, status in (("2", 404), ("0", 422), ("x", 422), (str(2**40), 422)):
        assert clients.visitor().get(f"{PROOF}statements/{number}/").status in {status, 404}
    assert clients.visitor().get(f"{PROOF}?surprise=1").status == 422


def test_only_its_owner_is_given_a_proof(world: World, call_as: As, tmp_path: Path) -> None:
    job = world.settled()
    other = world.settled()
    statements.publish(now=world.now)
    assert clients.visitor().get(f"{PROOF}mine/").status == 401
    own = call_as(job.freelancer).get(f"{PROOF}mine/")
    assert own.status == 200
    assert {entry["leaf"]["subject"] for entry in own.json["leaves"]} == {f"user:{user_id(job.freelancer)}"}
    assert f"user:{user_id(other.freelancer)}" not in str(own.json)
    assert "available 85.00 USD" in verify(tmp_path, own.json).text

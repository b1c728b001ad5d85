"""A person's proof holds in `verify_proof.py`, and no proof holds in which anything was changed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multitask.money import Money
from multitask.payments.books.proof import keys, personal, statements
from multitask.payments.models import Escrow
from tests.integration.proof.verifying import verify
from tests.payments_world import World, dollars, user_id

Proof = dict[str, Any]


@pytest.fixture
def proof(world: World) -> Proof:
    """The proof of a freelancer with available money and money in escrow, among others."""
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    world.funded(freelancer=freelancer)
    world.funded(dollars("70.00"))
    world.released(Money(5000, "EUR"))
    statements.publish(now=world.now)
    found = personal.proof(user_id=user_id(freelancer))
    assert found is not None
    return found


def test_a_proof_shows_the_balances_and_holds(proof: Proof, tmp_path: Path) -> None:
    status, text = verify(tmp_path, proof, key=keys.public_key())
    assert status == 0, text
    assert f"included: {proof['subject']}: available 85.00 USD" in text
    assert "escrow 100.00 USD" in text
    assert "USD: 255.00 owed to people" in text
    assert text.endswith("valid\n")


def change_balance(proof: Proof) -> None:
    proof["leaves"][0]["leaf"]["amounts"][next(iter(proof["leaves"][0]["leaf"]["amounts"]))] += 1


def take_from_a_neighbour(proof: Proof) -> None:
    """The same total, with a cent moved from the sibling to the leaf."""
    change_balance(proof)
    proof["leaves"][0]["path"][0]["sum"] -= 1


def hide_behind_a_negative_sum(proof: Proof) -> None:
    proof["leaves"][0]["path"][0]["sum"] = -5


def exceed_every_sum(proof: Proof) -> None:
    proof["leaves"][0]["path"][0]["sum"] = 2**200


def write_a_sum_as_text(proof: Proof) -> None:
    proof["leaves"][0]["path"][0]["sum"] = str(proof["leaves"][0]["path"][0]["sum"])


def make_an_amount_negative(proof: Proof) -> None:
    proof["leaves"][0]["leaf"]["amounts"]["loan"] = -5


def change_nonce(proof: Proof) -> None:
    proof["leaves"][0]["leaf"]["nonce"] = "0" * 64


def change_subject(proof: Proof) -> None:
    for entry in proof["leaves"]:
        if entry["leaf"]["subject"] == proof["subject"]:
            entry["leaf"]["subject"] = "user:999999"
    proof["subject"] = "user:999999"


def give_to_another(proof: Proof) -> None:
    proof["subject"] = "user:999999"


def repeat_a_leaf(proof: Proof) -> None:
    proof["leaves"].append(proof["leaves"][0])


def change_sibling(proof: Proof) -> None:
    proof["leaves"][0]["path"][0]["hash"] = "00" * 32


def swap_sides(proof: Proof) -> None:
    step = proof["leaves"][0]["path"][0]
    step["side"] = "left" if step["side"] == "right" else "right"


def shorten_path(proof: Proof) -> None:
    proof["leaves"][0]["path"].pop()


def change_signature(proof: Proof) -> None:
    begin = proof["signature"][0]
    proof["signature"] = ("A" if begin != "A" else "B") + proof["signature"][1:]


def change_statement(proof: Proof) -> None:
    content = json.loads(proof["statement"])
    content["currencies"][-1]["owed"] -= 1
    proof["statement"] = json.dumps(content, indent=1)


def change_key(proof: Proof) -> None:
    proof["public_key"] = "3b" * 32


def forget_a_field(proof: Proof) -> None:
    del proof["public_key"]


CHANGES = [
    change_balance,
    take_from_a_neighbour,
    hide_behind_a_negative_sum,
    exceed_every_sum,
    write_a_sum_as_text,
    make_an_amount_negative,
    change_nonce,
    change_subject,
    give_to_another,
    repeat_a_leaf,
    change_sibling,
    swap_sides,
    shorten_path,
    change_signature,
    change_statement,
    change_key,
    forget_a_field,
]


def test_no_proof_holds_in_which_anything_was_changed(proof: Proof, tmp_path: Path) -> None:
    """One published proof for all changes: to play its story takes longer than to verify it."""
    proof["leaves"].sort(key=lambda entry: entry["leaf"]["subject"] != proof["subject"])
    assert verify(tmp_path, proof).status == 0
    held = []
    for change in CHANGES:
        changed = copy.deepcopy(proof)
        change(changed)
        status, text = verify(tmp_path, changed)
        if status != 1 or "INVALID" not in text:
            held.append(change.__name__)
    assert held == []


def test_another_key_than_the_expected_one_is_refused(proof: Proof, tmp_path: Path) -> None:
    assert "another public key" in verify(tmp_path, proof, key="aa" * 32).text


def test_both_sides_of_an_escrow_can_prove_it(world: World, tmp_path: Path) -> None:
    job = world.funded()
    statements.publish(now=world.now)
    for side in (job.client, job.freelancer):
        found = personal.proof(user_id=user_id(side))
        assert f"included: escrow:{job.escrow.pk}: escrow 100.00 USD" in verify(tmp_path, found).text


def test_an_escrow_that_was_released_since_is_in_the_proof_of_its_day(world: World, tmp_path: Path) -> None:
    job = world.completed()
    statements.publish(now=world.now)
    world.release(job)
    found = personal.proof(user_id=user_id(job.freelancer))
    assert f"included: escrow:{job.escrow.pk}: escrow 100.00 USD" in verify(tmp_path, found).text


@pytest.mark.breaks_the_books
def test_an_escrow_that_was_charged_back_since_is_in_the_proof_too(world: World, tmp_path: Path) -> None:
    job = world.funded()
    statements.publish(now=world.now)
    Escrow.objects.filter(pk=job.escrow.pk).update(state="charged_back")
    found = personal.proof(user_id=user_id(job.client))
    assert f"included: escrow:{job.escrow.pk}: escrow 100.00 USD" in verify(tmp_path, found).text


def test_a_proof_without_balances_says_so(world: World, tmp_path: Path) -> None:
    world.funded()
    statements.publish(now=world.now)
    stranger = world.client()
    found = personal.proof(user_id=user_id(stranger))
    status, text = verify(tmp_path, found)
    assert status == 0
    assert "nothing was owed to user:" in text


def test_without_a_statement_there_is_no_proof(world: World) -> None:
    assert personal.proof(user_id=user_id(world.client())) is None


def test_money_on_its_way_is_in_its_owners_proof(
    world: World, tmp_path: Path, find: Callable[[World], dict[str, str]]
) -> None:
    """Refunds and unapplied payments stand under the client, withdrawals under the freelancer."""
    texts = find(world)
    statements.publish(now=world.now)
    for person, expected in texts.items():
        found = personal.proof(user_id=int(person))
        assert expected in verify(tmp_path, found).text


@pytest.fixture(params=["refund", "unapplied", "withdrawing", "pending"])
def find(request: pytest.FixtureRequest) -> Callable[[World], dict[str, str]]:
    """Play one of the cases; return a part of the text by person."""
    return {"refund": _refund, "unapplied": _unapplied, "withdrawing": _withdrawing, "pending": _pending}[request.param]


def _refund(world: World) -> dict[str, str]:
    job = world.funded()
    world.refund(job, amount=dollars("40.00"))
    return {str(user_id(job.client)): "refund 40.00 USD"}


def _unapplied(world: World) -> dict[str, str]:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.learn_of_payment(job)
    return {str(user_id(job.client)): "unapplied 90.00 USD"}


def _withdrawing(world: World) -> dict[str, str]:
    job = world.settled()
    world.withdraw(job.freelancer, dollars("20.00"))
    return {str(user_id(job.freelancer)): "available 65.00, withdrawing 20.00 USD"}


def _pending(world: World) -> dict[str, str]:
    job = world.released()
    return {str(user_id(job.freelancer)): "pending 85.00 USD"}

"""Merkle-sum trees of every size: each path leads to the root, no changed one does, no sum is negative."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.payments.books.proof import merkle
from multitask.payments.books.proof.merkle import Leaf, Node, Step

LEAVES = st.lists(st.integers(1, 2**62), min_size=1, max_size=70)


def nodes_of(amounts: list[int]) -> list[Node]:
    return [Leaf("USD", f"user:{at}", {"available": amount}, "00").node() for at, amount in enumerate(amounts)]


def climbed(node: Node, steps: list[Step]) -> Node:
    for step in steps:
        node = merkle.parent(step.sibling, node) if step.side == "left" else merkle.parent(node, step.sibling)
    return node


@given(LEAVES)
def test_each_path_leads_to_the_root(amounts: list[int]) -> None:
    nodes = nodes_of(amounts)
    root = merkle.root(nodes)
    assert root.sum_minor == sum(amounts)
    assert all(climbed(node, merkle.path(nodes, at)) == root for at, node in enumerate(nodes))


@given(LEAVES, st.data())
def test_no_other_amount_leads_there(amounts: list[int], data: st.DataObject) -> None:
    nodes = nodes_of(amounts)
    at = data.draw(st.integers(0, len(nodes) - 1))
    other = data.draw(st.integers(1, 2**62).filter(lambda amount: amount != amounts[at]))
    changed = Leaf("USD", f"user:{at}", {"available": other}, "00").node()
    assert climbed(changed, merkle.path(nodes, at)).hash != merkle.root(nodes).hash


@given(LEAVES, st.integers(1, 6))
def test_parts_have_the_root_of_the_whole(amounts: list[int], power: int) -> None:
    """Leaves may be stored in parts of any power of two."""
    nodes, size = nodes_of(amounts), 2**power
    parts = [merkle.root(nodes[at : at + size]) for at in range(0, len(nodes), size)]
    assert merkle.root(parts) == merkle.root(nodes)
    for at, node in enumerate(nodes):
        part = nodes[at // size * size : (at // size + 1) * size]
        steps = merkle.path(part, at % size) + merkle.path(parts, at // size)
        assert steps == merkle.path(nodes, at)
        assert climbed(node, steps) == merkle.root(nodes)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_leaf_holds_positive_amounts_only(amount: int) -> None:
    with pytest.raises(ValueError, match="not positive"):
        Leaf("USD", "user:1", {"available": 5, "pending": amount}, "00").node()


def test_a_negative_sum_cannot_be_hashed() -> None:
    with pytest.raises(OverflowError):
        merkle.parent(Node(bytes(32), -1), Node(bytes(32), 2))

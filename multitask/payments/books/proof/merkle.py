"""Merkle-sum trees: each node holds the hash and the sum of what is below it. tools/verify_proof.py does the same.

A leaf's hash is the SHA-256 of a zero byte and of its JSON. A node's is the SHA-256 of a one byte and of hash and sum
of both children, so that no sum can be changed without changing the root. Sums are unsigned: nothing negative can be
added that would hide what is owed to others. A node without a sibling moves up as it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_SUM_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Node:
    """The hash and the sum of everything below, in minor units."""

    hash: bytes
    sum_minor: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a leaf to the root: the sibling, and on which side of the path it is."""

    side: Literal["left", "right"]
    sibling: Node


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is owed under one subject, by kind, in minor units; the nonce keeps others from guessing it."""

    currency: str
    subject: str
    amounts: Mapping[str, int]
    nonce: str

    def document(self) -> dict[str, object]:
        """Return the leaf as a JSON object."""
        return {
            "currency": self.currency,
            "subject": self.subject,
            "amounts": dict(self.amounts),
            "nonce": self.nonce,
        }

    def node(self) -> Node:
        """Return the leaf's node. Raises ValueError for an amount that is not positive."""
        if any(amount <= 0 for amount in self.amounts.values()):
            raise ValueError(f"{self.subject} has an amount that is not positive")
        text = json.dumps(self.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return Node(sha256(_LEAF + text.encode()).digest(), sum(self.amounts.values()))


def parent(left: Node, right: Node) -> Node:
    """Return the node above two nodes."""
    text = b"".join(node.hash + node.sum_minor.to_bytes(_SUM_BYTES, "big") for node in (left, right))
    return Node(sha256(_NODE + text).digest(), left.sum_minor + right.sum_minor)


def root(nodes: Sequence[Node]) -> Node:
    """Return the root above one node or more, in their order."""
    level = list(nodes)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(nodes: Sequence[Node], index: int) -> list[Step]:
    """Return the steps from one of the nodes to their root."""
    level, steps = list(nodes), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append(Step("left" if sibling < index else "right", level[sibling]))
        level, index = _above(level), index // 2
    return steps


def _above(level: list[Node]) -> list[Node]:
    pairs = [parent(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) - len(level) % 2 :]

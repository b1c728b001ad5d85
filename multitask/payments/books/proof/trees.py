"""The trees of a statement: built from the books in one pass, kept in compressed parts, read one part at a time.

While a tree is built, memory holds one part of it and one node for each part; a proof reads one part and the nodes
above all parts. A tree of a million leaves has about two thousand parts.
"""

import hmac
import json
import secrets
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby, islice
from typing import Final

from multitask.payments.books.proof import merkle, owed
from multitask.payments.books.proof.merkle import Leaf, Node, Step
from multitask.payments.books.proof.owed import Owed
from multitask.payments.models import ProofTree, ProofTreePart

# A power of two, so that the nodes above the parts are nodes of the whole tree.
LEAVES_PER_PART: Final = 512
# The trees of this many newest statements are kept; older statements stay, but give no personal proofs any more.
TREES_KEPT: Final = 30
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of one currency: its root, the number of its leaves, and what is owed by kind, in minor units."""

    root: Node
    leaves: int
    by_kind: dict[str, int]


def build(statement: int) -> dict[str, Tree]:
    """Build and store the trees of a statement by currency. Needs an open transaction that sees one moment.

    Raises IntegrityError if the statement has trees already.
    """
    tree = ProofTree.objects.create(statement=statement, secret=secrets.token_bytes(_SECRET_BYTES))
    by_currency = groupby(owed.rows(bytes(tree.secret)), key=lambda row: row.currency)
    return {currency: _build(tree, currency, rows) for currency, rows in by_currency}


def _build(tree: ProofTree, currency: str, rows: Iterable[Owed]) -> Tree:
    nodes: list[Node] = []
    leaves, by_kind = 0, Counter[str]()
    for part in _parts(rows):
        nodes.append(_store(tree, currency, len(nodes), part))
        leaves += len(part)
        for row in part:
            by_kind.update(row.amounts)
    return Tree(merkle.root(nodes), leaves, dict(sorted(by_kind.items())))


def _parts(rows: Iterable[Owed]) -> Iterator[list[Owed]]:
    remaining = iter(rows)
    while part := list(islice(remaining, LEAVES_PER_PART)):
        yield part


def _store(tree: ProofTree, currency: str, number: int, part: list[Owed]) -> Node:
    secret = bytes(tree.secret)
    node = merkle.root([_leaf(secret, currency, row.subject, row.amounts).node() for row in part])
    kept = json.dumps([[row.subject, row.amounts] for row in part], separators=(",", ":"))
    ProofTreePart.objects.create(
        tree=tree,
        currency=currency,
        number=number,
        first_place=part[0].place,
        leaves=zlib.compress(kept.encode()),
        hash=node.hash,
        sum_minor=node.sum_minor,
    )
    return node


def _leaf(secret: bytes, currency: str, subject: str, amounts: dict[str, int]) -> Leaf:
    nonce = hmac.new(secret, f"{currency} {subject}".encode(), sha256).hexdigest()
    return Leaf(currency, subject, amounts, nonce)


def find(statement: int, subjects: Iterable[str]) -> Iterator[tuple[Leaf, list[Step]]]:
    """Yield the leaves of these subjects, in every currency, each with the steps to its root.

    Yields nothing if the trees of the statement are no longer kept.
    """
    tree = ProofTree.objects.filter(pk=statement).first()
    if tree is None:
        return
    currencies = tree.parts.order_by("currency").values_list("currency", flat=True).distinct()
    wanted = list(subjects)
    for currency in list(currencies):
        yield from _find(tree, currency, wanted)


def _find(tree: ProofTree, currency: str, subjects: list[str]) -> Iterator[tuple[Leaf, list[Step]]]:
    """Yield the leaves of subjects in one currency, part by part."""
    secret = bytes(tree.secret)
    parts = tree.parts.filter(currency=currency).order_by("number")
    stored = list(parts.values_list("first_place", "hash", "sum_minor"))
    firsts = [bytes(place) for place, _, _ in stored]
    above = [Node(bytes(own), minor) for _, own, minor in stored]
    places = sorted((sha256(secret + f"{currency} {subject}".encode()).digest(), subject) for subject in subjects)
    for number, there in groupby(places, key=lambda one: bisect_right(firsts, one[0]) - 1):
        # Before the first part there is nothing.
        if number >= 0:
            leaves = _leaves(secret, parts.get(number=number))
            nodes, upper = [leaf.node() for leaf in leaves], merkle.path(above, number)
            wanted = {subject for _, subject in there}
            for index, leaf in enumerate(leaves):
                if leaf.subject in wanted:
                    yield leaf, merkle.path(nodes, index) + upper


def _leaves(secret: bytes, part: ProofTreePart) -> list[Leaf]:
    kept = json.loads(zlib.decompress(part.leaves))
    return [_leaf(secret, part.currency, subject, amounts) for subject, amounts in kept]

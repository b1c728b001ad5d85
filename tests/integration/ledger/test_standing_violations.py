"""What is wrong for days is reported each hour, and the proof of everything else goes on meanwhile.

Only a violation of the ledger's own invariants keeps checkpoints and the full proof from ending.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from multitask import jobs
from multitask.ledger import broken, checkpoints, checks, proof
from multitask.payments.books import invariants
from multitask.payments.models import BooksCheck, ProviderAccount, Reconciliation
from tests.integration.ledger.test_proof import links

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_the_books]

MOON = "the moon is new"


class Moon:
    """An invariant of another package, broken at one account while `is_wrong`."""

    def __init__(self) -> None:
        self.is_wrong = True
        self.account = "purse:1"
        self.full = 0
        self.parts = 0
        self.stop_at = 0

    def violations(self) -> list[str]:
        self.full += 1
        return [f"{self.account} is full"] if self.is_wrong else []

    def among(self, names: frozenset[str]) -> list[str]:
        self.parts += 1
        if self.parts == self.stop_at:
            raise KeyboardInterrupt
        return [f"{self.account} is full"] if self.is_wrong and self.account in names else []


@pytest.fixture
def moon() -> Iterator[Moon]:
    made = Moon()
    checks.register(MOON, made.violations, touched=made.among)
    yield made
    checks._checks.pop(MOON)
    checks._touched.pop(MOON)


@pytest.fixture
def difference() -> Reconciliation:
    """An account that has differed from the books by one cent for an hour."""
    now = timezone.now()
    return Reconciliation.objects.create(
        account=ProviderAccount.objects.create(provider="stripe"),
        currency="USD",
        theirs_minor=1,
        difference_minor=1,
        compared_at=now,
        differs_since=now - timedelta(hours=1),
    )


def found() -> list[str]:
    return [violation.invariant for violation in proof.run()]


def check_books() -> int:
    """Run the job, which fails; return how many violations it has recorded."""
    with pytest.raises(RuntimeError):
        jobs.check_books(timestamp=0)
    return BooksCheck.objects.get().violations


def test_a_difference_at_a_provider_is_reported_each_hour_while_checkpoints_move_on(
    difference: Reconciliation,
) -> None:
    (name,) = invariants.OF_PROVIDERS
    links(5)
    assert found() == [name]
    assert checkpoints.newest().link == 5
    links(1, 5)
    before = checkpoints.newest()
    assert found() == [name]
    after = checkpoints.newest()
    assert (after.link, after.reread != before.reread) == (6, True)


def test_a_difference_at_a_provider_asks_for_no_further_full_proof(difference: Reconciliation, moon: Moon) -> None:
    moon.is_wrong = False
    assert [check_books() for _ in range(3)] == [1, 1, 1]
    assert moon.full == 1
    assert BooksCheck.objects.get().proven_at is not None


def test_a_wrong_row_of_another_package_is_reported_by_each_proof_and_nothing_is_proven_twice(moon: Moon) -> None:
    links(4)
    assert found() == [MOON]
    assert checkpoints.newest().link == 4
    costs = []
    for begin in range(4, 11):
        links(1, begin)
        before = moon.parts
        assert found() == [MOON]
        costs.append(moon.parts - before)
        assert checkpoints.newest().link == begin + 1
    # The new link, what is too young for a link, and what is read again.
    assert max(costs) <= 1 + 1 + proof.RECENT_LINKS + proof.LEAST_LINKS


def test_a_wrong_row_is_forgotten_once_it_is_right(moon: Moon) -> None:
    links(2)
    assert found() == [MOON]
    moon.is_wrong = False
    assert found() == []
    assert broken.found() == {}
    before = moon.full
    assert found() == []
    assert moon.full == before


def test_what_the_full_proof_alone_finds_is_reported_each_hour_without_another_full_proof(moon: Moon) -> None:
    links(1)
    calls: list[str] = []

    def ask() -> list[str]:
        calls.append("asked")
        return []

    checks.register("the sun is up", ask)
    try:
        assert [check_books() for _ in range(3)] == [1, 1, 1]
    finally:
        checks._checks.pop("the sun is up")
    assert calls == ["asked"]
    moon.is_wrong = False
    jobs.check_books(timestamp=0)
    assert BooksCheck.objects.get().violations == 0


def test_a_proof_that_stops_after_a_checkpoint_has_remembered_what_was_wrong_before_it(moon: Moon) -> None:
    links(22)
    # Neither among the newest links nor among the first that are read again.
    moon.account, moon.stop_at = "purse:10", 21
    with pytest.raises(KeyboardInterrupt):
        proof.run()
    assert checkpoints.newest().link == 20
    assert found() == [MOON]


def test_what_another_proof_found_broken_meanwhile_is_not_forgotten(moon: Moon) -> None:
    broken.add([MOON])
    known = broken.found()
    broken.add([MOON])
    broken.remove(known)
    assert list(broken.found()) == [MOON]
    broken.remove(broken.found())
    assert broken.found() == {}


def test_an_invariant_that_no_longer_exists_is_forgotten() -> None:
    broken.add(["of an earlier release"])
    assert proof.run() == []
    assert broken.found() == {}

"""The hourly job: what is new each hour, everything when it is due, and until the books are sound again."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from multitask import jobs
from multitask.ledger import checks
from multitask.payments.books import health
from multitask.payments.models import BooksCheck

pytestmark = pytest.mark.django_db


@pytest.fixture
def full_proofs() -> Iterator[list[str]]:
    """One item for each full proof so far. While it has an item `broken`, the full proof finds a violation."""
    calls: list[str] = []

    def check() -> list[str]:
        calls.append("called")
        return ["the moon is full"] if "broken" in calls else []

    checks.register("the moon is new", check)
    yield calls
    checks._checks.pop("the moon is new")


def test_everything_is_proven_once_in_a_while(full_proofs: list[str]) -> None:
    jobs.check_books(timestamp=0)
    jobs.check_books(timestamp=0)
    assert len(full_proofs) == 1
    BooksCheck.objects.update(proven_at=timezone.now() - timedelta(days=1))
    jobs.check_books(timestamp=0)
    assert len(full_proofs) == 2


def test_a_violation_that_only_the_full_proof_finds_is_reported_until_it_is_gone(full_proofs: list[str]) -> None:
    full_proofs.append("broken")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="1 violations"):
            jobs.check_books(timestamp=0)
        assert BooksCheck.objects.get().violations == 1
    full_proofs.remove("broken")
    jobs.check_books(timestamp=0)
    assert BooksCheck.objects.get().violations == 0


def test_a_full_proof_is_due_again_when_its_days_are_over() -> None:
    now = timezone.now()
    assert health.full_proof_is_due(days=7, now=now)
    health.record(violations=0, is_proven=True, now=now)
    health.record(violations=0, is_proven=False, now=now + timedelta(days=5))
    assert not health.full_proof_is_due(days=7, now=now + timedelta(days=6))
    assert health.full_proof_is_due(days=7, now=now + timedelta(days=7))
    # The clock was ahead when it was recorded.
    assert health.full_proof_is_due(days=7, now=now - timedelta(days=1))

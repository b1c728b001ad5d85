"""What a signed statement says is held: the provider's own figures, and apart from them what only our books know."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from multitask import ledger
from multitask.payments.books import reconciliation
from multitask.payments.books.proof import keys, statements
from multitask.payments.models import ProviderAccount
from tests.integration.pages.reading import text_of
from tests.integration.proof.verifying import verify
from tests.integration.statement.books import Books
from tests.integration.web.test_money_metrics import figures
from tests.payments_world import dollars


def dollars_of(world: Books) -> dict[str, Any]:
    """What a new statement says about dollars."""
    world.wait(days=1)
    (found,) = statements.document(statements.publish(now=world.now))["currencies"]  # type: ignore[arg-type]
    return dict(found)


def parts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    names = ("held_reported", "held_in_flight", "held_since", "held_unreported")
    return tuple(found[name] for name in names)  # type: ignore[return-value]


def at_provider(world: Books) -> int:
    """What the provider itself says it holds in all accounts that it reports."""
    accounts = [
        "",
        *ProviderAccount.objects.exclude(account=None).values_list("account__provider_account_id", flat=True),
    ]
    balances = [world.provider.read_balances(str(account)) for account in accounts]
    return sum(balance.total.amount_minor for found in balances for balance in found)


def test_it_is_what_the_provider_reports_with_its_time(world: Books) -> None:
    world.settled(dollars("1000.00"))
    world.read_all()
    compared_at = world.now
    found = dollars_of(world)
    assert found["held"] == found["held_reported"] == at_provider(world) == 97_070
    assert parts(found) == (97_070, 0, 0, 0)
    assert found["reported_at"] == compared_at.isoformat()


def test_what_moved_since_is_named_apart(world: Books) -> None:
    world.settled()
    world.read_all()
    world.funded()
    found = dollars_of(world)
    assert parts(found) == (9_680, 0, 9_680, 0)
    world.read_all()
    assert parts(dollars_of(world)) == (2 * 9_680, 0, 0, 0)


def test_a_payout_on_its_way_is_in_flight_and_not_lost(world: Books) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    world.read_all()
    before = dollars_of(world)
    assert (before["owed_by_kind"], parts(before)) == ({"withdrawing": 8_500}, (1_180, 8_500, 0, 0))
    assert before["is_covered"]
    world.arrive(withdrawal)
    assert parts(dollars_of(world)) == (1_180, 8_500, -8_500, 0)


@pytest.mark.breaks_the_books
def test_where_the_provider_has_less_than_the_books_its_figure_counts(world: Books, client: Client) -> None:
    world.settled(dollars("1000.00"))
    world.read_all()
    assert dollars_of(world)["is_covered"]
    assert figures(client)['multitask_proof_shortfall_minor{currency="USD"}'] == 0
    reconciliation.compare(
        account=world.platform, closed=ledger.closed_until(), unstated={"USD": -50_000}, now=world.now
    )
    found = dollars_of(world)
    assert (found["owed"], found["held"], found["is_covered"]) == (85_000, 47_070, False)
    assert figures(client)['multitask_proof_shortfall_minor{currency="USD"}'] == 85_000 - 47_070
    assert "$379.30 short" in text_of(client.get("/proof/"))


def test_a_closed_account_reports_nothing_any_more(world: Books, client: Client, tmp_path: Path) -> None:
    job = world.settled()
    world.read_all()
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.work()
    found = dollars_of(world)
    assert parts(found) == (1_180, 0, 0, 8_500)
    words = text_of(client.get("/proof/"))
    assert "In accounts that they do not report, by our books $85.00" in words
    assert "Reported by the payment providers $11.80" in words
    newest = statements.newest()
    assert newest is not None
    told = verify(tmp_path, statements.signed(newest))
    assert (told.status, "85.00 in accounts that no provider reports" in told.text) == (0, True)


def test_without_a_comparison_only_our_books_are_named(world: Books) -> None:
    world.funded()
    found = dollars_of(world)
    assert (parts(found), found["reported_at"]) == ((0, 0, 0, 9_680), None)


def test_parts_that_do_not_add_up_are_invalid(world: Books, tmp_path: Path) -> None:
    world.funded()
    signed = statements.signed(statements.publish(now=world.now + timedelta(days=1)))  # type: ignore[arg-type]
    text = signed["statement"].replace('"held_unreported": 9680', '"held_unreported": 9681')
    assert text != signed["statement"]
    told = verify(tmp_path, {**signed, "statement": text, "signature": keys.sign(text)})
    assert (told.status, "is not the sum of its parts" in told.text) == (1, True)

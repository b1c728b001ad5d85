"""Pages that everybody opens all the time need few statements, and no more when there is more to show."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask import database, ledger
from multitask.marketplace import applications
from multitask.payments.books import audit, history, postings
from multitask.payments.books.history import HistoryType
from multitask.payments.models import Dispute, Escrow, HistoryRow, Milestone, Payment
from multitask.payments.reads import wallet
from multitask.payments.reads.wallet import Filter
from multitask.payments.states import HistoryStatus
from multitask.users.actor import Actor
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.integration.marketplace import people

WALLET = "/payments/wallet/"
HISTORY = "/payments/wallet/transactions/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def freelancer() -> Caller:
    return clients.person(freelancer=True)


@pytest.fixture
def employer() -> Caller:
    return clients.person(client=True)


def fund_escrow(employer: Caller, freelancer: Caller) -> Escrow:
    """An escrow that holds the money of a new task, without a provider."""
    client, worker, now = Actor.of(employer.user), Actor.of(freelancer.user), timezone.now()
    application = applications.apply(actor=worker, now=now, task_id=people.open_task(client).pk)
    task = people.accept(client, application).task
    milestone = task.milestones[0]
    Milestone.objects.filter(pk=milestone.pk).update(state="funded")
    escrow = Escrow.objects.create(
        agreement=task.agreement, milestone=milestone, client=employer.user, freelancer=freelancer.user,
        provider="stripe",
        currency="USD", total_minor=10_000, fee_basis_points=1500, fee_minor=1_500, freelancer_minor=8_500,
        auto_release_days=14, refund_answer_days=7, state="funded", created_at=now, funded_at=now,
    )  # fmt: skip
    payment = Payment.objects.create(
        escrow=escrow, provider="stripe", amount_minor=10_000, currency="USD", state="succeeded", created_at=now
    )
    history.deposit_requested(escrow, payment, now)
    history.deposit_became(escrow, payment, HistoryStatus.COMPLETED, now)
    database.run(lambda: ledger.post_many([postings.fund(escrow, payment, escrow.total, now)]))
    return escrow


def add_rows(person: Caller, number: int, *, escrow: Escrow | None = None, **fields: Any) -> None:
    """Write rows into a person's history, as their events would."""
    values: dict[str, Any] = {"type": "escrow_release", "status": "completed", "direction": "in", "currency": "USD"}
    values |= fields
    now, known = timezone.now(), HistoryRow.objects.count()
    HistoryRow.objects.bulk_create(
        HistoryRow(
            user=person.user, amount_minor=100, escrow=escrow, sender=person.user, recipient=person.user,
            reference=f"test:{known + each}", description="Earned", created_at=now + timedelta(seconds=each), **values,
        )
        for each in range(number)
    )  # fmt: skip


def statements(person: Caller, path: str) -> int:
    """How many statements one answer needs, the one that finds out who asks included."""
    with CaptureQueriesContext(connection) as queries:
        answer = person.get(path)
    assert answer.status == 200, answer.json
    return len(queries)


def test_the_wallet_needs_few_statements_however_much_is_in_it(employer: Caller, freelancer: Caller) -> None:
    fund_escrow(employer, freelancer)
    add_rows(freelancer, 1)
    few = statements(freelancer, WALLET)

    for _ in range(5):
        fund_escrow(employer, freelancer)
    add_rows(freelancer, 500)
    add_rows(freelancer, 5, currency="EUR")

    assert statements(freelancer, WALLET) == few == 2


@pytest.mark.parametrize("query", ["", "?type=escrow_release", "?type=escrow_release&status=completed&currency=USD"])
def test_the_first_page_of_history_needs_few_statements(employer: Caller, freelancer: Caller, query: str) -> None:
    add_rows(freelancer, 1, escrow=fund_escrow(employer, freelancer))
    few = statements(freelancer, HISTORY + query)

    for _ in range(3):
        add_rows(freelancer, 200, escrow=fund_escrow(employer, freelancer))

    assert statements(freelancer, HISTORY + query) == few == 2


def test_an_escrow_needs_few_statements_however_long_its_timeline(employer: Caller, freelancer: Caller) -> None:
    escrow = fund_escrow(employer, freelancer)
    path = f"/payments/escrow/{escrow.pk}/"
    few = statements(employer, path)

    for _ in range(30):
        audit.record("noted", actor=Actor.of(employer.user), now=timezone.now(), escrow=escrow, amount=escrow.total)

    assert len(employer.get(path).json["timeline"]) == 30
    assert statements(employer, path) == few == 2


def test_a_list_of_escrows_needs_few_statements_however_many_they_are(employer: Caller, freelancer: Caller) -> None:
    finance = clients.person(staff_role="finance")
    fund_escrow(employer, freelancer)
    few = {caller: statements(caller, "/payments/escrow/") for caller in (employer, freelancer, finance)}

    for _ in range(5):
        escrow = fund_escrow(employer, freelancer)
        audit.record("noted", actor=Actor.of(employer.user), now=timezone.now(), escrow=escrow, amount=escrow.total)

    for caller, number in few.items():
        assert len(caller.get("/payments/escrow/").json["results"]) == 6
        assert statements(caller, "/payments/escrow/") == number <= (8 if caller is finance else 5)


LISTS = ["/api/tasks/", "/payments/refunds/", "/payments/disputes/", "/payments/withdrawals/"]


@pytest.mark.parametrize("path", LISTS)
def test_other_lists_need_few_statements_however_much_is_in_them(
    employer: Caller, freelancer: Caller, path: str
) -> None:
    def fill() -> None:
        escrow, now = fund_escrow(employer, freelancer), timezone.now()
        escrow.refunds.create(
            payment=escrow.payments.get(), amount_minor=100, currency="USD", state="requested", reason="Late",
            created_at=now, answer_by_at=now,
        )  # fmt: skip
        Dispute.objects.create(escrow=escrow, opened_by=employer.user, reason="Late", opened_at=now)

    fill()
    few = {caller: statements(caller, path) for caller in (employer, freelancer)}
    for _ in range(4):
        fill()
    assert {caller: statements(caller, path) for caller in few} == few
    assert max(few.values()) <= 4


def test_every_filter_finds_the_same_rows_by_kind_as_row_by_row(freelancer: Caller) -> None:
    kinds = [("escrow_release", "in"), ("escrow_release", "neutral"), ("withdrawal", "out")]
    for (kind, direction), status, currency in product(kinds, ["completed", "failed"], ["USD", "EUR"]):
        add_rows(freelancer, 3, type=kind, direction=direction, status=status, currency=currency)
    add_rows(clients.person(freelancer=True), 3)
    user_id = freelancer.user.pk

    for kind, status, currency in product(["", *HistoryType], ["", *HistoryStatus], ["", "USD", "EUR", "GBP"]):
        wanted = Filter(type=kind, status=status, currency=currency)
        everything = list(wallet.rows(user_id, wanted).values_list("pk", flat=True))
        assert wallet.count(user_id, wanted) == len(everything)
        for reach in (1, 5, 100):
            found = wallet.rows(user_id, wanted, reach=reach).values_list("pk", flat=True)
            assert list(found[:reach]) == everything[:reach], wanted

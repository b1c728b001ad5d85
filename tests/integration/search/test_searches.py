"""Tasks, transactions and the back office are searched by words, whatever way people write them."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client

from multitask.database import search
from multitask.marketplace import access, listing, tasks
from multitask.payments.models import HistoryRow
from multitask.payments.reads import history_pages, history_search
from multitask.payments.reads.history_pages import Cursor
from multitask.payments.reads.wallet import Filter
from multitask.text import folding
from multitask.users.models import User
from tests.payments_world import World, dollars, user_id


def _titles(world: World, wanted: str) -> list[str]:
    return [task.title for task in listing.tasks(world.client(), search=wanted)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("تصميم", True), ("التصميم", True), ("تصميم شعار", True), ("شعارا", True), ("لشركه", True), ("الشركة", True),
        ("مسئول", True), ("مسؤولة", True), ("اداره", True), ("٢٠٢٦", True), ("2026", True), ("cafe", True),
        ("CAFÉ", True),
        ("بالغين", True), ("والبالغين", True), ("الوالدين", True), ("والدين", True),
        ("تصميم قلم", False), ("ميم", False), ("%", False), ("'", False), ("' | 'a", False),
    ],
)  # fmt: skip
def test_tasks_are_found(world: World, wanted: str, found: bool) -> None:
    title, text = "التصميم والشعار", "شعارًا لِشركة «Café» ٢٠٢٦، مسؤولة عن الإدارة، تعليم البالغين ووالديهم والوالدين"
    now, client = world.now, world.client()
    tasks.post_task(actor=client, now=now, title=title, description=text, budget=dollars("10.00"), deadline_at=None)
    world.hired()
    assert _titles(world, wanted) == ([title] if found else [])


def test_a_task_is_found_by_those_who_may_see_it_alone(world: World) -> None:
    job = world.hired(title="شعار")
    assert [task.pk for task in listing.tasks(job.client, search="الشعار")] == [job.task_id]
    assert list(listing.tasks(world.client(), search="الشعار")) == []


@pytest.mark.parametrize("wanted", ["شعار المقهى", "شعار المقهي", "مَقهى", "للمقهى", "١٠٠", "١٠٠ دولار", "$100.00"])
def test_transactions_are_found(world: World, wanted: str) -> None:
    job = world.funded(title="شِعار للمقهى")
    world.funded(dollars("25.00"), client=job.client)
    rows = history_pages.page(user_id(job.client), Filter(search=wanted), Cursor()).rows
    assert [row.escrow_id for row in rows] == [job.escrow.pk]


@pytest.mark.parametrize("wanted", ["بالغين", "البالغين", "للبالغين"])
def test_a_transaction_is_found_by_a_word_that_begins_like_a_particle_and_the_article(
    world: World, wanted: str
) -> None:
    job = world.funded(title="دورة للبالغين")
    rows = history_pages.page(user_id(job.client), Filter(search=wanted), Cursor()).rows
    assert [row.escrow_id for row in rows] == [job.escrow.pk]


def test_the_back_office_finds_people_escrows_and_tasks_by_words(world: World, office: Client) -> None:
    job = world.funded(title="شِعار للمقهى")
    page = office.get(f"/backoffice/find/?q={quote('الشعار')}").content.decode()
    assert f"/backoffice/payments/escrow/{job.escrow.pk}/change/" in page
    assert f"/tasks/{job.task_id}/" in page
    user = User.objects.get(pk=user_id(job.client))
    User.objects.filter(pk=user.pk).update(email="mona.farid@example.test")
    answer = office.get("/backoffice/find/?q=farid")
    assert answer["Location"].endswith(f"/{user.pk}/change/")


# -- plans

_LOAD = """
INSERT INTO users_user (username, password, email, email_confirmed_at, is_superuser, is_client, is_freelancer,
                        staff_role, is_staff, is_active, country, default_currency, language, time_zone, created_at)
SELECT 'somebody' || n, '', 'somebody' || n || '@everywhere.test', now(), false, true, false, '', false, true, 'EG',
       'EGP', 'ar', 'UTC', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO marketplace_task (client_id, title, description, budget_minor, currency, state, created_at)
SELECT (SELECT min(id) FROM users_user), 'مهمة ' || n,
       CASE WHEN n % 1000 = 7 THEN 'نادرة ' ELSE '' END || 'everywhere',
       100, 'EGP', 'open', now() FROM generate_series(1, {rows}) AS n;
INSERT INTO payments_historyrow (public_id, user_id, type, status, direction, amount_minor, fee_minor, currency,
                                 reference, description, created_at, failure_reason)
SELECT gen_random_uuid(), (SELECT min(id) FROM users_user), 'adjustment', 'completed', 'in', n, 0, 'EGP', 'bench:' || n,
       CASE WHEN n % 1000 = 7 THEN 'نادرة ' ELSE '' END || 'everywhere', now(), '' FROM generate_series(1, {rows}) AS n;
ANALYZE users_user; ANALYZE marketplace_task; ANALYZE payments_historyrow;
"""


def _plan(rows: QuerySet[Any, Any]) -> str:
    with connection.cursor() as database:
        sql, values = rows.order_by("-pk").values_list("pk")[:26].query.sql_with_params()
        database.execute(f"EXPLAIN {sql}", values)
        return "\n".join(row[0] for row in database.fetchall())


def test_each_search_uses_an_index_for_rare_words_and_walks_the_newest_for_words_of_all(world: World) -> None:
    with connection.cursor() as database:
        database.execute(_LOAD.format(rows=20_000))
        database.execute("SELECT min(id) FROM users_user")
        owner = database.fetchone()[0]
    newest = "Scan Backward"
    plans = {"nowhere": "search", "نادره": "search", "everywhere": newest, "everywhere nowhere": "search"}
    for word, expected in plans.items():
        visible = search.matching(access.visible_tasks(world.client()), folding.query(word))
        assert expected.replace("search", "marketplace_task_search") in _plan(visible), word
        mine = history_search.newest(HistoryRow.objects.filter(user_id=owner), owner, word)
        assert expected.replace("search", "payments_history_search") in _plan(mine), word
    for word, expected in {"nowhere": "search", "somebody77": "search", "everywhere": newest}.items():
        people = search.matching(User.objects.all(), folding.query(word))
        assert expected.replace("search", "users_user_search") in _plan(people), word

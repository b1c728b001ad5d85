"""Backends are killed while they post: acknowledged postings survive, the others happened completely or not at all."""

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
from django.db import Error, connection

from multitask.ledger import AccountRef, invariants
from stack import postgres
from tests.integration.ledger.books import BANK, FEES, cents, ledger_sql, post, rows, usd
from tests.integration.ledger.connections import together

KILLS = 5
WRITERS = 8
DEADLINE_SECONDS = 90
T = TypeVar("T")


@pytest.fixture
def elsewhere(tmp_path: Path, django_db_blocker: Any) -> Iterator[dict[str, str]]:
    """Start a server for this test, with an empty ledger, since killing one backend ends every session."""
    server = postgres.Server(tmp_path / "data" / "postgres")
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            for text in ledger_sql():
                admin.execute(text.encode())
        parts = urlsplit(server.url())
        with django_db_blocker.unblock():
            yield {
                "HOST": parts.hostname or "",
                "PORT": str(parts.port),
                "USER": parts.username or "",
                "PASSWORD": unquote(parts.password or ""),
                "NAME": parts.path.lstrip("/"),
            }
    finally:
        server.remove()


@pytest.mark.usefixtures("writer")
def test_acknowledged_postings_survive_and_no_posting_is_half_done(elsewhere: dict[str, str]) -> None:
    acknowledged: dict[str, int] = {}
    finished = threading.Event()

    def write(writer: int) -> list[tuple[str, int]]:
        dice = random.Random(writer)
        asked: list[tuple[str, int]] = []
        for number in itertools.count():
            if finished.is_set():
                return asked
            key, amount = f"{writer}:{number}", dice.randint(1, 99)
            asked.append((key, amount))
            if survived(partial(pay, writer, key, amount)):
                acknowledged[key] = amount
        raise AssertionError("never finished")

    def kill() -> list[tuple[str, int]]:
        try:
            for _ in range(KILLS):
                enough = len(acknowledged) + 40
                wait_for(partial(reached, acknowledged, enough), "the writers stand still")
                os.kill(a_busy_backend(), signal.SIGKILL)
                wait_for(lambda: not reachable(), "the server did not notice")
                wait_for(reachable, "the server did not come back")
        finally:
            finished.set()
        return []

    answers = together([kill, *(partial(write, writer) for writer in range(WRITERS))], **elsewhere)
    failures = [answer for answer in answers if not isinstance(answer, list)]
    assert not failures
    asked = dict(pair for pairs in answers for pair in pairs)
    assert together([lambda: books_are_whole(asked, acknowledged)], **elsewhere) == ["whole"]
    assert len(acknowledged) > KILLS * 40


def pay(writer: int, key: str, amount: int) -> bool:
    """Post three legs; the fee account is shared by all writers."""
    moves = {AccountRef(f"purse:{writer}", None): usd(-amount), FEES: usd(amount - 1), BANK: usd(1)}
    return post(moves if amount > 1 else {BANK: usd(-1), FEES: usd(1)}, key).created


def survived(call: Callable[[], T]) -> T | None:
    """Return the result, or None if the server died meanwhile and the outcome is unknown; wait until it is back."""
    try:
        return call()
    except Error:
        connection.close()
        wait_for(reachable, "the server did not come back")
        return None


def reachable() -> bool:
    """Return whether the server accepts connections again."""
    try:
        connection.ensure_connection()
        rows("SELECT 1")
    except Error:
        connection.close()
        return False
    return True


def reached(acknowledged: dict[str, int], count: int) -> bool:
    """Return whether this many postings are acknowledged."""
    return len(acknowledged) >= count


def a_busy_backend() -> int:
    """Return the process id of a backend that is posting."""
    busy = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE %s AND state = 'active'"
    found: list[int] = []

    def look() -> bool:
        found.extend(pid for (pid,) in rows(busy, ["%ledger_post%"]))
        return bool(found)

    wait_for(look, "nobody is posting")
    return found[0]


def wait_for(condition: Callable[[], bool], complaint: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.01)


def books_are_whole(asked: dict[str, int], acknowledged: dict[str, int]) -> str:
    """Check that all acknowledged keys exist, all invariants hold, and repeating every request completes the ledger."""
    posted = {key for (key,) in rows("SELECT key FROM ledger_transaction")}
    assert acknowledged.keys() <= posted <= asked.keys()
    for name, query in invariants.QUERIES.items():
        assert rows(query) == [], name
    for key, amount in asked.items():
        assert pay(int(key.partition(":")[0]), key, amount) == (key not in posted)
    assert cents(FEES) == sum(amount - 1 if amount > 1 else 1 for amount in asked.values())
    return "whole"

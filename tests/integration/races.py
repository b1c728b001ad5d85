"""Runs one call in many threads that begin at the same moment."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

WAIT_SECONDS = 60


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all at once, each on a connection of its own; an exception counts as its answer."""
    start = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            start.wait(WAIT_SECONDS)
            answers[place] = call()
        except Exception as error:
            answers[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a call never came back"
    return answers

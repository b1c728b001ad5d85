"""Several connections to one database at the same time, without the pool."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

WAIT_SECONDS = 120


def unpooled(**elsewhere: str) -> None:
    """Open a connection for this thread to the test database, or to the server `elsewhere`."""
    wrapper = connections.create_connection(DEFAULT_DB_ALIAS)
    options = {name: value for name, value in wrapper.settings_dict["OPTIONS"].items() if name != "pool"}
    wrapper.settings_dict = {**wrapper.settings_dict, **elsewhere, "OPTIONS": options}
    connections[DEFAULT_DB_ALIAS] = wrapper


def together(calls: Sequence[Callable[[], Any]], **elsewhere: str) -> list[Any]:
    """Call all functions at the same time, each in a thread with its own connection; return results or exceptions."""
    start = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        unpooled(**elsewhere)
        try:
            connections[DEFAULT_DB_ALIAS].ensure_connection()
            start.wait(WAIT_SECONDS)
            answers[place] = call()
        except Exception as error:
            answers[place] = error
        finally:
            connections[DEFAULT_DB_ALIAS].close()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a call never came back"
    return answers

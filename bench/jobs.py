"""The minimum cost of a job: one that does nothing."""

from procrastinate.contrib.django import app

NOTHING = "bench_nothing"


@app.task(name=NOTHING, queue="operations")
def nothing(number: int) -> None:
    """Do nothing."""

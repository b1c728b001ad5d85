"""Charts as pictures that the server draws: plain SVG, with the same figures in a table beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 140
GAP: Final = 3


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart; several of one slot stand side by side."""

    x: int
    y: int
    width: int
    height: int
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns, or the points of a curve with the area below it, and the highest value in words."""

    columns: Sequence[Column]
    curve: str = ""
    area: str = ""
    top: str = ""
    first: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class Meter:
    """One line of a list with a bar: how many there are, and how many of them are bad, in hundredths."""

    words: str
    number: int
    bad: int
    length: int
    bad_length: int


def meters(rows: Sequence[tuple[str, int, int]]) -> list[Meter]:
    """Draw a bar for each of some numbers, all on the scale of the highest; rows are words, number, bad ones."""
    highest = max((number for _words, number, _bad in rows), default=0) or 1
    return [Meter(word, number, bad, number * 100 // highest, bad * 100 // highest) for word, number, bad in rows]


def columns(
    series: Sequence[tuple[str, Sequence[int]]], titles: Sequence[Sequence[str]], *, top: str, first: str, last: str
) -> Chart:
    """Draw one group of columns a slot; `titles[slot][series]` is what each column says."""
    slots = max((len(values) for _tone, values in series), default=0)
    highest = max((value for _tone, values in series for value in values), default=0)
    if not slots:
        return Chart([])
    slot = WIDTH // slots
    each = max(2, (slot - GAP) // max(1, len(series)))
    drawn = [
        Column(
            number * slot + place * each,
            HEIGHT - _height(value, highest),
            each,
            _height(value, highest),
            tone,
            titles[number][place],
        )
        for place, (tone, values) in enumerate(series)
        for number, value in enumerate(values)
        if value > 0
    ]
    return Chart(drawn, top=top, first=first, last=last)


def curve(values: Sequence[int], *, top: str, first: str, last: str) -> Chart:
    """Draw a curve from the left edge to the right."""
    highest = max(values, default=0)
    if len(values) < 2:
        return Chart([])
    step = WIDTH / (len(values) - 1)
    points = [f"{round(number * step)},{HEIGHT - _height(value, highest)}" for number, value in enumerate(values)]
    area = f"0,{HEIGHT} {' '.join(points)} {WIDTH},{HEIGHT}"
    return Chart([], " ".join(points), area, top, first, last)


def _height(value: int, highest: int) -> int:
    """Whole units of the picture; what is there at all is seen."""
    if value <= 0 or highest <= 0:
        return 0
    return max(2, value * (HEIGHT - 6) // highest)

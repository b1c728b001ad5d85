"""Charts as pictures drawn here: shapes for an SVG, the words beside it, and the figures for a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from multitask.money import Money
from multitask.payments.reads.trends import Point

WIDTH: Final = 600
HEIGHT: Final = 160
_GAP: Final = 0.3  # of a column's own stretch


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over time with the area below it, as SVG path data in a box of WIDTH by HEIGHT."""

    line: str
    area: str
    points: list[Point]
    top: Money
    first: Point
    last: Point
    highest: Point


@dataclass(frozen=True, slots=True)
class Column:
    """One month's column: where it stands, how high it is, and what it says."""

    x: str
    y: str
    width: str
    height: str
    at: datetime
    amount: Money


@dataclass(frozen=True, slots=True)
class Columns:
    """A column for each month."""

    columns: list[Column]
    top: Money
    total: Money
    highest: Column


def curve(points: Sequence[Point]) -> Curve | None:
    """Draw balances over time; None when there is nothing to see."""
    if len(points) < 2 or not any(point.amount.amount_minor for point in points):
        return None
    top = _round_up(max(point.amount.amount_minor for point in points))
    began, span = points[0].at, (points[-1].at - points[0].at).total_seconds()
    spots = [
        (WIDTH * (point.at - began).total_seconds() / span, _height(point.amount.amount_minor, top)) for point in points
    ]
    line = "M" + "L".join(f"{x:.1f} {HEIGHT - y:.1f}" for x, y in spots)
    return Curve(
        line=line,
        area=f"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z",
        points=list(points),
        top=Money(top, points[0].amount.currency),
        first=points[0],
        last=points[-1],
        highest=max(points, key=lambda point: point.amount.amount_minor),
    )


def columns(points: Sequence[Point]) -> Columns | None:
    """Draw amounts by month; None when there is nothing to see."""
    if not any(point.amount.amount_minor for point in points):
        return None
    top = _round_up(max(point.amount.amount_minor for point in points))
    stretch = WIDTH / len(points)
    drawn = []
    for number, point in enumerate(points):
        height = _height(point.amount.amount_minor, top)
        x, width = stretch * (number + _GAP / 2), stretch * (1 - _GAP)
        drawn.append(
            Column(f"{x:.1f}", f"{HEIGHT - height:.1f}", f"{width:.1f}", f"{height:.1f}", point.at, point.amount)
        )
    currency = points[0].amount.currency
    return Columns(
        columns=drawn,
        top=Money(top, currency),
        total=sum((point.amount for point in points), Money.zero(currency)),
        highest=max(drawn, key=lambda column: column.amount.amount_minor),
    )


def _height(minor: int, top: int) -> float:
    """How high an amount stands; what was lost in a month stands on the ground."""
    return max(0, minor) * HEIGHT / top


def _round_up(minor: int) -> int:
    """The next amount of one leading digit, or of 1.5, 2.5: a scale that people read at a glance."""
    size: int = 10 ** max(0, len(str(max(minor, 1))) - 1)
    steps = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
    return next(top for step in steps if (top := size * step // 10) >= max(minor, 1))

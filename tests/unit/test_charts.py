"""Charts: shapes on one scale, and the values that stand beside them."""

from datetime import UTC, datetime, timedelta

from multitask.money import Money
from multitask.payments.reads.trends import Point
from multitask.web import charts
from multitask.web.charts import Count, Series

START = datetime(2026, 1, 1, tzinfo=UTC)


def points(*amounts: int) -> list[Point]:
    return [Point(START + timedelta(days=day), Money(minor, "USD")) for day, minor in enumerate(amounts)]


def counts(*numbers: int) -> list[Count]:
    return [Count(START + timedelta(days=day), number) for day, number in enumerate(numbers)]


def test_nothing_is_drawn_where_there_is_nothing_to_see() -> None:
    assert charts.curve([]) is None
    assert charts.curve(points(500)) is None
    assert charts.curve(points(0, 0)) is None
    assert charts.columns(Series([])) is None
    assert charts.columns(Series(points(0, 0)), Series(points(0, 0))) is None
    assert charts.columns(Series(counts(0))) is None


def test_a_curve_goes_from_edge_to_edge_below_a_round_number() -> None:
    drawn = charts.curve(points(0, 1_100, 750))
    assert drawn is not None
    assert drawn.line == "M0.0 160.0L300.0 42.7L600.0 80.0"
    assert drawn.area == f"{drawn.line}L600 160L0 160Z"
    assert (drawn.top, drawn.highest.amount) == (Money(1_500, "USD"), Money(1_100, "USD"))


def test_series_stand_side_by_side_on_one_scale() -> None:
    drawn = charts.columns(Series(points(1_000, 0), "escrow", "in"), Series(points(500, 250), "refunded", "out"))
    assert drawn is not None
    assert (drawn.top, drawn.total) == (Money(1_000, "USD"), Money(1_750, "USD"))
    assert [(each.tone, each.x, each.height) for each in drawn.columns] == [
        ("escrow", "45.0", "160.0"),
        ("escrow", "345.0", "0.0"),
        ("refunded", "150.0", "80.0"),
        ("refunded", "450.0", "40.0"),
    ]
    assert (drawn.first, drawn.last) == (START, START + timedelta(days=1))


def test_counts_are_drawn_like_money_and_a_small_one_is_seen() -> None:
    drawn = charts.columns(Series(counts(1, 1_000), "bad"))
    assert drawn is not None
    assert (drawn.top, drawn.total, drawn.highest.amount) == (1_000, 1_001, 1_000)
    assert drawn.columns[0].height == "2.0"


def test_what_was_lost_in_a_month_has_no_height() -> None:
    drawn = charts.columns(Series(points(-500, 1_000)))
    assert drawn is not None
    assert drawn.columns[0].height == "0.0"


def test_meters_share_the_scale_of_the_highest() -> None:
    drawn = charts.meters([("open", 4, 1), ("none", 0, 0)])
    assert [(each.length, each.bad_length) for each in drawn] == [(100, 25), (0, 0)]
    assert charts.meters([("none", 0, 0)])[0].length == 0

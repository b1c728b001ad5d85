"""The simulation itself: it repeats a story exactly, and detects rules that are broken on purpose."""

import re

import pytest

from tests.simulation.runner import simulation

pytestmark = pytest.mark.django_db


def test_the_same_seed_and_number_play_the_same_story() -> None:
    once, again = (simulation("--seed=5", "--story=14").stdout.splitlines() for _ in range(2))

    # The last line says what it cost.
    assert len(once) > 50
    assert once[:-1] == again[:-1]


def test_a_story_is_the_same_alone_as_among_others() -> None:
    alone = simulation("--seed=3", "--story=6").stdout.splitlines()
    among = simulation("--seed=3", "--first=4", "--stories=4", "--trace").stdout.splitlines()

    begin = among.index("seed 3 story 6")
    assert among[begin : begin + len(alone) - 1] == alone[:-1]


# Each with a story that is known to come upon it; should draws change, later ones do.
@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("keys", 10), ("commits", 7), ("polls", 21), ("sweeps", 4), ("dashboard", 3), ("movements", 4), ("lines", 4),
        ("holds", 4), ("losses", 15),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_on_purpose_is_found_and_its_story_named(rule: str, first: int) -> None:
    done = simulation("--seed=5", f"--first={first}", "--stories=60", "--until-wrong", f"--sabotage={rule}")

    assert done.returncode == 1, done.stdout[-2_000:]
    assert re.search(r"^again: make simulate SEED=5 STORY=\d+", done.stdout, re.MULTILINE)


def test_a_story_that_went_wrong_goes_wrong_again() -> None:
    found = simulation("--seed=5", "--first=3", "--stories=60", "--until-wrong", "--sabotage=dashboard")
    number = re.findall(r"STORY=(\d+)", found.stdout)[-1]

    again = simulation("--seed=5", f"--story={number}", "--sabotage=dashboard")

    wrong = re.findall("WRONG: .*", again.stdout)
    assert wrong
    assert wrong == re.findall("WRONG: .*", found.stdout)

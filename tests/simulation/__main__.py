"""`python -m tests.simulation --seed 7 --stories 10000`: play stories, or one of them again."""

import argparse
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from stack import postgres
from tests.simulation import database
from tests.simulation.sabotage import NAMES, Sabotage

ROOT = Path(__file__).parents[2]
Address = Callable[[str], str]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what everything is drawn from")
    parser.add_argument("--stories", type=int, default=200, help="how many are played")
    parser.add_argument("--first", type=int, default=1, help="the number of the first story")
    parser.add_argument("--story", type=int, help="play this one alone and print its steps")
    parser.add_argument("--losing", action="store_true", help="of these, those in which money comes back")
    parser.add_argument("--egypt", action="store_true", help="of these, those in Egyptian pounds")
    parser.add_argument("--workers", type=int, default=1, help="processes, each with a database of its own")
    parser.add_argument("--template", default="", help="a migrated database on the server, to be copied")
    parser.add_argument("--sabotage", choices=("", *NAMES), default="", help="break a rule, to see it found")
    parser.add_argument("--until-wrong", action="store_true", help="stop at the first story that goes wrong")
    parser.add_argument("--trace", action="store_true", help="print every step of every story")
    parser.add_argument("--part", default="0/1", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Play; 1 when a story went wrong."""
    given = arguments()
    with _server() as address:
        name = f"simulation_{os.getpid()}"
        database.make(name, address("postgres"), given.template)
        try:
            os.environ["DATABASE_URL"] = address(name)
            _set_up(is_migrated=bool(given.template))
            return _in_parts(given, name) if given.workers > 1 and not given.story else _play(given)
        finally:
            database.drop(name, address("postgres"))


@contextmanager
def _server() -> Iterator[Address]:
    """The addresses of databases on the server that DATABASE_URL names, or on the embedded one of the tests."""
    named = os.environ.get("DATABASE_URL", "")
    if named:
        yield lambda name: urlsplit(named)._replace(path=f"/{name}").geturl()
        return
    with postgres.tests().held() as server:
        yield server.url


def _set_up(*, is_migrated: bool) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.simulation.settings"
    os.environ["MULTITASK_ENV"] = "test"
    import django

    django.setup()
    # What is loaded by now stays, so nobody has to look through it for garbage.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    if not is_migrated:
        database.migrate()


def _play(given: argparse.Namespace) -> int:
    from tests.simulation.player import Player
    from tests.simulation.report import Report
    from tests.simulation.story import is_egyptian, loses

    player = Player(given.seed, Sabotage(given.sabotage))
    part, parts = map(int, given.part.split("/"))
    numbers = [given.story] if given.story else range(given.first, given.first + given.stories)
    told = Report(given)
    for number in numbers:
        egyptian = is_egyptian(given.seed, number)
        if (given.losing and (egyptian or not loses(given.seed, number))) or (given.egypt and not egyptian):
            continue
        if given.story or number % parts == part:
            told.add(player.play(number))
        if given.until_wrong and told.wrong:
            break
    return told.end()


def _in_parts(given: argparse.Namespace, template: str) -> int:
    """Play the stories in several processes, each with its own copy of this database."""
    from django.db import connection

    connection.close()
    command = [
        sys.executable, "-m", "tests.simulation", f"--seed={given.seed}", f"--stories={given.stories}",
        f"--first={given.first}", f"--sabotage={given.sabotage}", f"--template={template}",
        *(["--losing"] if given.losing else []),
        *(["--egypt"] if given.egypt else []),
    ]  # fmt: skip
    parts = [
        subprocess.Popen([*command, f"--part={part}/{given.workers}"], cwd=ROOT, text=True)
        for part in range(given.workers)
    ]
    return max(part.wait() for part in parts)


if __name__ == "__main__":
    sys.exit(main())

"""The database is lost, around one commit or completely. Clients retry, and nothing takes effect twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pytest

from stack import binaries, postgres
from tests.acceptance import books
from tests.acceptance.story import Step, Story, give_float
from tests.acceptance.system import System, eventually
from tests.database.proxy import Cut, Proxy

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def proxy(own_database: str) -> Iterator[Proxy]:
    """Between the web server and the database."""
    with psycopg.connect(own_database) as connection:
        place = connection.info.hostaddr or connection.info.host, connection.info.port
    with Proxy(*place) as running:
        yield running


@pytest.fixture(scope="module")
def system(own_database: str, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system, whose web server alone reaches the database through the proxy."""
    head, _, tail = own_database.rpartition("@")
    led = f"{head}@127.0.0.1:{proxy.port}/{tail.partition('/')[2].partition('?')[0]}"
    with System(tmp_path_factory.mktemp("system"), own_database, web_database_url=led) as running:
        give_float(running)
        yield running


@pytest.mark.parametrize("cut", ["answer", "commit"])
def test_a_commit_without_an_answer_is_asked_for_again(system: System, proxy: Proxy, cut: Cut) -> None:
    with ThreadPoolExecutor(4) as threads:
        stories = dict(zip(BEFORE, threads.map(partial(played, system), BEFORE.values()), strict=True))
    system.settle_down()

    for command, story in stories.items():
        proxy.cut = cut
        path, body = story.request(command)
        person = story.freelancer if command == "withdraw" else story.client
        lost = person.ask("POST", path, body, key=story.key(command))
        again = person.post(path, body, key=story.key(command))

        assert proxy.cut == "nothing"
        assert (lost.status, lost.code) == (503, "outcome_unknown"), f"{command}: {lost}"
        assert "retry-after" in {name.lower() for name in lost.headers}
        assert again.status in {200, 201}
        assert person.ask("POST", path, body, key=story.key(command)).body == again.body
    books.assert_equal(system)


BEFORE: dict[str, tuple[Step, ...]] = {
    "intend": (Story.hire,),
    "release": (Story.to_work_done,),
    "refund": (Story.hire, Story.fund),
    "withdraw": (Story.to_work_done, Story.release, Story.until_available),
}


def played(system: System, steps: tuple[Step, ...]) -> Story:
    story = Story(system)
    for step in steps:
        step(story)
    return story


@pytest.fixture
def fragile_server(tmp_path: Path) -> Iterator[postgres.Server]:
    """A PostgreSQL of the test's own, that keeps what it has committed."""
    server = postgres.Server(tmp_path / "postgres")
    server.start()
    try:
        yield server
    finally:
        server.remove()


def crash_and_start(server: postgres.Server) -> None:
    """Restart as after a crash: every connection is cut, and what was not committed is gone."""
    account = binaries.server_account()
    command = [str(binaries.reachable_programs(account) / "pg_ctl"), "restart", "-w", "-s", "-m", "immediate"]
    done = account.run([*command, "-D", str(server.cluster), "-l", str(server.log)])
    assert done.returncode == 0, done.stderr


def test_a_restarted_database_is_found_again(fragile_server: postgres.Server, tmp_path: Path) -> None:
    system = System(tmp_path, fragile_server.url())
    migrated = system.manage("migrate", "--verbosity=0")
    assert migrated.returncode == 0, migrated.stderr
    with system, ThreadPoolExecutor(8) as threads:
        stories = list(threads.map(lambda _: hired(system), range(4)))
        programs = system.web.running, system.worker.running
        played = [threads.submit(play_on, story) for story in stories]
        for moment in (
            "SELECT 1 FROM payments_operation WHERE kind = 'create_payment' AND state = 'sent'",
            "SELECT 1 FROM payments_operation WHERE kind = 'create_transfer'",
        ):
            eventually(partial(seen, system, moment), moment, pause=0.01)
            crash_and_start(fragile_server)
        for story in played:
            story.result()
        books.assert_equal(system)
        assert (system.web.running, system.worker.running) == programs
        assert not system.web.has_ended()
        assert not system.worker.has_ended()


def seen(system: System, moment: str) -> bool:
    try:
        return bool(system.query(moment))
    except psycopg.OperationalError:
        return False


def hired(system: System) -> Story:
    story = Story(system)
    story.hire()
    return story


def play_on(story: Story) -> None:
    story.onboard()
    story.fund()
    story.work()
    story.finish()

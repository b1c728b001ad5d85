"""The embedded PostgreSQL: it is private and robust, and does not change the permissions of existing folders."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from stack import binaries, postgres
from stack.errors import StackError
from tests.stack.conftest import ROOT, ask, stack_command


def test_a_started_server_answers_with_the_version_that_is_shipped(server: postgres.Server) -> None:
    server.start()

    assert ask(server.url(), "SHOW server_version").startswith("18.")
    assert ask(server.url(), "SELECT current_database()") == "multitask"
    assert ask(server.url(), "SHOW fsync") == "on"
    assert ask(server.url(), "SHOW listen_addresses") == "127.0.0.1"


def test_starting_and_stopping_twice_is_no_error_and_keeps_the_data(server: postgres.Server) -> None:
    server.start()
    address = server.url()
    server.start()
    assert server.url() == address
    ask(address, "CREATE TABLE kept (id int)")

    server.stop()
    server.stop()
    assert not server.is_running()
    server.start()

    assert ask(server.url(), "SELECT count(*) FROM kept") == "0"


def test_a_server_that_was_killed_starts_again_with_all_that_was_committed(server: postgres.Server) -> None:
    server.start()
    ask(server.url(), "CREATE TABLE kept AS SELECT 1 AS id")
    os.kill(postmaster(server), signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    assert (server.cluster / "postmaster.pid").exists(), "the killed server leaves its pid file"

    server.start()

    assert ask(server.url(), "SELECT sum(id) FROM kept") == "1"


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(server: postgres.Server) -> None:
    server.start()
    os.kill(postmaster(server), signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    pid_file = server.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    server.start()

    assert postmaster(server) != os.getpid()
    assert ask(server.url(), "SELECT 1") == "1"


def test_two_projects_run_side_by_side(server: postgres.Server, tmp_path: Path) -> None:
    other = postgres.Server(tmp_path / "other" / "postgres")
    try:
        server.start()
        other.start()
        ask(server.url(), "CREATE TABLE mine (id int)")

        assert server.cluster != other.cluster
        assert ask(other.url(), "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'") == "0"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            ask(server.url().replace(password(server), password(other)), "SELECT 1")
    finally:
        other.remove()


def test_nobody_gets_in_without_the_password(server: postgres.Server) -> None:
    server.start()

    with pytest.raises(psycopg.OperationalError):
        ask(server.url().replace(f":{password(server)}@", "@"), "SELECT 1")

    rules = ask(server.url(), "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")
    assert rules == "scram-sha-256"


def test_the_password_and_the_data_are_their_owners_alone(server: postgres.Server) -> None:
    server.start()

    assert stat.S_IMODE((server.desk / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.desk.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700


def test_a_wanted_port_is_used_and_a_taken_one_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = postgres.Server(tmp_path / "postgres", port=port)
        with pytest.raises(StackError, match=f"port {port} is taken: set PG_PORT"):
            server.start()
    try:
        server.start()
        assert f":{port}/" in server.url()
    finally:
        server.remove()


def test_without_a_wanted_port_a_taken_one_is_avoided(server: postgres.Server) -> None:
    server.start()
    before = server.url()
    server.stop()
    port = int(before.rpartition(":")[2].partition("/")[0])

    with socket.create_server(("127.0.0.1", port)):
        server.start()

    assert server.url() != before
    assert ask(server.url(), "SELECT 1") == "1"


def test_the_last_holder_stops_the_server(server: postgres.Server) -> None:
    with server.held():
        with postgres.Server(server.desk).held():
            assert server.is_running()
        assert server.is_running(), "another one still holds it"
    assert not server.is_running()


def test_a_holder_that_was_killed_does_not_keep_the_server_up(server: postgres.Server) -> None:
    script = (
        "import sys, time; from pathlib import Path; from stack import postgres\n"
        "with postgres.Server(Path(sys.argv[1])).held():\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(server.desk)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    assert server.is_running()

    with server.held():
        pass

    assert not server.is_running()


def test_a_server_that_was_started_by_hand_stays_when_holders_leave(server: postgres.Server) -> None:
    server.start()
    server.keep(True)

    with server.held():
        pass

    assert server.is_running()


def test_the_data_of_tests_is_new_each_time_and_gone_at_the_end(tmp_path: Path) -> None:
    server = postgres.Server(tmp_path / "tests", durable=False)
    with server.held():
        assert ask(server.url(), "SHOW fsync") == "off"
        ask(server.url(), "CREATE TABLE kept (id int)")
        cluster = server.cluster
    assert not cluster.exists()
    with server.held():
        assert ask(server.url(), "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == "0"
    server.remove()


def test_a_folder_with_spaces_and_quotes_does(tmp_path: Path) -> None:
    server = postgres.Server(tmp_path / 'it\'s a "folder"' / "post gres")
    try:
        server.start()
        assert ask(server.url(), "SELECT 1") == "1"
    finally:
        server.remove()


def test_removing_leaves_nothing(server: postgres.Server) -> None:
    server.start()
    cluster = server.cluster

    server.remove()

    assert not server.desk.exists()
    assert not cluster.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user nothing could be opened for another account")
def test_as_root_no_folder_becomes_more_open_than_it_was(tmp_path: Path) -> None:
    """The project, its programs and its data are in folders that only root can enter, as under /root."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    project = copy_of_the_project(closed / "project")
    watched = [*closed.resolve().parents, closed, *[path for path in closed.rglob("*") if path.is_dir()], Path("/root")]
    wheel = binaries.wheel_install()
    watched += [wheel, wheel / "bin", wheel / "lib", *wheel.parents, Path("/var/lib"), Path("/var/tmp")]
    before = {path: modes(path) for path in watched if path.exists()}

    try:
        started = run_stack(project, [sys.executable], "start")
        assert started.returncode == 0, started.stderr
        assert "postgresql://" in run_stack(project, [sys.executable], "url").stdout
        desk = project / ".data" / "postgres"
        assert postgres.Server(desk).cluster.stat().st_uid != 0, "the server does not run as root"
    finally:
        removed = run_stack(project, [sys.executable], "remove")

    assert removed.returncode == 0, removed.stderr
    assert {path: modes(path) for path in before} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="the rest of the suite runs as this ordinary user already")
def test_it_runs_as_an_ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A copy of the project with the programs of the server, owned by an unprivileged user."""
    account = binaries.server_account()
    assert account.uid is not None
    assert account.gid is not None
    python = python_that_everyone_runs(account)
    home = Path("/var/tmp") / f"multitask-test-{os.getpid()}"
    home.mkdir(mode=0o700)
    try:
        project = copy_of_the_project(home / "project")
        for path in [home, *home.rglob("*")]:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
        user = ["runuser", "-u", binaries.ACCOUNT, "--", python]
        started = run_stack(project, user, "start")
        assert started.returncode == 0, started.stderr
        address = run_stack(project, user, "url").stdout.strip()
        assert ask(address, "SELECT 1") == "1"
        assert (project / ".data" / "postgres" / "cluster" / "PG_VERSION").exists(), "the data lies in the project"
        assert run_stack(project, user, "stop").returncode == 0
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user's")
def test_a_data_folder_of_another_user_is_refused_by_name(tmp_path: Path) -> None:
    account = binaries.server_account()
    desk = tmp_path / "postgres"
    desk.mkdir()
    os.chown(desk, account.uid or 0, account.gid or 0)

    with pytest.raises(StackError, match="belongs to another user"):
        postgres.Server(desk).start()


def test_the_command_starts_tells_and_stops(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    refused = stack_command("postgres", "url", MULTITASK_DATA=data)
    assert refused.returncode == 1
    assert "not running" in refused.stderr
    try:
        assert stack_command("postgres", "start", MULTITASK_DATA=data).returncode == 0
        address = stack_command("postgres", "url", MULTITASK_DATA=data).stdout.strip()
        assert ask(address, "SELECT 1") == "1"
        assert (tmp_path / "data" / "database-url").read_text().strip() == address
        assert stack_command("postgres", "stop", MULTITASK_DATA=data).returncode == 0
        with pytest.raises(psycopg.OperationalError):
            ask(address, "SELECT 1")
    finally:
        stack_command("postgres", "remove", MULTITASK_DATA=data)


@pytest.mark.parametrize("value", ["0", "65536", "http", "54 32", "-1", "٣"])
def test_a_port_that_is_none_is_refused_by_name(value: str, tmp_path: Path) -> None:
    refused = stack_command("postgres", "start", MULTITASK_DATA=str(tmp_path), PG_PORT=value)

    assert refused.returncode == 1
    assert refused.stderr.startswith("error: PG_PORT must be a port number")


def modes(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def password(server: postgres.Server) -> str:
    return (server.desk / "password").read_text()


def postmaster(server: postgres.Server) -> int:
    return int((server.cluster / "postmaster.pid").read_text().splitlines()[0])


def wait_until(condition) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def copy_of_the_project(target: Path) -> Path:
    """Copy the code of the stack and, as packages, the programs of the server and their libraries."""
    wheel = binaries.wheel_install().parent
    target.mkdir()
    shutil.copytree(ROOT / "stack", target / "stack", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(wheel, target / wheel.name, ignore=shutil.ignore_patterns("pginstall", "include", "__pycache__"))
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), target / f"{wheel.name}.libs")
    return target


def run_stack(project: Path, interpreter: list[str], action: str) -> subprocess.CompletedProcess[str]:
    """Run the copy's `python -m stack postgres`."""
    return subprocess.run(
        [*interpreter, "-m", "stack", "postgres", action],
        cwd=project,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )


def python_that_everyone_runs(account: binaries.Account) -> str:
    """Return a Python 3.11 or later that an ordinary user can run; the current one may be in a private folder."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            tried = account.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"])
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip("no Python 3.11 on this machine that an ordinary user can run")

"""The embedded PostgreSQL: the project's own server, on a loopback port, with a password.

A `Server` has a *desk* (the folder of its password, port and locks, in the project's data folder) and a *cluster*
(PostgreSQL's files). For an ordinary user the cluster is inside the desk. For root it is under /var/lib,
where the unprivileged account that runs it can reach it whatever the permissions of the project's folders. The
cluster of the tests is in memory if there is enough: copying a database then takes a twentieth of the time.
"""

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack import binaries
from stack.errors import StackError

USER = "multitask"
DATABASE = "multitask"
HOST = "127.0.0.1"
START_SECONDS = 60
# Test data may be lost at any time, so the tests do not wait for the disk.
FRAGILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}


def project_folder() -> Path:
    return Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """Return the project's data folder: MULTITASK_DATA, or `.data` in the project."""
    named = os.environ.get("MULTITASK_DATA", "")
    return Path(named).expanduser().resolve() if named else project_folder() / ".data"


def make_folder(folder: Path) -> None:
    """Create a folder that only its owner can read. Raises StackError naming the setting of the data folder."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot make {folder} ({error.strerror}): set MULTITASK_DATA to a folder of yours") from error


def development() -> "Server":
    """Return the server of `make run` and of `manage.py` without DATABASE_URL: durable, on PG_PORT if that is set."""
    return Server(data_folder() / "postgres", port=port_setting("PG_PORT"))


def tests() -> "Server":
    """Return the server of the test suite: its own data, not durable."""
    return Server(data_folder() / "postgres-tests", durable=False)


def benches() -> "Server":
    """Return the server of the benchmarks: durable, since they measure the cost of waiting for the disk."""
    return Server(data_folder() / "postgres-bench")


def address_file() -> Path:
    """Return the file in which `manage.py` without DATABASE_URL finds the address of the development server."""
    return data_folder() / "database-url"


def publish(server: "Server") -> None:
    """Write the address of a running server to `address_file`, readable only by its owner."""
    draft = address_file().with_name(f"database-url.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(server.url() + "\n")
    draft.replace(address_file())


def port_setting(name: str) -> int | None:
    """Return a port from the environment, or None if it is not set."""
    text = os.environ.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65536:
        raise StackError(f"{name} must be a port number from 1 to 65535, not {text!r}")
    return int(text)


class Server:
    """One embedded PostgreSQL server.

    `desk`: folder for the password and locks. `durable`: whether committed data survives a power cut.
    `port`: the loopback port, or None for any free one. Raises StackError with a message that says what to do.
    """

    def __init__(self, desk: Path, *, durable: bool = True, port: int | None = None) -> None:
        self.desk = desk
        self.durable = durable
        self.wanted_port = port

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data folder."""
        memory = None if self.durable else binaries.memory_folder()
        if memory is None and not binaries.is_root():
            return self.desk / "cluster"
        return (memory or binaries.state_folder()) / self._kept_secret("token") / "cluster"

    @property
    def log(self) -> Path:
        return self.cluster / "server.log"

    def start(self) -> None:
        """Create the cluster if there is none, and start its server unless it is running."""
        with self._locked():
            self._start()

    def stop(self) -> None:
        """Stop the server, if it is running."""
        with self._locked():
            self._stop()

    def remove(self) -> None:
        """Stop the server and delete its data and its password."""
        if not self.desk.exists():
            return
        with self._locked():
            self._stop()
            self._delete_cluster()
        shutil.rmtree(self.desk, ignore_errors=True)

    @contextmanager
    def held(self) -> Iterator["Server"]:
        """Run the server during a block; the last process to leave stops it.

        A process that is killed releases its lock, so the next one to leave still stops the server.
        """
        with self._locked(), (self.desk / "holders").open("w") as holders:
            self._start()
            fcntl.flock(holders, fcntl.LOCK_SH)
            descriptor = os.dup(holders.fileno())
        try:
            yield self
        finally:
            with self._locked():
                self._leave(descriptor)

    def _leave(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # Someone else holds it.
        else:
            if not (self.desk / "kept").exists():
                self._stop()
                if not self.durable:
                    self._delete_cluster()
        finally:
            os.close(descriptor)

    def keep(self, kept: bool) -> None:
        """Set whether the server keeps running after the last holder has left."""
        if kept:
            (self.desk / "kept").touch()
        else:
            (self.desk / "kept").unlink(missing_ok=True)

    def url(self, database: str = DATABASE) -> str:
        """Return the address of a database of the running server, with the password."""
        running = self._postmaster()
        if running is None:
            raise StackError("the embedded PostgreSQL is not running: `python -m stack postgres start` starts it")
        return f"postgresql://{USER}:{self._password()}@{HOST}:{running[1]}/{database}"

    def is_running(self) -> bool:
        return self.desk.exists() and self._postmaster() is not None

    # The desk.

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the desk, so that only one process at a time starts or stops the server."""
        self._open_desk()
        with (self.desk / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _open_desk(self) -> None:
        make_folder(self.desk.parent)
        make_folder(self.desk)
        if self.desk.stat().st_uid != os.geteuid():
            raise StackError(f"{self.desk} belongs to another user: run as that user, or set MULTITASK_DATA")

    def _kept_secret(self, name: str) -> str:
        """Return a secret of the desk; it is created on first use, and only its owner can read it."""
        path = self.desk / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            self._open_desk()
        secret = secrets.token_hex(16)
        draft = self.desk / f"{name}.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secret)
        try:
            os.link(draft, path)  # Fails if another process was first; then its secret is used.
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text().strip()

    # The cluster.

    def _start(self) -> None:
        if self._postmaster() is not None:
            return
        account = binaries.server_account()
        programs = binaries.reachable_programs(account)
        if not self.durable:
            shutil.rmtree(self.cluster, ignore_errors=True)  # Delete what a killed test run left.
        if not self.cluster.exists():
            self._make_cluster(account, programs)
        # The pid file of a killed server names a process that has ended, or a new process of another program.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        deadline = time.monotonic() + 20
        while complaint := self._try_to_start(account, programs, port := self._free_port()):
            # Children of a killed server keep its shared memory for a moment, and another program may take the port.
            passes = "shared memory block" in complaint or ("in use" in complaint and self.wanted_port is None)
            if not passes or time.monotonic() > deadline:
                raise StackError(f"the embedded PostgreSQL did not start:\n{complaint}")
            time.sleep(0.2)
        (self.desk / "port").write_text(str(port))

    def _try_to_start(self, account: binaries.Account, programs: Path, port: int) -> str:
        """Start the server; return its error message, or an empty string if it runs."""
        options = {**SETTINGS, **({} if self.durable else FRAGILE), "port": str(port)}
        command = [str(programs / "pg_ctl"), "start", "-w", "-t", str(START_SECONDS), "-s"]
        command += ["-D", str(self.cluster), "-l", str(self.log)]
        command += ["-o", " ".join(f"-c {name}='{value}'" for name, value in options.items())]
        written = self.log.stat().st_size if self.log.exists() else 0
        try:
            done = account.run(command, timeout=START_SECONDS + 10)
        except subprocess.TimeoutExpired:
            return f"nothing happened in {START_SECONDS} s; see {self.log}"
        if done.returncode == 0:
            return ""
        said = self.log.read_bytes()[written:].decode(errors="replace") if self.log.exists() else ""
        return (said or done.stderr).strip() or f"pg_ctl ended with {done.returncode}"

    def _make_cluster(self, account: binaries.Account, programs: Path) -> None:
        """Create an empty cluster next to its final place, and move it there when it is complete."""
        draft = self.cluster.with_name("cluster.new")
        self.cluster.parent.mkdir(exist_ok=True)
        self.cluster.parent.chmod(0o711 if account.uid is not None else 0o700)
        if account.uid is not None:
            (self.cluster.parent / "desk").write_text(str(self.desk))
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = draft.with_name("password.new")
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._password())
        if account.uid is not None and account.gid is not None:
            os.chown(draft, account.uid, account.gid)
            os.chown(password, account.uid, account.gid)
        command = [str(programs / "initdb"), "-D", str(draft), "-U", USER, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += [] if self.durable else ["--no-sync"]
        done = account.run(command)
        password.unlink()
        if done.returncode != 0:
            raise StackError(f"the embedded PostgreSQL's data could not be made: {done.stderr.strip()}")
        self._make_database(account, programs, draft)
        draft.rename(self.cluster)

    def _make_database(self, account: binaries.Account, programs: Path, cluster: Path) -> None:
        """Create the project's database while no server runs, in PostgreSQL's single-user mode."""
        command = [str(programs / "postgres"), "--single", "-D", str(cluster)]
        command += [*([] if self.durable else ["-c", "fsync=off"]), "postgres"]
        done = account.run(command, said=f"CREATE DATABASE {DATABASE}\n")
        if "ERROR" in done.stderr or "FATAL" in done.stderr or done.returncode != 0:
            raise StackError(f"the embedded PostgreSQL's database could not be made: {done.stderr.strip()}")

    def _delete_cluster(self) -> None:
        cluster = self.cluster
        shutil.rmtree(cluster if cluster.parent == self.desk else cluster.parent, ignore_errors=True)

    def _stop(self) -> None:
        if self._postmaster() is None:
            return
        account = binaries.server_account()
        command = [str(binaries.reachable_programs(account) / "pg_ctl"), "stop", "-w", "-s", "-m", "fast"]
        done = account.run([*command, "-t", str(START_SECONDS), "-D", str(self.cluster)], timeout=START_SECONDS + 10)
        if done.returncode != 0 and self._postmaster() is not None:
            raise StackError(f"the embedded PostgreSQL did not stop: {done.stderr.strip()}")

    def _postmaster(self) -> tuple[int, int] | None:
        """Return the process id and port of the running server, or None; a stale pid file is ignored."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            process, port = int(lines[0]), int(lines[3])
            command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError, ValueError):
            return None
        return (process, port) if os.fsencode(self.cluster) in command else None

    def _password(self) -> str:
        return self._kept_secret("password")

    def _free_port(self) -> int:
        """Return the configured port, or else the previous one if it is free, or else any free port."""
        if self.wanted_port is not None:
            if not is_free(self.wanted_port):
                raise StackError(f"port {self.wanted_port} is taken: set PG_PORT to a free one for PostgreSQL")
            return self.wanted_port
        remembered = self.desk / "port"
        if remembered.exists() and remembered.read_text().isdecimal() and is_free(int(remembered.read_text())):
            return int(remembered.read_text())
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True

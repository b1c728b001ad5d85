"""`make run` and `make demo`: start the stack, play the stories, then keep running or stop."""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from stack import console, local, postgres, staff
from stack.caller import Caller
from stack.dollars import DollarStory
from stack.egypt import EgyptStory
from stack.errors import StackError
from stack.local import Local
from stack.processes import Programs
from stack.staff import Login
from stack.story import Story

SETTLE_SECONDS = 2
CONNECT_SECONDS = 10


def run(*, stays: bool) -> int:
    """Start the stack and play the stories; with `stays`, keep running until Ctrl-C. Return the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _data_folder_locked(), _up() as (here, programs):
            login, stories = _tell(here, programs)
            if stays:
                _stay(here, programs, login, stories)
    except StackError as error:
        console.complain(f"\nerror: {error}")
        return 1
    except KeyboardInterrupt:
        return 0 if stays else 130
    return 0


def _tell(here: Local, programs: Programs) -> tuple[Login, dict[str, Story]]:
    """Play the stories, and between them make the login of the staff who work in the second one."""
    console.title("\nA task in USD through Stripe")
    dollars = DollarStory(here, programs.check)
    dollars.play()
    console.title(f"\nDemo finished: 85.00 USD in the freelancer's bank, 15.00 USD platform fees, {dollars.verdict}.")
    console.title("\nA staff login switches two-step sign-in on, which the back office asks for")
    back_office = Caller(here.web, check=programs.check)
    login = staff.register(back_office, f"staff-{dollars.mark}")
    programs.finish("staff", [sys.executable, "manage.py", "staff_role", login.username, "admin"], here.environment())
    staff.keep(login, here.data)
    console.title("\nA task in EGP through Paymob")
    egypt = EgyptStory(here, programs.check, staff=back_office)
    egypt.play()
    console.title(f"\nDemo finished: 850.00 EGP in the freelancer's wallet, 150.00 EGP platform fees, {egypt.verdict}.")
    return login, {"": dollars, " in Egypt": egypt}


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _data_folder_locked() -> Iterator[None]:
    """Lock the data folder, since two stacks on one folder would mix their data."""
    data = postgres.data_folder()
    postgres.make_folder(data)
    with _lock_file(data) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"this project's stack is running already (process {lock.read().strip()}): stop it first, "
                "or set MULTITASK_DATA, WEB_PORT, SANDBOX_PORT and PAYMOB_SANDBOX_PORT for a second one"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock_file(data: Path) -> TextIO:
    try:
        return (data / "run.lock").open("a+")
    except OSError as error:
        raise StackError(
            f"cannot write into {data} ({error.strerror}): set MULTITASK_DATA to a folder of yours"
        ) from error


@contextmanager
def _up() -> Iterator[tuple[Local, Programs]]:
    """Start database, sandboxes, worker and web server; stop all of them at the end, whatever happened."""
    data = postgres.data_folder()
    ports = local.ports()
    programs = Programs(data / "logs")
    with _database() as url:
        here = Local(data, ports, url, local.keys(data))
        try:
            _start(here, programs)
            yield here, programs
        finally:
            # A second Ctrl-C must not leave processes running.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            programs.stop()


@contextmanager
def _database() -> Iterator[str]:
    """Yield the address of the database: of the server that DATABASE_URL names, or of the embedded one."""
    named = os.environ.get("DATABASE_URL", "")
    if named:
        _require_connection(named)
        yield named
        return
    console.say("Starting the embedded PostgreSQL ...")
    with postgres.development().held() as server:
        postgres.publish(server)
        yield server.url()


def _require_connection(url: str) -> None:
    """Connect once, since errors of the connection pool give no reason. Messages never contain the password."""
    # Imported here, since the embedded server can be started without these packages.
    import psycopg
    from psycopg import conninfo

    try:
        given = conninfo.conninfo_to_dict(url, connect_timeout=CONNECT_SECONDS)
    except psycopg.ProgrammingError:
        given = {}
    host = str(given.get("host", "localhost"))
    # If a password contains an unescaped @, the part after it is parsed as the host.
    if not given or "@" in host:
        raise StackError("DATABASE_URL is no address like postgresql://user:password@host:port/name")
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        place, reason = f"{host}:{given.get('port', 5432)}", " ".join(str(error).split())
        raise StackError(f"DATABASE_URL names a database at {place} that cannot be used: {reason}") from error


def _start(here: Local, programs: Programs) -> None:
    environment, manage = here.environment(), [sys.executable, "manage.py"]
    console.say("Applying migrations ...")
    preparations = {name: [*manage, name, "--noinput"] for name in ("migrate", "collectstatic")}
    programs.finish_together(preparations, environment)
    console.say("Starting the offline Stripe, the offline Paymob, the worker and the web server ...")
    programs.start("sandbox", _stripe_command(here), {**environment, **_webhooks(here)})
    signing = {"PAYMOB_SANDBOX_HMAC": here.keys["PAYMOB_HMAC_SECRET"]}
    programs.start("paymob sandbox", _paymob_command(here), {**environment, **signing})
    programs.await_answer("sandbox", f"{here.sandbox}/_sandbox/health")
    programs.await_answer("paymob sandbox", f"{here.paymob}/_sandbox/health")
    programs.start("web", local.web_command(here.ports.web), environment)
    programs.start("worker", [*manage, "worker"], environment)
    programs.await_answer("web", f"{here.web}/readyz")


def _stripe_command(here: Local) -> list[str]:
    return [
        *(sys.executable, "-m", "sandboxes.stripe", "--port", str(here.ports.stripe), "--data", str(here.sandbox_data)),
        *("--settle-after", str(SETTLE_SECONDS), "--payout-after", str(SETTLE_SECONDS)),
    ]


def _paymob_command(here: Local) -> list[str]:
    hook = f"{here.web}/payments/webhooks/paymob/"
    return [
        *(sys.executable, "-m", "sandboxes.paymob", "--port", str(here.ports.paymob), "--data", str(here.paymob_data)),
        *("--callback-url", hook, "--payout-callback-url", f"{hook}payouts/"),
        *("--payout-after", str(SETTLE_SECONDS), "--inquiries-per-minute", "0"),
    ]


def _webhooks(here: Local) -> dict[str, str]:
    """Return the endpoints as environment variables, since all users of a machine can read command lines."""
    hook = f"{here.web}/payments/webhooks/stripe/"
    return {
        "STRIPE_SANDBOX_WEBHOOKS": f"{hook}={here.keys['STRIPE_WEBHOOK_SECRET']}",
        "STRIPE_SANDBOX_CONNECT_WEBHOOKS": f"{hook}={here.keys['STRIPE_CONNECT_WEBHOOK_SECRET']}",
    }


def _stay(here: Local, programs: Programs, login: Login, stories: dict[str, Story]) -> None:
    console.say()
    addresses = {
        "Pages": f"{here.web}/",
        "Back office": f"{here.web}/backoffice/",
        "API": f"{here.web}/docs/",
        "OpenAPI": f"{here.web}/openapi.json",
        "Offline Stripe": f"{here.sandbox}/_sandbox/money",
        "Offline Paymob": f"{here.paymob}/_sandbox/money",
        "Emails": f"{_shown(here.data / 'emails')}/",
        "Kinds of emails": f"{here.web}/dev/emails/",
        "Logs": f"{_shown(programs.logs)}/",
    }
    for name, address in addresses.items():
        console.say(f"  {name:<25} {address}")
    people = {
        f"{role}{place} login": person
        for place, story in stories.items()
        for role, person in {"Client": story.client, "Freelancer": story.freelancer}.items()
    }
    logins = {role: (person.username, person.password) for role, person in people.items()}
    for role, (username, password) in {**logins, "Staff login": (login.username, login.password)}.items():
        console.say(f"  {role:<25} {username}  password {password}")
    console.say(f"  {'Staff code':<25} make code  (or this key in an authenticator app: {login.key})")
    console.say("\nEverything stays up; Ctrl-C stops it.")
    while True:
        programs.check()
        time.sleep(0.5)


def _shown(path: Path) -> str:
    root = postgres.project_folder()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)

"""`make mutation`: mutation testing. Change the code in one place at a time, and count how many changes fail a test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import console, postgres, sql_changes
from stack.errors import StackError

LEFT_OUT = (".git", ".venv", ".data", "*_cache", ".hypothesis", "__pycache__", "static-collected")
SECONDS_PER_CHANGE = 120
# Limits endless loops in SQL functions: stopping the test process does not stop the statement.
SECONDS_PER_STATEMENT = 30


@dataclass(frozen=True, slots=True)
class Target:
    """Files to change, and the tests that must fail then."""

    paths: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "rules": Target(("multitask/payments/terms.py", "multitask/payments/states.py"), ("tests/unit/payments",)),
    "ledger": Target(
        tuple(f"multitask/ledger/{name}.py" for name in ("checks", "errors", "invariants", "posting", "reading")),
        tuple(f"tests/integration/ledger/test_{name}.py" for name in ("posting", "reading", "checks", "races")),
    ),
}

# The SQL of the ledger, which cosmic-ray does not support.
SQL = "sql"
IN_A_MIGRATION = "database_forwards"
SQL_SETTINGS = "tests.integration.ledger.settings"
TARGETS[SQL] = Target(
    tuple(
        str(path.relative_to(postgres.project_folder()))
        for path in sorted((postgres.project_folder() / "multitask" / "ledger" / "sql").glob("*.sql"))
    ),
    # The tests that find most changes come first.
    tuple(f"tests/integration/ledger/{name}" for name in ("test_guards.py", "test_posting.py", "test_reading.py", "")),
)


def run(names: list[str]) -> int:
    """Mutate each target in a copy of the project and print its score. Raises StackError for an unknown target."""
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise StackError(f"there is no target {unknown[0]!r}: choose from {', '.join(TARGETS)}")
    folder = postgres.data_folder() / "mutation"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        postgres.project_folder(), folder / "project", ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True
    )
    with postgres.tests().held() as server:
        environment = {**os.environ, "DATABASE_URL": server.url("postgres"), "MULTITASK_TEST_RUN": "mutation"}
        environment["PGOPTIONS"] = f"-c statement_timeout={SECONDS_PER_STATEMENT}s"
        for name in names or list(TARGETS):
            score = _score_sql if name == SQL else _score
            score(name, TARGETS[name], folder, environment)
    return 0


def _score(name: str, target: Target, folder: Path, environment: Mapping[str, str]) -> None:
    config, session = folder / f"{name}.toml", folder / f"{name}.sqlite"
    config.write_text(_configuration(target))
    console.title(f"{name}: {', '.join(target.paths)}")
    _cosmic_ray(["init", str(config), str(session)], folder, environment)
    _cosmic_ray(["baseline", str(config)], folder, environment)
    _cosmic_ray(["exec", str(config), str(session)], folder, environment)
    for report in ("cr-report", "cr-rate"):
        options = ["--show-diff", "--surviving-only"] if report == "cr-report" else []
        done = subprocess.run([str(Path(sys.executable).with_name(report)), *options, str(session)], text=True)
        if done.returncode != 0:
            raise StackError(f"{report} ended with {done.returncode}")


def _configuration(target: Target) -> str:
    """Return the configuration of cosmic-ray; tests stop at the first failure, and reuse the migrated database."""
    tests = " ".join(target.tests)
    paths = ", ".join(f'"{path}"' for path in target.paths)
    command = f"'{sys.executable}' -m pytest -x -q --reuse-db -p no:cacheprovider {tests}"
    return (
        f'[cosmic-ray]\nmodule-path = [{paths}]\ntimeout = {SECONDS_PER_CHANGE}\ntest-command = "{command}"\n'
        'excluded-modules = []\n[cosmic-ray.distributor]\nname = "local"\n'
    )


def _score_sql(name: str, target: Target, folder: Path, environment: Mapping[str, str]) -> None:
    """Mutate each file in each place; mutations that PostgreSQL refuses to load are counted separately."""
    console.title(f"{name}: {', '.join(target.paths)}")
    count = {"noticed": 0, "missed": 0, "not loaded": 0}
    texts = {path: (folder / "project" / path).read_text() for path in target.paths}
    for path, whole in texts.items():
        file = folder / "project" / path
        for change in sql_changes.changes(whole):
            file.write_text(change.text)
            verdict = _verdict(target, folder, environment)
            count[verdict] += 1
            console.say(f"{verdict}: {path}:{change.line}: {change.before!r} became {change.after!r}")
        file.write_text(whole)
    loaded = count["noticed"] + count["missed"]
    console.say(
        f"{count['noticed']} of {loaded} noticed; {count['not loaded']} were refused by PostgreSQL when loading"
    )


def _verdict(target: Target, folder: Path, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--create-db", "-p", "no:cacheprovider"]
    command += [f"--ds={SQL_SETTINGS}", *target.tests]
    try:
        done = subprocess.run(
            command,
            cwd=folder / "project",
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=SECONDS_PER_CHANGE,
        )
    except subprocess.TimeoutExpired:
        return "noticed"
    if done.returncode == 0:
        return "missed"
    return "not loaded" if IN_A_MIGRATION in done.stdout else "noticed"


def _cosmic_ray(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cosmic_ray.cli", *arguments], cwd=folder / "project", env=dict(environment)
    )
    if done.returncode != 0:
        raise StackError(f"cosmic-ray {arguments[0]} ended with {done.returncode}")

"""The installation, the first step of `make run` on a fresh machine, and its error messages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack.conftest import ROOT

PYTHON_MISSES_VENV = """#!/bin/bash
case "$2" in
*ensurepip*) exit 1 ;;
*print*) echo 3.11 ;;
esac
"""
PYTHON_IS_OLD = """#!/bin/bash
if [ "$1" = --version ]; then echo Python 3.9.2; fi
case "$2" in *version_info*) exit 1 ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of a fresh clone that the installation needs, in a folder with a space, and a `bin` first on PATH."""
    clone = tmp_path / "a clone"
    (clone / "stack").mkdir(parents=True)
    (clone / "bin").mkdir()
    (clone / "requirements").mkdir()
    shutil.copy(ROOT / "stack" / "install.sh", clone / "stack")
    for name in ("run", "dev"):
        (clone / "requirements" / f"{name}.txt").write_text(f"# nothing to install for {name}\n")
    return clone


def program(project: Path, name: str, text: str) -> None:
    path = project / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def install(project: Path, wanted: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(project / "stack" / "install.sh"), wanted],
        env={"PATH": f"{project / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(project), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text.strip()


def test_a_python_that_is_too_old_is_named_in_one_line(project: Path) -> None:
    program(project, "python3", PYTHON_IS_OLD)

    refused = install(project)

    assert refused.returncode == 1
    assert "Python 3.9.2 is too old: this needs Python 3.11 or later" in one_line(refused.stderr)


def test_a_python_that_is_not_there_is_named_in_one_line(project: Path) -> None:
    refused = install(project, PYTHON="python9.9")

    assert refused.returncode == 1
    assert "python9.9 is not here" in one_line(refused.stderr)


def test_an_ordinary_user_without_venv_is_told_what_to_install(project: Path) -> None:
    program(project, "python3", PYTHON_MISSES_VENV)
    program(project, "id", "#!/bin/sh\necho 1000\n")
    program(project, "apt-get", "#!/bin/sh\ntouch apt-was-called\n")

    refused = install(project)

    assert refused.returncode == 1
    assert "sudo apt-get install python3.11-venv" in one_line(refused.stderr)
    assert not list(project.rglob("apt-was-called"))


def test_root_without_venv_gets_it_installed(project: Path) -> None:
    record = project / "calls"
    program(project, "python3", PYTHON_MISSES_VENV)
    program(project, "id", "#!/bin/sh\necho 0\n")
    program(project, "apt-get", f'#!/bin/sh\necho "$@" >> "{record}"\nexit 0\n')

    install(project)

    assert record.read_text().splitlines() == ["update -qq", "install -y -qq python3.11-venv"]


def test_root_is_told_when_venv_cannot_be_installed(project: Path) -> None:
    program(project, "python3", PYTHON_MISSES_VENV)
    program(project, "id", "#!/bin/sh\necho 0\n")
    program(project, "apt-get", "#!/bin/sh\nexit 100\n")

    refused = install(project)

    assert refused.returncode == 1
    assert "'apt-get install python3.11-venv' failed" in one_line(refused.stderr)


def test_what_is_installed_is_not_installed_again(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to("/bin/true")
    shutil.copy(project / "requirements" / "dev.txt", project / ".venv" / "installed-dev.txt")

    for wanted in ("run", "dev"):
        done = install(project, wanted, PYTHON="a python that would fail")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    (project / "requirements" / "dev.txt").write_text("# locked anew\n")
    assert install(project, "dev", PYTHON="python9.9").returncode == 1


def test_every_command_of_the_makefile_says_what_it_does() -> None:
    helped = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )

    assert helped.returncode == 0
    told = {line.split()[1] for line in helped.stdout.splitlines()}
    assert {"help", "run", "demo", "test", "check", "bench", "mutation", "lock", "clean"} <= told

"""Run `tools/verify_proof.py` as somebody would who has nothing but the script and a file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = Path(__file__).parents[3] / "tools" / "verify_proof.py"


class Verdict(NamedTuple):
    """The exit status, and everything that was printed."""

    status: int
    text: str


def verify(folder: Path, *proofs: Any, key: str = "") -> Verdict:
    """Verify documents in a process that finds nothing of ours."""
    paths = []
    for number, proof in enumerate(proofs):
        path = folder / f"proof-{number}.json"
        path.write_text(json.dumps(proof))
        paths.append(str(path))
    arguments = ["--public-key", key] if key else []
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *paths, *arguments], cwd=folder, capture_output=True, text=True
    )
    return Verdict(done.returncode, done.stdout + done.stderr)

"""Evidence of a dispute: texts, and the ids of uploaded files."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.stripe.errors import missing
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.shaping import EXPANDABLE, shape

_FIELDS = {
    name: leaf
    for name, leaf in (shape("dispute") or {})["evidence"].items()
    if name not in ("enhanced_evidence", "appeal")
}
NAMES = tuple(_FIELDS)
FILES = tuple(name for name, leaf in _FIELDS.items() if leaf == EXPANDABLE)
# Over all fields of one dispute: characters of the texts, bytes of the files.
LONGEST, LARGEST = 150_000, 4_718_592


def merged(sandbox: Sandbox, dispute: Doc, given: Doc) -> Doc:
    """Return a dispute's evidence with what was given. Raises 400 for wrong files and for too much of it."""
    together = {**dispute["evidence"], **given}
    account = sandbox.store.account_of(dispute["id"])
    size = sum(_file(sandbox, account, name, together[name])["size"] for name in FILES if together.get(name))
    if size > LARGEST:
        raise bad_param("The combined size of the evidence's files exceeds 4.5 MB.", "evidence")
    texts = (together[name] or "" for name in NAMES if name not in FILES and name in together)
    if sum(map(len, texts)) > LONGEST:
        raise bad_param(f"The combined text of the evidence exceeds {LONGEST} characters.", "evidence")
    return together


def _file(sandbox: Sandbox, account: str, name: str, ident: str) -> Doc:
    doc = sandbox.store.get(ident, "file", account)
    param = f"evidence[{name}]"
    if doc is None:
        raise missing("file", ident, param=param)
    if doc["purpose"] != "dispute_evidence":
        raise bad_param(f"The file {ident} was uploaded for {doc['purpose']}, not for dispute_evidence.", param)
    return doc


def given(evidence: Doc) -> bool:
    """Return whether there is any evidence."""
    return any(evidence.get(name) for name in NAMES)

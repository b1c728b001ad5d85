"""Files: what was uploaded for a purpose, checked for its type and size. Contents are not kept."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.kit.uploads import Upload
from sandboxes.stripe import events
from sandboxes.stripe.listing import listed
from sandboxes.stripe.sandbox import Sandbox

_MEGABYTE = 1024 * 1024
# The purposes that this sandbox takes, and how many bytes a file of each may have.
LARGEST = {
    "dispute_evidence": 5 * _MEGABYTE,
    "identity_document": 10 * _MEGABYTE,
    "additional_verification": 10 * _MEGABYTE,
    "account_requirement": 10 * _MEGABYTE,
}
# Files are told by how they begin, whatever their name says.
_BEGINNINGS = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


def create(sandbox: Sandbox, account: str, upload: Upload, purpose: str) -> Doc:
    """Store what a file is. Raises 400 for an empty, a too large or an unsupported one."""
    size, kind = len(upload.content), _kind(upload.content)
    if size == 0:
        raise bad_param("The file is empty.", "file")
    if size > LARGEST[purpose]:
        allowed = LARGEST[purpose] // _MEGABYTE
        raise bad_param(f"The file is too large: files for {purpose} have at most {allowed} MB.", "file")
    if kind is None:
        raise bad_param("Unsupported type of file: send a PDF, a JPEG or a PNG.", "file")
    ident = sandbox.ids.new("file_1")
    doc: Doc = {
        "id": ident,
        "object": "file",
        "created": sandbox.clock.now(),
        "filename": upload.filename,
        "links": listed([], f"/v1/file_links?file={ident}"),
        "purpose": purpose,
        "size": size,
        "type": kind,
        "url": f"{sandbox.base_url}/v1/files/{ident}/contents",
        "_sha256": upload.digest,
    }
    sandbox.add(doc, account)
    events.emit(sandbox, "file.created", doc)
    return doc


def _kind(content: bytes) -> str | None:
    return next((kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning)), None)

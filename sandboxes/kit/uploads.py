"""Files in a request: the parts of a multipart body."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_NAME = re.compile(r'\bname="([^"]*)"')
_FILENAME = re.compile(r'\bfilename="([^"]*)"')
MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class Upload:
    """A file that came in a request."""

    filename: str
    content: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def parts(body: bytes, content_type: str) -> list[tuple[str, str | Upload]]:
    """Return the names and values of a multipart body. Raises ValueError when it cannot be read."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise ValueError("the Content-Type names no boundary")
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode()
    _, *chunks = (b"\r\n" + body).split(delimiter)
    if not chunks or not chunks.pop().startswith(b"--"):
        raise ValueError("the body does not end with its boundary")
    return [_part(chunk) for chunk in chunks]


def _part(chunk: bytes) -> tuple[str, str | Upload]:
    head, separator, content = chunk.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = head.decode()
    name, filename = _NAME.search(headers), _FILENAME.search(headers)
    if not separator or name is None:
        raise ValueError("a part has no name")
    return name[1], Upload(filename[1], content) if filename else content.decode()

"""Files that are uploaded as evidence."""

from __future__ import annotations

import io
from typing import Any

import pytest
import stripe

from tests.sandbox import declared_fields
from tests.sandbox.raw_requests import send
from tests.sandbox_process import SandboxProcess

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\r\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
MEGABYTE = 1024 * 1024


def upload(
    client: stripe.StripeClient,
    content: bytes,
    purpose: str = "dispute_evidence",
    name: str = "contract.pdf",
    **own: Any,
) -> stripe.File:
    """Upload a file with the SDK."""
    file = io.BytesIO(content)
    file.name = "contract.pdf"
    return client.v1.files.create({"file": file, "purpose": purpose}, own)  # type: ignore[typeddict-item]


@pytest.mark.parametrize(("content", "kind"), [(PDF, "pdf"), (PNG, "png"), (JPEG, "jpg")])
def test_a_file_is_uploaded_and_read(client: stripe.StripeClient, content: bytes, kind: str) -> None:
    # What looks like a boundary inside the content does not end it.
    content += b"\r\n--" + b"0" * 60 + b"--\r\n" + bytes(range(256))
    file = upload(client, content)

    assert (file.object, file.purpose, file.type, file.size) == ("file", "dispute_evidence", kind, len(content))
    assert (file.id[:5], file.filename, declared_fields.lacking(declared_fields.plain(file))) == (
        "file_",
        "contract.pdf",
        [],
    )
    assert client.v1.files.retrieve(file.id) == file
    assert client.v1.files.list({"purpose": "dispute_evidence"}).data == [file]
    assert client.v1.events.list({"type": "file.created"}).data


@pytest.mark.parametrize(
    ("content", "purpose", "param"),
    [
        (b"", "dispute_evidence", "file"),
        (b"<html>", "dispute_evidence", "file"),
        (PDF + b"0" * 5 * MEGABYTE, "dispute_evidence", "file"),
        (PDF, "holiday_photo", "purpose"),
    ],
)
def test_unusable_files_are_refused(client: stripe.StripeClient, content: bytes, purpose: str, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        upload(client, content, purpose)

    assert (caught.value.http_status, caught.value.param) == (400, param)
    assert client.v1.files.list().data == []


def test_a_file_of_five_megabytes_is_accepted(client: stripe.StripeClient) -> None:
    assert upload(client, PDF.ljust(5 * MEGABYTE, b"0")).size == 5 * MEGABYTE
    assert upload(client, PDF.ljust(9 * MEGABYTE, b"0"), "identity_document").size == 9 * MEGABYTE


def test_the_same_upload_twice_is_one_file(client: stripe.StripeClient) -> None:
    first, second = (upload(client, PDF, idempotency_key="evidence-1") for _ in range(2))

    assert first.id == second.id
    with pytest.raises(stripe.IdempotencyError):
        upload(client, PDF + b"more", idempotency_key="evidence-1")


def _multipart(*parts: str, end: str = "--B--\r\n") -> str:
    return "".join(f"--B\r\nContent-Disposition: form-data; {part}\r\n" for part in parts) + end


_FILE = 'name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7'
_PURPOSE = 'name="purpose"\r\n\r\ndispute_evidence'
_FORM = "multipart/form-data; boundary=B"


def test_raw_multipart_bodies(shared: SandboxProcess) -> None:
    def post(body: str, content_type: str = _FORM, path: str = "/v1/files") -> Any:
        return send(shared, "POST", path, body, Content_Type=content_type)

    assert post(_multipart(_FILE, _PURPOSE)).body["size"] == 8
    assert post(_multipart(_PURPOSE, _FILE), 'multipart/form-data; boundary="B"').status == 200
    assert post(_multipart(_PURPOSE)).error["param"] == "file"
    assert post(_multipart(_FILE)).error["param"] == "purpose"
    assert post(_multipart('name="file"\r\n\r\ntext', _PURPOSE)).error["param"] == "file"
    extra = post(_multipart(_FILE, _PURPOSE, 'name="colour"\r\n\r\nred'))
    assert (extra.status, extra.error["code"]) == (400, "parameter_unknown")
    assert post(_multipart(_FILE, _PURPOSE, end="")).status == 400
    assert post(_multipart(_FILE, _PURPOSE), "multipart/form-data").status == 400
    assert post(_multipart("nothing\r\n\r\nx")).status == 400
    assert post("file=x&purpose=dispute_evidence", "application/x-www-form-urlencoded").error["param"] == "file"
    assert post(_multipart(_FILE, _PURPOSE), path="/v1/customers").status == 400
    assert send(shared, "GET", "/v1/files/file_none").status == 404
    assert post(_multipart('name="purpose"; filename="p"\r\n\r\ndispute_evidence', _FILE)).error["param"] == "purpose"
    assert post(_multipart(_FILE + "0" * 17 * MEGABYTE, _PURPOSE)).status == 413

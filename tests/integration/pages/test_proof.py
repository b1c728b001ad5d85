"""The proof pages: open to everybody, with everything to download; a person's own proof for nobody else."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from multitask.payments.books.proof import keys, statements
from multitask.users.actor import Actor
from tests.integration.pages.reading import text_of
from tests.integration.proof.verifying import SCRIPT, verify
from tests.payments_world import World, dollars, user_id

SignIn = Callable[[Actor], Client]
OPENSSL = shutil.which("openssl")


def test_before_the_first_statement_the_page_says_when_it_comes(db: None, client: Client) -> None:
    assert "No statement has been signed yet." in text_of(client.get("/proof/"))


def test_anybody_reads_what_is_owed_and_held(world: World, client: Client) -> None:
    world.funded()
    statements.publish(now=world.now)
    words = text_of(client.get("/proof/"))
    assert "$3.20 short" in words
    assert "Owed to people $100.00" in words
    assert "Held by the payment providers $96.80" in words
    assert "In escrow $100.00" in words
    assert "Root of the tree of 1 balance:" in words
    world.settled(dollars("1000.00"))
    statements.publish(now=world.now + timedelta(days=1))
    assert "covered by what the payment providers hold" in text_of(client.get("/proof/"))


def test_the_page_is_in_arabic_too(world: World, client: Client) -> None:
    world.funded()
    statements.publish(now=world.now)
    answer = client.get("/proof/", HTTP_ACCEPT_LANGUAGE="ar")
    assert "إثبات أموال الضمان" in text_of(answer)
    assert 'dir="rtl"' in answer.content.decode()


def test_earlier_statements_are_paged(world: World, client: Client) -> None:
    world.funded()
    for day in range(45):
        statements.publish(now=world.now + timedelta(days=day))
    first = client.get("/proof/").content.decode()
    assert 'href="/proof/44/"' in first
    assert 'href="/proof/25/"' in first
    assert 'href="/proof/24/"' not in first
    assert 'href="?before=25"' in first
    last = client.get("/proof/?before=5").content.decode()
    assert 'href="/proof/4/"' in last
    assert 'href="/proof/1/"' in last
    assert 'href="?before=' not in last
    assert "Statement 7 of " in text_of(client.get("/proof/7/"))


@pytest.mark.parametrize("address", ["/proof/2/", "/proof/0/", "/proof/99999999999999999999/", "/proof/2/signed.json"])
def test_what_is_no_statement_is_not_found(world: World, client: Client, address: str) -> None:
    world.funded()
    statements.publish(now=world.now)
    assert client.get(address).status_code == 404


def test_everything_to_check_it_can_be_downloaded(world: World, client: Client, tmp_path: Path) -> None:
    world.funded()
    statement = statements.publish(now=world.now)
    signed = client.get("/proof/1/signed.json")
    assert signed["Content-Disposition"] == 'attachment; filename="proof-1.json"'
    assert verify(tmp_path, signed.json(), key=keys.public_key()).status == 0
    assert client.get("/proof/1/statement.json").content.decode() == statement.text
    assert client.get("/proof/verify_proof.py").content == SCRIPT.read_bytes()
    assert len(client.get("/proof/1/statement.sig").content) == 64


if OPENSSL:

    def test_openssl_accepts_statement_signature_and_key(world: World, client: Client, tmp_path: Path) -> None:
        """A program that is neither ours nor the library that signed."""
        world.funded()
        statement = statements.publish(now=world.now)
        files = {"statement.json": "/proof/1/statement.json", "statement.sig": "/proof/1/statement.sig"}
        files["key.pem"] = f"/proof/keys/{keys.key_id(statement.public_key)}.pem"
        for name, address in files.items():
            (tmp_path / name).write_bytes(client.get(address).content)
        command = [str(OPENSSL), "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "statement.json"]
        done = subprocess.run([*command, "-sigfile", "statement.sig"], cwd=tmp_path, capture_output=True, text=True)
        assert "Signature Verified Successfully" in done.stdout


def test_unknown_keys_are_not_found(db: None, client: Client) -> None:
    assert client.get("/proof/keys/0000000000000000.pem").status_code == 404


def test_a_person_downloads_their_own_proof(world: World, sign_in: SignIn, tmp_path: Path) -> None:
    job = world.settled()
    statements.publish(now=world.now)
    browser = sign_in(job.freelancer)
    assert 'href="/wallet/proof/"' in browser.get("/wallet/").content.decode()
    answer = browser.get("/wallet/proof/")
    assert answer["Content-Disposition"] == 'attachment; filename="my-proof.json"'
    assert answer["Cache-Control"] == "no-store"
    proof = json.loads(answer.content)
    assert proof["subject"] == f"user:{user_id(job.freelancer)}"
    assert "available 85.00 USD" in verify(tmp_path, proof).text


def test_nobody_else_is_given_it(world: World, client: Client) -> None:
    world.funded()
    statements.publish(now=world.now)
    answer = client.get("/wallet/proof/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


def test_without_a_statement_the_download_leads_to_the_page(world: World, sign_in: SignIn) -> None:
    answer = sign_in(world.client()).get("/wallet/proof/", follow=True)
    assert "The first statement is not made yet." in text_of(answer)

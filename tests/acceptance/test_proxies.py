"""The proxy configurations of the documentation, where nginx or HAProxy is installed; not collected elsewhere."""

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multitask.payments.models import RECORD_FILE_MAX
from multitask.web import body_limits
from tests.acceptance.connections import LOGIN, WEBHOOK, head
from tests.acceptance.system import System, eventually
from tests.sandbox_process import ROOT, free_port

pytestmark = pytest.mark.django_db

CONFIGURATIONS = ROOT / "docs/proxies"
HOST = "pay.example.org"
STRANGER = "127.0.0.2"  # of this machine, and not an address for which /metrics is open


def program(name: str) -> str | None:
    """Where a program is; administrators' programs are not on everybody's path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def certificate(folder: Path) -> Path:
    """A certificate and its key, in one file."""
    made = folder / "both.pem"
    key, public = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(public)], check=True, capture_output=True)
    made.write_text(public.read_text() + key.read_text())
    return made


def nginx(folder: Path, port: int, web_port: int) -> list[str]:
    """Write the configuration with this port and certificate, and a short time for bodies."""
    pem = certificate(folder)
    site = (CONFIGURATIONS / "nginx.conf").read_text()
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:8000": f"127.0.0.1:{web_port}",
        f"/etc/ssl/{HOST}.pem": str(pem),
        f"/etc/ssl/{HOST}.key": str(pem),
        "client_body_timeout 15s": "client_body_timeout 3s",
    }.items():
        assert old in site
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    paths = "".join(
        f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"user root;\npid {folder / 'pid'};\nevents {{}}\nhttp {{\naccess_log off;\n{paths}include site.conf;\n}}\n"
    (folder / "nginx.conf").write_text(whole)
    return [str(program("nginx")), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]


def haproxy(folder: Path, port: int, web_port: int) -> list[str]:
    """Write the configuration with this port and certificate, and a short time for bodies."""
    text = (CONFIGURATIONS / "haproxy.cfg").read_text()
    for old, new in {
        "bind :443": f"bind 127.0.0.1:{port}",
        "127.0.0.1:8000": f"127.0.0.1:{web_port}",
        f"/etc/haproxy/{HOST}.pem": str(certificate(folder)),
        "http-request 15s": "http-request 3s",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "haproxy.cfg").write_text(text)
    return [str(program("haproxy")), "-f", str(folder / "haproxy.cfg")]


KINDS: dict[str, Callable[[Path, int, int], list[str]]] = {"nginx": nginx, "haproxy": haproxy}
INSTALLED = [name for name in KINDS if program(name) and program("openssl")]
FOREGROUND = {"nginx": ["-g", "daemon off;"], "haproxy": ["-db"]}
CHECK = {"nginx": ["-t"], "haproxy": ["-c"]}


class Proxy:
    """A proxy with TLS that was started in front of a system."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def connect(self, *, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection from an address of this machine."""
        plain = socket.create_connection(("127.0.0.1", self.port), 60, source_address=(source, 0))
        return self.context.wrap_socket(plain, server_hostname=HOST)

    def ask(
        self, method: str, path: str, body: object = None, *, source: str = "127.0.0.1", **headers: str
    ) -> http.client.HTTPResponse:
        """Make one request; header names are written with their hyphens as two underscores."""
        sent = None if body is None else json.dumps(body).encode()
        return self._request(method, path, sent, source, headers)

    def send(self, path: str, body: bytes, **headers: str) -> http.client.HTTPResponse:
        """Post a body as it is; header names are written as above."""
        return self._request("POST", path, body, "127.0.0.1", headers)

    def _request(
        self, method: str, path: str, body: bytes | None, source: str, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect(source=source)
        spoken = {name.replace("__", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": HOST, "Content-Type": "application/json", **spoken})
        return connection.getresponse()


@pytest.fixture(scope="module")
def system(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system as it is in production, where everything but https is sent there."""
    web = {
        "MULTITASK_ENV": "production",
        "SECRET_KEY": "a-key-that-is-long-enough-for-everybody-0123456789-abcdefghij",
        "ALLOWED_HOSTS": f'["{HOST}", "127.0.0.1"]',
        "PUBLIC_URL": f"https://{HOST}",
        "PROOF_SIGNING_KEY": "9e" * 32,
        "DESTINATION_KEYS": f"{'9e' * 21}8=",
        "WEB_THREADS": "4",
    }
    with System(tmp_path_factory.mktemp("proxied"), own_database, web_settings=web) as running:
        yield running


if INSTALLED:

    @pytest.fixture(scope="module", params=INSTALLED)
    def proxy(
        request: pytest.FixtureRequest, system: System, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Proxy]:
        name, port, folder = request.param, free_port(), tmp_path_factory.mktemp(request.param)
        command = KINDS[name](folder, port, system.port)
        checked = subprocess.run([*command, *CHECK[name]], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen([*command, *FOREGROUND[name]], stdout=log, stderr=log)
        made = Proxy(port)

        def is_ready() -> bool:
            assert running.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError):
                return made.ask("GET", "/readyz").status == 200
            return False

        try:
            eventually(is_ready, f"{name} to answer")
            yield made
        finally:
            running.terminate()
            running.wait(30)

    def test_pages_are_shown_over_https_and_only_there(system: System, proxy: Proxy) -> None:
        assert proxy.ask("GET", "/sign-in/").status == 200
        # The proxy's word counts, not the caller's.
        assert proxy.ask("GET", "/sign-in/", X__Forwarded__Proto="http").status == 200
        assert system.call("GET", "/sign-in/").status == 301

    def test_the_callers_address_is_the_one_that_the_proxy_saw(proxy: Proxy) -> None:
        assert proxy.ask("GET", "/metrics").status == 200
        assert proxy.ask("GET", "/metrics", source=STRANGER).status == 403
        for name in ("X__Forwarded__For", "X_Forwarded_For"):
            assert proxy.ask("GET", "/metrics", source=STRANGER, **{name: "127.0.0.1"}).status == 403

    def test_the_largest_file_passes_where_files_are_taken(proxy: Proxy) -> None:
        for path in body_limits.UPLOADS:
            answer = proxy.send(f"{path}1/", b"x" * RECORD_FILE_MAX, Content__Type="application/octet-stream")
            assert answer.status == 403  # from the site, since nobody is signed in

    @pytest.mark.parametrize("path", [LOGIN, WEBHOOK])
    def test_half_sent_bodies_and_slow_readers_hold_nobody_up(proxy: Proxy, path: str) -> None:
        held = [proxy.connect() for _ in range(48)]
        for connection in held[:32]:
            connection.sendall(head("POST", path, {"Host": HOST, "Content-Length": 500}) + b"{")
        for connection in held[32:]:
            connection.sendall(head("GET", "/openapi.json", {"Host": HOST}) * 4)

        for asked in ("/healthz", "/readyz", "/sign-in/"):
            assert proxy.ask("GET", asked).status == 200
        login = {"username_or_email": "nobody", "password": "a password of nobody"}
        assert proxy.ask("POST", LOGIN, login).status == 401
        assert proxy.ask("POST", WEBHOOK, {}).status == 400

        for connection in held[:32]:
            assert connection.recv(13) in {b"", b"HTTP/1.1 408 "}
        for connection in held:
            connection.close()

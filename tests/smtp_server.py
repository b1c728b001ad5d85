"""A small mail server that takes messages, or refuses them where it is told to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message

HANG_UP = "hang up"


class SmtpServer:
    """Stores accepted messages in `taken`; `answers` sets the response to a command (or END, after the text)."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.answers: dict[str, str] = {}
        self.port = 0


class _Conversation(socketserver.StreamRequestHandler):
    mail: SmtpServer

    def handle(self) -> None:
        self._say(self.mail.answers.get("CONNECT", "220 ready"))
        while line := self.rfile.readline():
            command = line.decode().strip().upper().split(" ")[0]
            answer = self.mail.answers.get(command) or {"DATA": "354 go on", "QUIT": "221 bye"}.get(command, "250 fine")
            self._say(answer)
            if command == "QUIT":
                return
            if command == "DATA" and answer.startswith("354") and not self._take():
                return

    def _take(self) -> bool:
        """Read the text; False when the line is cut before it is answered."""
        text = b""
        while (line := self.rfile.readline()) != b".\r\n":
            text += line
        answer = self.mail.answers.get("END", "250 taken")
        if answer == HANG_UP or answer.startswith("250"):
            # Whoever hangs up may well have taken the message: that is what makes it unknown.
            self.mail.taken.append(message_from_bytes(text))
        if answer == HANG_UP:
            return False
        self._say(answer)
        return True

    def _say(self, answer: str) -> None:
        self.wfile.write(answer.encode() + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def running() -> Iterator[SmtpServer]:
    """Run one on a free port."""
    mail = SmtpServer()
    handler = type("Conversation", (_Conversation,), {"mail": mail})
    with _Server(("127.0.0.1", 0), handler) as server:
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield mail
        server.shutdown()
        thread.join()

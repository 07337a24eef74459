"""A forge on loopback: `git http-backend` behind https, with a password, and able to cut a connection."""

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Forge:
    """Serves the repositories in a directory. `cut_after`: so many bytes of an answer, and then nothing."""

    def __init__(self, directory: Path, port: int, authority: Path, login: str) -> None:
        self.directory, self.port, self.authority, self.login = directory, port, authority, login
        self.cut_after: int | None = None
        self.cuts = 0
        self.requests: list[tuple[str, str]] = []

    def url(self, name: str) -> str:
        return f"https://localhost:{self.port}/{name}"

    def is_welcome(self, authorization: str) -> bool:
        return authorization == f"Basic {base64.b64encode(self.login.encode()).decode()}"


@contextmanager
def forge(directory: Path, login: str = "git:token") -> Iterator[Forge]:
    certificate = directory / "forge.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(certificate), "-out", str(directory / "authority.pem")]
    subprocess.run(command, check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((directory / "authority.pem").read_text())
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    running = Forge(directory, server.server_address[1], directory / "authority.pem", login)
    _Handler.forge = running
    thread = threading.Thread(target=server.serve_forever, name="forge")
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request to the CGI program of git."""

    protocol_version = "HTTP/1.1"
    forge: Forge

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # a client that goes in the middle, or does not trust us

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        authorization = self.headers.get("Authorization", "")
        asked = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.forge.requests.append((self.headers["Host"].partition(":")[0], authorization))
        if not self.forge.is_welcome(authorization):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="forge"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        head, _, body = self._answer(asked).partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        limit = self.forge.cut_after
        if limit is not None and len(body) > limit:
            self.forge.cuts += 1
            self.wfile.write(body[:limit])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)

    def _answer(self, asked: bytes) -> bytes:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.forge.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": "git",
            "REMOTE_ADDR": "127.0.0.1",
        }
        return subprocess.run(["git", "http-backend"], input=asked, env=environment, capture_output=True).stdout

    def log_message(self, format: str, *arguments: object) -> None:
        """A test that fails says enough."""

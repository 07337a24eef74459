"""A registry of images for tests: what a pull asks of it, from memory, and as bad as a test wants it to be.

It speaks the part of https://github.com/opencontainers/distribution-spec that pulling needs. `Mood` says how: slow,
broken off in mid-layer, refusing, in want of a password. `python -m tests.lab.registry ADDRESS ARCHIVE…` serves
archives as a process of its own; its mood is then set by `PUT /mood`.
"""

import base64
import hashlib
import json
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from nodeagent.runtime.archive import Archive

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CHUNK = 16 * 1024


class Mood(msgspec.Struct, kw_only=True):
    """How the registry is just now."""

    status: int = 0
    """What every request is answered with, where it is not 0."""
    retry_after: str = ""
    cut_after: int = 0
    """Bytes of a layer after which the connection breaks, each time; 0: never."""
    gone_after_cut: bool = False
    """After a cut every request is answered with 503, until the mood is set anew."""
    bytes_per_second: float = 0
    hold: bool = False
    """Layers are not begun to be sent."""
    users: dict[str, str] = {}
    """Passwords by user; empty: everybody may pull."""


class Registry:
    """Serves from when it is made until `close`. `host` is what images are named by."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, certificate: tuple[Path, Path] | None = None) -> None:
        self.mood = Mood()
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.sent: dict[str, int] = {}
        """Bytes of each blob that were sent."""
        self.begun: list[tuple[str, int]] = []
        """Digest of each blob that was asked for, and from which byte on."""
        self.asked: list[str] = []
        """Method, path and user of each request."""
        registry = self

        class Handler(_Handler):
            served = registry

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"{address}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="registry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, archive: Path, name: str, *, extra: bytes = b"", tag: str = "1") -> str:
        """Serves the one image of an archive, with a further layer of these bytes. Returns its digest."""
        with Archive(archive) as opened:
            (image,) = opened.images()
            contents = {blob.digest: b"".join(opened.chunks(blob)) for blob in image.blobs}
        manifest = json.loads(image.manifest_content)
        if extra:
            config = json.loads(contents[image.config.digest])
            layer = _tar("extra", extra)
            config["rootfs"]["diff_ids"].append(_digest(layer))
            contents[_digest(layer)] = layer
            manifest["layers"].append({**manifest["layers"][0], "digest": _digest(layer), "size": len(layer)})
            encoded = json.dumps(config).encode()
            contents[_digest(encoded)] = encoded
            manifest["config"] |= {"digest": _digest(encoded), "size": len(encoded)}
        self.blobs |= contents
        written = json.dumps(manifest).encode()
        self.manifests[f"{name}/{tag}"] = self.manifests[f"{name}/{_digest(written)}"] = written
        return _digest(written)

    def layers(self) -> int:
        """Bytes of layers and configurations that were sent."""
        return sum(self.sent.values())


class _Handler(BaseHTTPRequestHandler):
    served: Registry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_PUT(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self.served.mood = msgspec.json.decode(self.rfile.read(length), type=Mood)
        self._say(204, b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 (the base class')
        """Requests are in `asked`."""

    def _answer(self, *, body: bool) -> None:
        mood, path = self.served.mood, self.path.partition("?")[0]
        user = self._user()
        self.served.asked.append(f"{self.command} {path} {user}".strip())
        if mood.status:
            self._say(mood.status, b'{"errors": []}', {"Retry-After": mood.retry_after} if mood.retry_after else {})
        elif mood.users and not user:
            self._say(401, b'{"errors": []}', {"WWW-Authenticate": 'Basic realm="test"'})
        elif path == "/v2/":
            self._say(200, b"{}")
        elif "/manifests/" in path:
            name, _, reference = path.removeprefix("/v2/").partition("/manifests/")
            self._send_manifest(self.served.manifests.get(f"{name}/{reference}"), body=body)
        elif "/blobs/" in path:
            self._send_blob(path.rpartition("/")[2], body=body)
        else:
            self._say(404, b"{}")

    def _user(self) -> str:
        """The one whose password is right."""
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        return user if self.served.mood.users.get(user) == password else ""

    def _say(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_manifest(self, content: bytes | None, *, body: bool) -> None:
        if content is None:
            self._say(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
            return
        headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": _digest(content)}
        self._say(200, content, headers)

    def _send_blob(self, digest: str, *, body: bool) -> None:
        content = self.served.blobs.get(digest)
        if content is None:
            self._say(404, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}')
            return
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.served.begun.append((digest, begin))
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if body:
            self._pour(digest, content[begin:])

    def _pour(self, digest: str, content: bytes) -> None:
        """Slowly, or not to the end, as the mood is at each piece."""
        sent = 0
        while self.served.mood.hold:
            time.sleep(0.01)
        for start in range(0, len(content), CHUNK):
            mood = self.served.mood
            if mood.cut_after and sent >= mood.cut_after:
                if mood.gone_after_cut:
                    self.served.mood = msgspec.structs.replace(mood, status=503)
                self.close_connection = True
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_WR)  # what was sent arrives, and then nothing more
                return
            chunk = content[start : start + CHUNK]
            try:
                self.wfile.write(chunk)
            except OSError:
                self.close_connection = True
                return
            sent += len(chunk)
            self.served.sent[digest] = self.served.sent.get(digest, 0) + len(chunk)
            if mood.bytes_per_second:
                time.sleep(len(chunk) / mood.bytes_per_second)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _tar(name: str, content: bytes) -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def main() -> None:
    """Serves each archive under the name of its file, as tag `1`, with a layer that no node has."""
    host, _, port = sys.argv[1].rpartition(":")
    registry = Registry(host, int(port))
    for archive in map(Path, sys.argv[2:]):
        registry.add(archive, archive.stem, extra=archive.stem.encode())
    threading.Event().wait()


if __name__ == "__main__":
    main()

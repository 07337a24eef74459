"""Runs `kubectl kustomize`, `kustomize build` and `helm template`. I/O, thin; to be called in a thread.

What a program may do is bounded: time, memory, output, and no network, neither by HTTP nor through git. It is given an
environment of its own, so that the same files give the same objects wherever they are read.
"""

import os
import resource
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

import msgspec

from reconciler.manifests.parse import MAX_BYTES

SECONDS = 30.0
"""How long one program may take. A large kustomization takes half a second on a Raspberry Pi."""
MOST_MEMORY = 2 << 30
"""Address space, of which Go's runtime reserves half without using it."""
_MOST_WORDS = 2000
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NO_PROXY_ANSWERS = "http://127.0.0.1:9"
_KUSTOMIZE = "https://kubectl.docs.kubernetes.io/installation/kustomize"
_HELM = "https://helm.sh/docs/intro/install"


class Rendering(msgspec.Struct, frozen=True):
    """What a program said. `is_final`: it would say the same again of the same files."""

    content: bytes = b""
    error: str = ""
    is_final: bool = True


def kustomize(folder: str, seconds: float = SECONDS) -> Rendering:
    """The objects of a kustomization."""
    if program := shutil.which("kubectl"):
        return _run([program, "kustomize", folder], folder, b"", seconds)
    if program := shutil.which("kustomize"):
        return _run([program, "build", folder], folder, b"", seconds)
    return _missing("kubectl nor kustomize", "a Kustomize folder", f"one of them ({_KUSTOMIZE})")


def helm(arguments: Sequence[str], folder: str, values: bytes, seconds: float = SECONDS) -> Rendering:
    """The objects of a chart; `values` are its standard input."""
    if program := shutil.which("helm"):
        return _run([program, *arguments], folder, values, seconds)
    return _missing("helm", "a Helm chart", f"it ({_HELM})")


def programs() -> str:
    """Changes when other programs would be run."""
    found = [shutil.which(name) for name in ("kubectl", "kustomize", "helm")]
    return repr([(place, os.stat(place).st_mtime_ns, os.stat(place).st_size) for place in found if place])


def _missing(name: str, what: str, how: str) -> Rendering:
    error = f"this is {what}, and {'neither ' if ' nor ' in name else 'no '}{name} is installed here; install {how}"
    return Rendering(error=f"{error}, or keep the rendered manifests in its place")


def _run(command: Sequence[str], folder: str, given: bytes, seconds: float) -> Rendering:
    with tempfile.TemporaryDirectory(prefix="wherry-") as home:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(home),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Rendering(error=f"{command[0]} cannot be run: {error.strerror}", is_final=False)
        with process:
            try:
                _bound(process.pid, seconds)
                output = _Output(process, given, time.monotonic() + seconds)
                output.follow()
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)  # with what it has started
    return _judged(" ".join((os.path.basename(command[0]), command[1])), output, process.returncode, seconds)


def _judged(name: str, output: "_Output", code: int, seconds: float) -> Rendering:
    if output.is_late:
        words = f"{name} took longer than {seconds:.0f} s and was ended; make it simpler, then change a file of it"
        return Rendering(error=words, is_final=False)
    if output.is_large:
        return Rendering(error=f"{name} renders more than the {MAX_BYTES} bytes allowed; divide it")
    if code:
        return Rendering(error=f"{name}: {_words(output.errors, code)}", is_final=code > 0)
    return Rendering(bytes(output.content))


def _environment(home: str) -> dict[str, str]:
    proxies = {name: _NO_PROXY_ANSWERS for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    return {
        "PATH": _PATH,
        "HOME": home,
        "TMPDIR": home,
        "LC_ALL": "C.UTF-8",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
        **proxies,
    }


def _bound(pid: int, seconds: float) -> None:
    with suppress(ProcessLookupError):  # over already
        resource.prlimit(pid, resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.prlimit(pid, resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _words(errors: bytes, code: int) -> str:
    """The program's own words, without the prefix that each of its errors has."""
    text = " ".join(errors.decode(errors="replace").split())
    text = text.removeprefix("error: ").removeprefix("Error: ")
    if len(text) > _MOST_WORDS:
        text = f"{text[:_MOST_WORDS]} …"
    return text or (f"ended by signal {-code}" if code < 0 else f"failed with exit code {code}, without a word")


class _Output:
    """Follows what a program says until it ends, says too much, or takes too long."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes, until: float) -> None:
        self.content, self.errors = bytearray(), b""
        self.is_late = self.is_large = False
        self._process, self._given, self._until = process, memoryview(given), until

    def follow(self) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            waiting.register(process.stderr, selectors.EVENT_READ)
            waiting.register(process.stdin, selectors.EVENT_WRITE)
            while waiting.get_map() and not self.is_large:
                left = self._until - time.monotonic()
                if left <= 0:
                    self.is_late = True
                    return
                for key, _ in waiting.select(left):
                    self._serve(waiting, key.fileobj)  # type: ignore[arg-type]
        try:
            process.wait(max(0.0, self._until - time.monotonic()) if not self.is_large else 0)
        except subprocess.TimeoutExpired:
            self.is_late = not self.is_large

    def _serve(self, waiting: selectors.BaseSelector, pipe: IO[bytes]) -> None:
        if pipe is self._process.stdin:
            try:
                self._given = self._given[os.write(pipe.fileno(), self._given[:4096]) :] if self._given else self._given
            except BrokenPipeError:
                self._given = memoryview(b"")  # it does not want to know
            if not self._given:
                waiting.unregister(pipe)
                pipe.close()
            return
        chunk = os.read(pipe.fileno(), 65536)
        if not chunk:
            waiting.unregister(pipe)
        elif pipe is self._process.stdout:
            self.content += chunk
            self.is_large = len(self.content) > MAX_BYTES
        else:
            self.errors = (self.errors + chunk)[: 4 * _MOST_WORDS]

"""A small client of the API: what `wherry get` and its like need where no kubectl is installed.

Synchronous, on the standard library alone, so that a command starts quickly.
"""

import http.client
import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from reconciler.api.kubeconfig import BadKubeconfig, read
from schemas.kinds import KINDS, Kind, find

_TIMEOUT = 30.0
_MAX_ANSWER = 256 * 1024 * 1024
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PLAIN = "application/json"
_GAP = "   "


class ClientError(ConnectionError):
    """The server cannot be reached, or refuses. The text is for the person who asked."""


class Wanted(msgspec.Struct, frozen=True):
    """Which objects are asked for; `namespace` None: those of all namespaces."""

    kind: Kind
    namespace: str | None = None
    name: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def path(self) -> str:
        """Where the API has them, selectors included."""
        root = f"/apis/{self.kind.group}/{self.kind.version}" if self.kind.group else f"/api/{self.kind.version}"
        if self.kind.namespaced and self.namespace is not None:
            root += f"/namespaces/{quote(self.namespace, safe='')}"
        root += f"/{self.kind.plural}" + (f"/{quote(self.name, safe='')}" if self.name else "")
        query = {"labelSelector": self.labels, "fieldSelector": self.fields}
        asked = urlencode({key: value for key, value in query.items() if value})
        return f"{root}?{asked}" if asked else root


def kind_named(word: str) -> Kind:
    """The kind that a person means. Raises `ClientError` naming those there are."""
    kind = find(word)
    if kind is None:
        raise ClientError(f"there is no kind {word!r}; those served: {', '.join(kind.plural for kind in KINDS)}")
    return kind


def call(kubeconfig: Path, method: str, path: str, body: object = None, accept: str = _PLAIN) -> Any:  # noqa: ANN401
    """One request; returns what the JSON of the answer says. Raises `ClientError`."""
    try:
        access = read(kubeconfig)
    except BadKubeconfig as error:
        raise ClientError(str(error)) from error
    where = urlsplit(access.server)
    context = ssl.create_default_context(cadata=access.authority.decode())
    connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=_TIMEOUT, context=context)
    headers = {"Accept": accept, "Authorization": f"Bearer {access.token}", "Content-Type": _PLAIN}
    try:
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        response = connection.getresponse()
        answer = response.read(_MAX_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise ClientError(f"no answer from {access.server}: {error}; is the reconciler running?") from error
    finally:
        connection.close()
    return _checked(response.status, answer)


def _checked(status: int, answer: bytes) -> Any:  # noqa: ANN401
    try:
        document = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        raise ClientError(f"the server answered {status}: {answer[:200].decode(errors='replace')}") from None
    if status >= 400:
        reason = document.get("reason", status) if isinstance(document, dict) else status
        message = document.get("message", "") if isinstance(document, dict) else ""
        raise ClientError(f"Error from server ({reason}): {message}")
    return document


def get(
    kubeconfig: Path,
    kind: str,
    name: str | None = None,
    *,
    namespace: str | None = "default",
    selector: str = "",
    output: str = "table",
) -> int:
    """Prints the objects as `table`, `wide`, `json`, `yaml` or `name`; returns the exit code. Raises `ClientError`.

    `namespace` None means all of them.
    """
    wanted = Wanted(kind_named(kind), namespace, name or "", selector)
    if name and wanted.kind.namespaced and namespace is None:
        raise ClientError("one object by name is in one namespace: say which with -n, not -A")
    if output in ("table", "wide"):
        table = call(kubeconfig, "GET", wanted.path, accept=_TABLE)
        if not table["rows"]:
            print("No resources found", file=sys.stderr)
            return 0
        spread = wanted.kind.namespaced and namespace is None
        text = format_table(table, wide=output == "wide", namespaces=spread)
    else:
        text = _formatted(wanted.kind, call(kubeconfig, "GET", wanted.path), output)
    print(text, end="")
    return 0


def _formatted(kind: Kind, objects: Mapping[str, Any], output: str) -> str:
    if output == "name":
        return format_names(kind, objects)
    if output == "yaml":
        import yaml  # only this form needs it

        return yaml.safe_dump(objects, sort_keys=True, allow_unicode=True)
    return json.dumps(objects, indent=4, ensure_ascii=False) + "\n"


def format_table(table: Mapping[str, Any], *, wide: bool = False, namespaces: bool = False) -> str:
    """The table as kubectl prints it; `namespaces` adds their column."""
    shown = [index for index, column in enumerate(table["columnDefinitions"]) if wide or not column["priority"]]
    rows = [[table["columnDefinitions"][index]["name"].upper() for index in shown]]
    rows += [[_one_line(str(row["cells"][index])) for index in shown] for row in table["rows"]]
    if namespaces:
        metas = [(row.get("object") or {}).get("metadata", {}) for row in table["rows"]]
        for row, place in zip(rows, ["NAMESPACE", *(meta.get("namespace", "") for meta in metas)], strict=True):
            row.insert(0, place)
    return _aligned(rows)


def format_names(kind: Kind, objects: Mapping[str, Any]) -> str:
    """`pod/web`, `deployment.apps/web`: one a line."""
    listed = objects.get("items", [objects])
    prefix = f"{kind.name.lower()}.{kind.group}" if kind.group else kind.name.lower()
    return "".join(f"{prefix}/{object_['metadata']['name']}\n" for object_ in listed)


def _one_line(text: str) -> str:
    """A cell never breaks the line."""
    return text.splitlines()[0] + "..." if "\n" in text else text


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)

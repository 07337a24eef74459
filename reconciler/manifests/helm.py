"""Helm charts and their releases: what to ask `helm template` for, and what to take of what it says. Pure.

A release is a file `wherry.helm.yaml`:

    chart: ../charts/shop     # the chart's folder or packed chart, from this file; its own folder by default
    release: shop             # the chart's name by default
    namespace: shop           # of what the chart puts into none; `default` by default
    valuesFiles: [prod.yaml]  # over the chart's own values, later ones over earlier ones
    values: {replicas: 3}     # over all of them

A chart that no release names is one of its own, with these defaults.
"""

import re
from collections.abc import Sequence
from posixpath import dirname, join, normpath
from typing import Any

import msgspec

from reconciler.manifests.parse import Problem, parse
from schemas.kinds import KINDS

CHART = "Chart.yaml"
RELEASE = "wherry.helm.yaml"
KUBERNETES = "1.36.2"
"""What charts are told that they run on."""
_HOOK = "helm.sh/hook"
_TEXTS = ("chart", "release", "namespace")
_KEYS = (*_TEXTS, "valuesFiles", "values")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,51}[a-z0-9])?")
_NAMESPACED = frozenset(kind.name for kind in KINDS if kind.namespaced)


class Release(msgspec.Struct, frozen=True):
    """`chart` and `values_files` are paths from the source's folder. Without a `name`, that of the chart."""

    chart: str
    name: str = ""
    namespace: str = "default"
    values_files: tuple[str, ...] = ()
    values: bytes = b""


class Chart(msgspec.Struct, frozen=True):
    name: str = ""
    is_library: bool = False


class Taken(msgspec.Struct, frozen=True):
    """What is taken of a rendered chart. `hooks` are the objects that Helm would run and delete on its own."""

    content: bytes = b""
    hooks: tuple[str, ...] = ()
    problem: Problem | None = None


def read_release(main: str, content: bytes) -> Release | Problem:
    """The release that a `wherry.helm.yaml` describes, or what is wrong with it."""
    found = _mapping(content, f"a release is a mapping of {', '.join(_KEYS)}")
    if isinstance(found, Problem):
        return found
    line, data = found
    for key, value in data.items():
        if key not in _KEYS:
            return Problem(line, f"{key} is no field of a release; they are {', '.join(_KEYS)}")
        if key in _TEXTS and not isinstance(value, str):
            return Problem(line, f"{key}: expected a text, found {value!r}")
    files = data.get("valuesFiles") or []
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        return Problem(line, "valuesFiles: expected a list of paths, from the folder of this file")
    values = data.get("values") or {}
    if not isinstance(values, dict):
        return Problem(line, "values: expected a mapping, as in the chart's values.yaml")
    for key in ("release", "namespace"):
        if data.get(key) and not _LABEL.fullmatch(data[key]):
            return Problem(line, f"{key}: {data[key]!r} has to be lower-case letters, digits and -, at most 53 of them")
    return Release(
        chart=_from(main, data.get("chart") or "."),
        name=data.get("release") or "",
        namespace=data.get("namespace") or "default",
        values_files=tuple(_from(main, file) for file in files),
        values=msgspec.json.encode(values) if values else b"",
    )


def read_chart(content: bytes) -> Chart | Problem:
    """A chart's name and type, or what is wrong with its `Chart.yaml`."""
    found = _mapping(content, "Chart.yaml is a mapping with apiVersion, name and version")
    if isinstance(found, Problem):
        return found
    line, data = found
    name = data.get("name")
    if not isinstance(name, str) or not _LABEL.fullmatch(name):
        return Problem(line, f"name: expected the chart's name in lower-case letters, digits and -, found {name!r}")
    return Chart(name, data.get("type") == "library")


def arguments(release: Release, chart: str, values_files: Sequence[str]) -> list[str]:
    """What `helm` is called with; the places are absolute paths. Its inline values are given as standard input."""
    found = ["template", release.name, chart, "--namespace", release.namespace]
    found += ["--kube-version", KUBERNETES, "--skip-tests"]
    for place in values_files:
        found += ["--values", place]
    return [*found, "--values", "-"] if release.values else found


def taken(rendered: bytes, namespace: str) -> Taken:
    """Leaves hooks out, and puts what is in no namespace into the release's, as `helm install` does."""
    if namespace == "default" and _HOOK.encode() not in rendered:
        return Taken(rendered)
    parsed = parse(rendered)
    problem = parsed.refused or next((one for document in parsed.documents for one in document.problems), None)
    if problem is not None:
        return Taken(problem=problem)
    hooks, kept = list[str](), list[bytes]()
    for document in parsed.documents:
        metadata = document.data.get("metadata") if isinstance(document.data, dict) else None
        if not isinstance(metadata, dict):
            kept.append(msgspec.json.encode(document.data))
        elif _HOOK in (metadata.get("annotations") or {}):
            hooks.append(f"{document.data.get('kind')}/{metadata.get('name')}")
        else:
            placed = document.data.get("kind") in _NAMESPACED and not metadata.get("namespace")
            more = {"metadata": {**metadata, "namespace": namespace}} if placed else {}
            kept.append(msgspec.json.encode({**document.data, **more}))
    return Taken(b"\n".join(kept), tuple(hooks))


def _mapping(content: bytes, expected: str) -> tuple[int, dict[str, Any]] | Problem:
    parsed = parse(content)
    if parsed.refused:
        return parsed.refused
    if len(parsed.documents) != 1 or not isinstance(parsed.documents[0].data, dict):
        return Problem(1, expected)
    document = parsed.documents[0]
    return document.problems[0] if document.problems else (document.line, document.data)


def _from(main: str, path: str) -> str:
    return normpath(join(dirname(main), path))

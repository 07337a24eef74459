"""What a kustomization refers to. Pure.

Only so much is understood of it as is needed to know which files it is made of: what it means is for the program that
builds it to say.
"""

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath
from typing import Any

import msgspec

from reconciler.manifests.parse import Problem, parse

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Names of the main file; kustomize refuses a folder with two of them."""
_LISTS = (
    "resources",
    "bases",
    "components",
    "configurations",
    "crds",
    "generators",
    "transformers",
    "validators",
    "patchesStrategicMerge",
    "patches",
    "patchesJson6902",
    "replacements",
)
_GENERATORS = ("configMapGenerator", "secretGenerator")
_REMOTE = re.compile(
    r"^[a-z][a-z0-9+.-]*://|^git@|^git::|[?&](?:ref|version)=|^(?:github|gitlab|bitbucket)\.(?:com|org)[/:]"
)


class Kustomization(msgspec.Struct, frozen=True):
    """`paths` are those of the files and folders that it names, as written; `remotes` lead to the network."""

    paths: tuple[str, ...] = ()
    remotes: tuple[Problem, ...] = ()
    is_component: bool = False


def read_kustomization(content: bytes) -> Kustomization:
    """What can be made of it; nothing of a file that is no YAML mapping."""
    documents = parse(content).documents
    data = documents[0].data if documents else None
    if not isinstance(data, dict):
        return Kustomization()
    references = tuple(dict.fromkeys(_references(data)))
    remotes = [Problem(_line(content, one), _over_the_network(one)) for one in references if _REMOTE.search(one)]
    charts = [field for field in ("helmCharts", "helmChartInflationGenerator") if data.get(field)]
    remotes += [Problem(_line(content, field), _charts(field)) for field in charts]
    paths = tuple(one for one in references if not _REMOTE.search(one))
    return Kustomization(paths, tuple(remotes), data.get("kind") == "Component")


def targets(main: str, kustomization: Kustomization) -> tuple[str, ...]:
    """The paths that it names, relative to the source's folder."""
    return tuple(normpath(join(dirname(main), path)) for path in kustomization.paths)


def _references(data: dict[str, Any]) -> Iterator[str]:
    for field in _LISTS:
        for one in _listed(data.get(field)):
            path = one.get("path") if isinstance(one, dict) else one
            if isinstance(path, str) and path and "\n" not in path:  # else it is written out in place
                yield path
    for field in _GENERATORS:
        for one in _listed(data.get(field)):
            if isinstance(one, dict):
                yield from _generated(one)
    openapi = data.get("openapi")
    if isinstance(openapi, dict) and isinstance(openapi.get("path"), str):
        yield openapi["path"]


def _generated(generator: dict[str, Any]) -> Iterator[str]:
    for one in _listed(generator.get("files")):
        if isinstance(one, str):
            yield one.partition("=")[2] or one
    for one in (*_listed(generator.get("envs")), generator.get("env")):
        if isinstance(one, str) and one:
            yield one


def _listed(value: object) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _line(content: bytes, words: str) -> int:
    position = content.find(words.encode())
    return content.count(b"\n", 0, position) + 1 if position >= 0 else 1


def _over_the_network(reference: str) -> str:
    return (
        f"{reference} lies on the network, from which nothing is fetched while the folder is read; "
        "put a copy beside this file (kustomize localize does it), or a git submodule, and name that"
    )


def _charts(field: str) -> str:
    return (
        f"{field} is not built: kustomize would fetch the chart; "
        "put the chart into the folder with a wherry.helm.yaml, or its output (helm template) among the resources"
    )

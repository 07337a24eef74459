"""`wherry convert`: a Compose project as Kubernetes YAML on the standard output, its faults beside it.

Thin: reads what the project asks for and prints what came of it. The folder is the git checkout that the project lies
in, as it is for the daemon; outside of a checkout, the folder around the project's own.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from msgspec.structs import replace

from reconciler.manifests.compose.paths import COMPOSE_FILES
from reconciler.manifests.compose.project import convert
from reconciler.manifests.compose.source import MOST_LISTED, Source

FAULTS = 1
UNUSABLE = 2
_MOST_READ = 5 * 1024 * 1024
"""Bytes of a file: more than anything that is made of one may have, so that what is cut short is refused."""


def run(given: Path, more: Iterable[Path], profiles: Iterable[str], output: Literal["yaml", "json"]) -> int:
    """Prints the result; returns the exit code."""
    if (main := _main(given)) is None:
        print(f"wherry: {given} is no Compose file; name one, or a folder with a compose.yaml", file=sys.stderr)
        return UNUSABLE
    root = _root(main.parent)
    names = [_name(path.absolute(), root) for path in more]
    if None in names:
        print(f"wherry: all files of a project have to be below {root}", file=sys.stderr)
        return UNUSABLE
    folder = _Folder(root)
    source = Source(folder.read, folder.files)
    converted = convert(_name(main, root) or main.name, source, [name for name in names if name], profiles)
    print(_json(converted.documents) if output == "json" else _yaml(converted.documents), end="")
    for fault in converted.state.faults:
        shown = replace(fault, file=os.path.relpath(root / fault.file))
        print(shown if fault.severity == "error" else f"{shown} (warning)", file=sys.stderr)
    return FAULTS if any(fault.severity == "error" for fault in converted.state.faults) else 0


def _main(given: Path) -> Path | None:
    candidates = [given / name for name in COMPOSE_FILES] if given.is_dir() else [given]
    return next((path.absolute() for path in candidates if path.is_file()), None)


def _root(folder: Path) -> Path:
    return next((around for around in (folder, *folder.parents) if (around / ".git").exists()), folder.parent)


def _name(path: Path, root: Path) -> str | None:
    path = Path(os.path.normpath(path))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


class _Folder:
    """Reads below one folder, and nothing that a symbolic link leads to outside of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = root.resolve()

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        if not path.is_file() or not path.resolve().is_relative_to(self.real):
            return None
        with path.open("rb") as stream:
            return stream.read(_MOST_READ)

    def files(self, folder: str) -> Sequence[str]:
        found: list[str] = []
        for around, folders, names in os.walk(self.root / folder):
            folders[:] = sorted(name for name in folders if name != ".git")
            found += [(Path(around) / name).relative_to(self.root).as_posix() for name in names]
            if len(found) > MOST_LISTED:
                break  # more than anything is made of: the project says so
        return sorted(found)


class _Dumper(yaml.SafeDumper):
    """Every value written out, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def _yaml(documents: Sequence[dict[str, Any]]) -> str:
    return "---\n".join(
        yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000) for document in documents
    )


def _json(documents: Sequence[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}, indent=2, ensure_ascii=False) + "\n"

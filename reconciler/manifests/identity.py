"""Which object a document names, or why it names none of those that are served. Pure."""

import difflib
from typing import Any

from schemas.faults import Fault, Path
from schemas.kinds import BY_GROUP_VERSION_KIND, BY_NAME, KINDS, Kind
from schemas.meta import Ref

DEFAULT_NAMESPACE = "default"
_MISSPELT = 0.8
"""How alike a kind has to be to a served one of the same API group, to be taken for it."""
_MISSPELT_GROUP = 0.9
"""The same for the API group of a served kind; foreign ones often resemble those of Kubernetes."""

Data = dict[str, Any]


def label_of(data: Data) -> str:
    """As much of `Kind/name` as there is."""
    metadata = data.get("metadata")
    kind, name = data.get("kind"), metadata.get("name") if isinstance(metadata, dict) else None
    return "/".join(part for part in (kind, name) if isinstance(part, str) and part)


def kind_of(data: Data) -> Kind | Fault:
    """The served kind, by the version that is served."""
    if "sops" in data:
        return Fault(("sops",), "this document is encrypted with SOPS; put the decrypted one here (sops --decrypt)")
    version, name = data.get("apiVersion", ""), data.get("kind", "")
    for field, value in (("apiVersion", version), ("kind", name)):
        if not value:
            path, hint = _misspelt(data, field)
            return Fault(path, f"{field} is missing; {hint or 'a manifest starts with apiVersion and kind'}")
        if not isinstance(value, str):
            return Fault((field,), f"has to be a string, found {value!r}")
    if kind := BY_GROUP_VERSION_KIND.get((version, name)):
        return kind
    if meant := _meant(version, name):
        if meant.name == name:
            return Fault(("apiVersion",), f"{name} is not served as {version}; write apiVersion: {meant.api_version}")
        return Fault(("kind",), f"the kind {name} ({version}) is not served; did you mean {meant.name}?")
    hint = "take it out of the folder, or list it in .wherryignore (`wherry validate --skip-unknown` passes over it)"
    return Fault(("kind",), f"the kind {name} ({version}) is not served; {hint}")


def is_unknown(data: Data) -> bool:
    """Whether the kind is simply not served, rather than misspelt: what `--skip-unknown` passes over."""
    version, name = data.get("apiVersion"), data.get("kind")
    if not (isinstance(version, str) and version and isinstance(name, str) and name) or "sops" in data:
        return False
    return (version, name) not in BY_GROUP_VERSION_KIND and _meant(version, name) is None


def is_foreign(version: str) -> bool:
    """Whether the API group is none of which anything is or was served."""
    return _group(version) not in {"extensions", *(kind.group for kind in KINDS)}


def _group(version: str) -> str:
    return version.partition("/")[0] if "/" in version else ""


def _meant(version: str, name: str) -> Kind | None:
    """The served kind that was meant by a slip in the version, the group or the kind."""
    if served := BY_NAME.get(name):
        near = difflib.get_close_matches(_group(version), [served.group], cutoff=_MISSPELT_GROUP)
        return served if near or not is_foreign(version) else None
    by_lower = {kind.name.lower(): kind for kind in KINDS if _group(version) == kind.group}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=_MISSPELT)
    return by_lower[near[0]] if near else None


def ref_of(kind: Kind, data: Data) -> Ref | Fault:
    """The object's name and, where the kind has one, namespace."""
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        path, hint = (("metadata",), "") if "metadata" in data else _misspelt(data, "metadata")
        return Fault(path, f"metadata.name is missing: {hint or 'every manifest names its object'}")
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not name and "generateName" in metadata:
        return Fault(("metadata", "generateName"), "git names what is wanted: a manifest needs a fixed metadata.name")
    if not isinstance(name, str) or not name:
        what = f"has to be a string, found {name!r}: put it in quotes" if name not in (None, "") else "is missing"
        path, hint = _misspelt(metadata, "name") if name is None else ((), "")
        return Fault(("metadata", *(path or ("name",))), f"{what}; {hint or 'every manifest names its object'}")
    if not kind.namespaced:
        return Ref(kind.name, "", name)
    if namespace is None or namespace == "":
        return Ref(kind.name, DEFAULT_NAMESPACE, name)
    if not isinstance(namespace, str):
        return Fault(("metadata", "namespace"), f"has to be a string, found {namespace!r}: put it in quotes")
    return Ref(kind.name, namespace, name)


def _misspelt(data: Data, field: str) -> tuple[Path, str]:
    """Where a field that is missing seems to be, under another name."""
    cutoff = 0.7 if len(field) < 8 else 0.85  # the `version` of another kind of file is no apiVersion
    close = difflib.get_close_matches(field.lower(), {name.lower(): name for name in data}, n=1, cutoff=cutoff)
    for name in data:
        if close and name.lower() == close[0] and name != field:
            return (name,), f"did you mean `{field}`?"
    return (), ""

"""A folder of texts, and the project in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.manifests.compose.project import Converted, convert
from reconciler.manifests.compose.source import Source
from reconciler.manifests.documents import SourceFault

Json = dict[str, Any]


def source(files: Mapping[str, str | bytes]) -> Source:
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}

    def listing(folder: str) -> Sequence[str]:
        return sorted(name for name in contents if folder == "." or name.startswith(f"{folder}/"))

    return Source(contents.get, listing)


def project(text: str, **more: Any) -> Converted:  # noqa: ANN401
    """The project `shop/compose.yaml` of this text; `files` lie beside it."""
    files: dict[str, str | bytes] = {f"shop/{name}": content for name, content in more.pop("files", {}).items()}
    return convert("shop/compose.yaml", source({"shop/compose.yaml": text, **files}), **more)


def of_service(text: str, **more: Any) -> Converted:  # noqa: ANN401
    """The project of one service `web` with these keys besides its image, indented by nothing."""
    keys = "".join(f"    {line}\n" for line in text.strip("\n").splitlines())
    image = "" if "image:" in text else "    image: nginx\n"
    return project(f"services:\n  web:\n{image}{keys}{more.pop('rest', '')}", **more)


def made(converted: Converted, kind: str, name: str = "web") -> Json:
    """The document of that kind and name, which has to be there."""
    found = [one for one in converted.documents if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, [f"{one['kind']}/{one['metadata']['name']}" for one in converted.documents]
    return found[0]


def pod(converted: Converted, name: str = "web", kind: str = "Deployment") -> Json:
    spec: Json = made(converted, kind, name)["spec"]["template"]["spec"]
    return spec


def container(converted: Converted, name: str = "web") -> Json:
    found: Json = pod(converted, name)["containers"][0]
    return found


def own(converted: Converted) -> list[SourceFault]:
    """The faults, without those of fields that Wherry itself does not act on yet."""
    return [fault for fault in converted.state.faults if not fault.message.startswith("not supported yet")]


def said(converted: Converted) -> list[str]:
    return [f"{fault.severity} {fault.file}:{fault.line} {fault.field}: {fault.message}" for fault in own(converted)]


def errors(converted: Converted) -> list[str]:
    return [f"{fault.field}: {fault.message}" for fault in own(converted) if fault.severity == "error"]


def warnings(converted: Converted) -> list[str]:
    return [f"{fault.field}: {fault.message}" for fault in own(converted) if fault.severity == "warning"]

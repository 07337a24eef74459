"""Mirrors, private authorities and plain HTTP, as containerd reads them: `HOST/hosts.toml` below its `config_path`.

Pure: from the configuration to the texts of the files. containerd reads them anew for each pull
(https://github.com/containerd/containerd/blob/main/docs/hosts.md). A registry's credentials are sent to that registry
alone, so those of a mirror, which CRI has no place for, stand in its file.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from nodeagent.images.keyring import Key
from nodeagent.images.references import DOCKER_HUB, DOCKER_HUB_SERVER
from nodeagent.images.settings import Registries, RegistryHost

DEFAULT = "_default"
MARK = "# Written by the node agent from its configuration; changes are lost.\n"


def files(registries: Registries, keys: Sequence[Key]) -> dict[str, str]:
    """The text of each `hosts.toml`, by the name of its folder. `keys` are the node's own credentials."""
    return {
        DEFAULT if name == "*" else name: MARK + "\n".join(_tables(name, host, registries, keys))
        for name, host in registries.hosts.items()
    }


def _tables(name: str, host: RegistryHost, registries: Registries, keys: Sequence[Key]) -> Iterator[str]:
    """The registry itself stands behind its mirrors as one of the hosts: containerd 1.6 heeds no scheme elsewhere."""
    server = f"{'http' if host.plain_http else 'https'}://{DOCKER_HUB_SERVER if name == DOCKER_HUB else name}"
    if name != "*":
        yield _lines({"server": server})
    for mirror in host.mirrors:
        url = urlsplit(mirror)
        settings = _trust(registries.hosts.get(url.netloc, RegistryHost()))
        if url.path.strip("/"):
            settings["override_path"] = True
        yield _host(mirror, settings)
        authorization = _authorization(url.netloc, keys)
        if authorization:
            yield f"[host.{json.dumps(mirror)}.header]\n{_lines({'authorization': authorization})}"
    if name != "*":
        yield _host(server, _trust(host))


def _host(url: str, settings: dict[str, object]) -> str:
    lines = _lines({"capabilities": ["pull", "resolve"]} | settings)
    return f"[host.{json.dumps(url)}]\n{lines}"


def _trust(host: RegistryHost) -> dict[str, object]:
    settings: dict[str, object] = {}
    if host.ca_file:
        settings["ca"] = str(host.ca_file)
    if host.client_certificate_file:
        certificate, key = str(host.client_certificate_file), host.client_key_file
        settings["client"] = [[certificate, str(key)]] if key else certificate
    if host.skip_verify:
        settings["skip_verify"] = True
    return settings


def _authorization(host: str, keys: Sequence[Key]) -> str:
    key = next((key for key in keys if key.host == host and not key.path), None)
    if key is None:
        return ""
    pair = f"{key.credentials.username}:{key.credentials.password}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _lines(values: dict[str, object]) -> str:
    """TOML's strings, booleans and arrays are written as JSON's."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def is_ours(text: str) -> bool:
    return text.startswith(MARK)


def path_of(folder: Path, name: str) -> Path:
    return folder / name / "hosts.toml"

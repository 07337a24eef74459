"""The environment of a container, and the `$(VAR)` in its command and arguments.

Rules of https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/:
a reference to what is not defined (yet) stays as written, `$$(VAR)` is the text `$(VAR)`; `env` overrides `envFrom`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from nodeagent.pods.envfile import parse
from nodeagent.pods.fieldpaths import PodFacts, field, resource
from schemas.core.container import Container, EnvFromSource, EnvVarSource, FileKeySelector
from schemas.messages import Config, config_key

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")
_VALID_NAME = re.compile(r"[ -<>-~]+")
"""Printable ASCII without `=`."""

ConfigKind = Literal["ConfigMap", "Secret"]


class MissingConfig(msgspec.Struct, frozen=True):
    """A required ConfigMap or Secret, or a key of one (`key` set), that is not there."""

    kind: ConfigKind
    namespace: str
    name: str
    key: str = ""

    def __str__(self) -> str:
        if self.key:
            return f"couldn't find key {self.key} in {self.kind} {self.namespace}/{self.name}"
        return f'{self.kind.lower()} "{self.name}" not found'


class Skipped(msgspec.Struct, frozen=True):
    """Keys of an `envFrom` source that cannot be names of variables."""

    kind: ConfigKind
    namespace: str
    name: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        kind = "configMap" if self.kind == "ConfigMap" else "secret"
        return (
            f"Keys [{', '.join(self.keys)}] from the EnvFrom {kind} {self.namespace}/{self.name} were skipped since "
            "they are considered invalid environment variable names."
        )


class FileFault(ValueError):
    """A file that shall hold a variable does not; it may come. The text is for the container's status."""


ReadFile = Callable[[FileKeySelector], bytes | None]
"""The content of a file in a volume of the pod, or None where it is not there."""


class Environment(msgspec.Struct, frozen=True):
    variables: dict[str, str]
    skipped: tuple[Skipped, ...] = ()


class _Absent(Exception):
    def __init__(self, missing: MissingConfig) -> None:
        self.missing = missing


def environment(
    container: Container,
    facts: PodFacts,
    configs: Mapping[str, Config],
    services: Mapping[str, str] | None = None,
    read: ReadFile | None = None,
) -> Environment | MissingConfig:
    """In the order in which they are defined, then those of Services.

    Raises `FieldFault` for a field that does not exist, and `FileFault` for a variable that no file has.
    """
    of_services = services or {}
    variables: dict[str, str] = {}
    skipped: list[Skipped] = []
    namespace = facts.pod.metadata.namespace
    try:
        for source in container.env_from:
            variables |= _from_source(source, namespace, configs, skipped)
        for variable in container.env:
            file = variable.value_from.file_key_ref if variable.value_from else None
            if file is not None:
                found: str | None = _from_file(file, read(file) if read is not None else None)
            elif variable.value_from is None:
                found = expand(variable.value, {**of_services, **variables})
            else:
                found = _from_reference(variable.value_from, container, facts, configs)
            if found is not None:
                variables[variable.name] = found
    except _Absent as absent:
        return absent.missing
    return Environment({**variables, **{k: v for k, v in of_services.items() if k not in variables}}, tuple(skipped))


def _from_file(ref: FileKeySelector, content: bytes | None) -> str | None:
    """Where the variable is optional, file and name may be missing; but a file that is there has to be one."""
    if content is None and not ref.optional:
        raise FileFault(f'environment variable file "{ref.path}" of volume "{ref.volume_name}" is not there')
    try:
        known = parse((content or b"").decode())
    except ValueError as fault:
        raise FileFault(f'couldn\'t parse env file "{ref.path}" of volume "{ref.volume_name}": {fault}') from None
    if ref.key not in known and not ref.optional:
        raise FileFault(f'environment variable key "{ref.key}" not found in file "{ref.path}"')
    return known.get(ref.key)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where NAME is known."""

    def replacement(found: re.Match[str]) -> str:
        return "$" if found[1] else variables.get(found[2], found[0])

    return _REFERENCE.sub(replacement, text)


def expand_all(words: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(expand(word, variables) for word in words)


def _from_source(
    source: EnvFromSource, namespace: str, configs: Mapping[str, Config], skipped: list[Skipped]
) -> dict[str, str]:
    ref = source.config_map_ref or source.secret_ref
    if ref is None:
        return {}
    kind: ConfigKind = "ConfigMap" if source.config_map_ref else "Secret"
    config = configs.get(config_key(kind, namespace, ref.name))
    if config is None:
        if ref.optional:
            return {}
        raise _Absent(MissingConfig(kind, namespace, ref.name))
    named = {source.prefix + key: data.decode(errors="replace") for key, data in sorted(config.data.items())}
    invalid = tuple(key for key in named if not _VALID_NAME.fullmatch(key))
    if invalid:
        skipped.append(Skipped(kind, namespace, ref.name, invalid))
    return {key: text for key, text in named.items() if key not in invalid}


def _from_reference(
    source: EnvVarSource, container: Container, facts: PodFacts, configs: Mapping[str, Config]
) -> str | None:
    if source.field_ref:
        return field(source.field_ref.field_path, facts)
    if source.resource_field_ref:
        return resource(source.resource_field_ref, container, facts)
    ref = source.config_map_key_ref or source.secret_key_ref
    if ref is None:
        return None
    kind: ConfigKind = "ConfigMap" if source.config_map_key_ref else "Secret"
    namespace = facts.pod.metadata.namespace
    config = configs.get(config_key(kind, namespace, ref.name))
    if config is not None and ref.key in config.data:
        return config.data[ref.key].decode(errors="replace")
    if ref.optional:
        return None
    raise _Absent(MissingConfig(kind, namespace, ref.name, ref.key if config is not None else ""))

"""From a project's files to one tree: `.env`, variables, overrides, `include` and `extends`.

Pure; what it needs of the folder it asks `read` for. Variables come from `.env` alone: the result depends on nothing
but what is in git.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from reconciler.manifests.compose.dotenv import read_variables
from reconciler.manifests.compose.faults import Report
from reconciler.manifests.compose.merge import merged, without_tags
from reconciler.manifests.compose.nodes import Node, read_file
from reconciler.manifests.compose.paths import OVERRIDE_FILES, folder_of, project_of, within
from reconciler.manifests.compose.source import Read
from reconciler.manifests.compose.substitution import substitute
from schemas.faults import Path

MOST_FILES = 100
"""Files that one project may consist of."""
_SHARED = ("volumes", "networks", "configs", "secrets", "models")


class Loaded(msgspec.Struct, frozen=True):
    """The project as one tree, its variables, and the profiles that are on."""

    tree: Node
    name: str
    folder: str
    variables: Mapping[str, str]
    profiles: frozenset[str]


def gather(main: str, more: Iterable[str], profiles: Iterable[str], read: Read, report: Report) -> Loaded:
    """All files of the project, merged. Raises `Stop` where one of them cannot be read."""
    folder = folder_of(main)
    files = _Files(read, report)
    variables = files.variables(within(folder, ".env") or ".env", {})
    names = [main, *more] if more else _named(main, folder, variables, read)
    tree = files.project(names, folder, variables, (main,))
    chosen = {name.strip() for name in variables.get("COMPOSE_PROFILES", "").split(",") if name.strip()}
    given = tree.map["name"].value if "name" in tree.map else None
    name = given if isinstance(given, str) else variables.get("COMPOSE_PROJECT_NAME") or project_of(main)
    known = {"COMPOSE_PROJECT_NAME": name, **variables}
    return Loaded(tree, name, folder, known, frozenset((*chosen, *profiles)))


def _named(main: str, folder: str, variables: Mapping[str, str], read: Read) -> list[str]:
    if listed := variables.get("COMPOSE_FILE"):
        separator = variables.get("COMPOSE_PATH_SEPARATOR") or (";" if ";" in listed else ":")
        return [within(folder, name) or name for name in listed.split(separator) if name]
    beside = [within(folder, name) or name for name in OVERRIDE_FILES]
    override = next((name for name in beside if read(name) is not None), None)
    return [main, override] if override else [main]


class _Files:
    def __init__(self, read: Read, report: Report) -> None:
        self.read = read
        self.report = report
        self.count = 0
        self.said: set[str] = set()

    def variables(self, file: str, known: Mapping[str, str]) -> dict[str, str]:
        """Those of a file, if it is there; `known` ones are stronger."""
        if (content := self.read(file)) is None:
            return dict(known)
        found = read_variables(content, known)
        for problem in found.problems:
            place = Node(None, file, problem.line, "")
            (self.report.error if problem.is_error else self.report.warning)(place, (), problem.message)
        return {**{name: value for name, value in found.values.items() if value is not None}, **known}

    def project(self, names: Iterable[str], folder: str, variables: Mapping[str, str], stack: tuple[str, ...]) -> Node:
        tree: Node | None = None
        for name in names:
            for document in self.documents(name, folder, variables):
                own = self.with_extensions(document, tree, variables)
                own = self.with_includes(own, folder, variables, stack)
                tree = merged(tree, own) if tree else own
        return without_tags(tree) if tree else Node({}, stack[-1], 1, folder)

    def documents(self, file: str, base: str, variables: Mapping[str, str]) -> list[Node]:
        self.count += 1
        if self.count > MOST_FILES:
            raise self.report.stop(file, 1, f"the project has more than {MOST_FILES} files; split it")
        if (content := self.read(file)) is None:
            raise self.report.stop(file, 1, "the file is not there; it is named as part of the Compose project")
        found = read_file(file, content, base)
        if found.refused:
            raise self.report.stop(file, found.refused.line, found.refused.message)
        for problem in found.problems:
            self.report.error(Node(None, file, problem.line, base), (), problem.message)
        for document in found.documents:
            if not isinstance(document.value, dict):
                raise self.report.stop(file, document.line, "expected a map with `services`")
        return [self.substituted(document, (), variables) for document in found.documents]

    def substituted(self, node: Node, path: Path, variables: Mapping[str, str]) -> Node:
        value = node.value
        if isinstance(value, dict):
            children = {key: self.substituted(child, (*path, key), variables) for key, child in value.items()}
            return node.with_value(children)
        if isinstance(value, list):
            return node.with_value([self.substituted(child, (*path, i), variables) for i, child in enumerate(value)])
        if not isinstance(value, str) or "$" not in value:
            return node
        found = substitute(value, variables)
        if found.text is None:
            self.report.error(node, path, found.error)
        for name in found.unset:
            if name not in self.said:
                self.said.add(name)
                self.report.warning(node, path, f"the variable {name} is not set, and empty; set it in .env")
        return node.with_value(found.text or "")

    # extends

    def with_extensions(self, tree: Node, before: Node | None, variables: Mapping[str, str]) -> Node:
        services = tree.map.get("services")
        if services is None or not any("extends" in service.map for service in services.map.values()):
            return tree
        earlier = before.map["services"].map if before and "services" in before.map else {}
        known = {**earlier, **services.map}
        extended = {
            name: self.extended(name, known, variables, ((service.file, name),))
            for name, service in services.map.items()
        }
        return tree.with_value({**tree.map, "services": services.with_value(extended)})

    def extended(
        self, name: str, services: Mapping[str, Node], variables: Mapping[str, str], stack: tuple[tuple[str, str], ...]
    ) -> Node:
        """The service over the one that it extends."""
        service = services[name]
        extends = service.map.get("extends")
        if extends is None:
            return service
        path = ("services", stack[0][1], "extends")
        file, other = extends.map.get("file"), extends.map.get("service", extends)
        rest = service.with_value({key: value for key, value in service.map.items() if key != "extends"})
        if file is not None and isinstance(file.value, str):
            if (target := within(file.base, file.value)) is None:
                self.report.error(file, path, f"{file.value} is outside of the folder; copy it in")
                return rest
            documents = self.documents(target, folder_of(target), variables)
            services = {
                name: node
                for one in documents
                if "services" in one.map
                for name, node in one.map["services"].map.items()
            }
        if not isinstance(other.value, str) or other.value not in services:
            hint = f"; there are {', '.join(services)}" if services else ""
            self.report.error(extends, path, f"there is no service {other.value!r} to extend{hint}")
            return rest
        link = (services[other.value].file, other.value)
        if link in stack:
            self.report.error(extends, path, "the service extends itself; break the circle")
            return rest
        parent = self.extended(other.value, services, variables, (*stack, link))
        kept = parent.with_value({key: value for key, value in parent.map.items() if key != "extends"})
        return merged(_at_service(kept), _at_service(rest)).map["services"].map["*"]

    # include

    def with_includes(self, tree: Node, folder: str, variables: Mapping[str, str], stack: tuple[str, ...]) -> Node:
        include = tree.map.get("include")
        if include is None:
            return tree
        own = {key: value for key, value in tree.map.items() if key != "include"}
        for index, entry in enumerate(include.list or [include]):
            if (found := self.included(entry, ("include", index), folder, variables, stack)) is not None:
                own = self.joined(own, found, entry, ("include", index))
        return tree.with_value(own)

    def included(
        self, entry: Node, path: Path, folder: str, variables: Mapping[str, str], stack: tuple[str, ...]
    ) -> Node | None:
        named = entry.map.get("path", entry)
        files: list[str] = []
        for part in named.list or [named]:
            target = within(folder, part.value) if isinstance(part.value, str) else None
            if target is None:
                self.report.error(part, path, f"expected a file of the folder, found {part.value!r}")
                return None
            if target in stack:
                self.report.error(part, path, f"{target} includes itself; break the circle")
                return None
            files.append(target)
        if not files:
            return None
        inner = folder_of(files[0])
        if (given := entry.map.get("project_directory")) and isinstance(given.value, str):
            inner = within(folder, given.value) or inner
        listed = entry.map.get("env_file")
        known = dict(variables)
        names = [part.value for part in (listed.list or [listed])] if listed else None
        paths = [within(folder, str(name)) or "" for name in names] if names else [within(inner, ".env") or ".env"]
        for file in reversed(paths):  # the first to set a variable counts, and the last file is to win
            known = self.variables(file, known)
        return self.project(files, inner, known, (*stack, *files))

    def joined(self, own: dict[str, Node], found: Node, entry: Node, path: Path) -> dict[str, Node]:
        """Both projects' parts; what both have has to be the same."""
        for section in ("services", *_SHARED):
            if not (theirs := found.map.get(section)) or not theirs.map:
                continue
            ours = own.get(section)
            mine = dict(ours.map) if ours else {}
            for name, node in theirs.map.items():
                if name in mine and plain(mine[name]) != plain(node):
                    message = f"{section}.{name} is also in {node.file}, and differs; rename one of them"
                    self.report.error(entry, path, message)
                mine.setdefault(name, node)
            own[section] = (ours or theirs).with_value(mine)
        return own


def _at_service(node: Node) -> Node:
    """The service where merging knows it for one."""
    return node.with_value({"services": node.with_value({"*": node})})


def plain(node: Node) -> object:
    """The value without its places."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def mentions(main: str, content: bytes) -> frozenset[str]:
    """Names of objects that a project may declare of which nothing else is known: those of all its keys."""
    keys = {key.lower().replace("_", "-") for key in _KEY.findall(content.decode(errors="replace"))}
    project = project_of(main)
    return frozenset(keys | {f"{project}-{key}" for key in keys})


_KEY = re.compile(r"^[ \t]+[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)[\"']?[ \t]*:", re.MULTILINE)

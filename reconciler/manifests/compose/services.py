"""From the tree to the project as it is meant: which services are taken, and each of them read."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from reconciler.manifests.compose.deploy import read_deploy
from reconciler.manifests.compose.faults import Report
from reconciler.manifests.compose.files import Loaded
from reconciler.manifests.compose.model import Place, Project, Service
from reconciler.manifests.compose.mounts import Mounts
from reconciler.manifests.compose.names import object_name, project_name
from reconciler.manifests.compose.networking import read_links, read_network
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.process import read_healthcheck, read_process
from reconciler.manifests.compose.reading import Fields, as_text, one_of, section
from reconciler.manifests.compose.resources import annotations, read_contents, read_volumes
from reconciler.manifests.compose.rights import read_rights
from reconciler.manifests.compose.source import Source

_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_DRIVERS = ("", "bridge", "overlay", "default", "none", "host")


def active(loaded: Loaded) -> Loaded:
    """Without the services whose profiles are all off."""
    services = loaded.tree.map.get("services")
    if services is None or not services.map:
        return loaded
    chosen = {name: node for name, node in services.map.items() if _is_on(node, loaded.profiles)}
    tree = loaded.tree.with_value({**loaded.tree.map, "services": services.with_value(chosen)})
    return replace(loaded, tree=tree)


def _is_on(node: Node, profiles: frozenset[str]) -> bool:
    listed = node.map.get("profiles")
    names = {str(item.value) for item in (listed.list or [listed])} if listed and listed.value else set()
    return not names or "*" in profiles or bool(names & profiles)


def read_project(loaded: Loaded, source: Source, report: Report) -> Project:
    """The project, of whose services the broken ones are known to the report."""
    name = project_name(loaded.name)
    volumes = read_volumes(loaded, name, report)
    configs = read_contents("ConfigMap", loaded, name, source.read, report)
    secrets = read_contents("Secret", loaded, name, source.read, report)
    mounts = Mounts(source, name, loaded.folder, volumes, configs, secrets)
    nodes = section(loaded.tree, "services", report)
    if not nodes and not any(
        loaded.tree.map.get(key) for key in ("services", "include", "volumes", "configs", "secrets")
    ):
        report.error(loaded.tree, (), "there is no service in it; a Compose file has them under `services`")
    services = _Services(loaded, nodes, mounts, source, report).read()
    _networks(loaded, services, report)
    return Project(
        name=name,
        namespace=_namespace(loaded, report),
        services=services,
        volumes=(*volumes.values(), *mounts.claimed.values()),
        contents=(*configs.values(), *secrets.values()),
    )


def _namespace(loaded: Loaded, report: Report) -> str:
    own = loaded.tree.map.get("x-wherry")
    if own is None:
        return "default"
    fields = Fields(own, ("x-wherry",), report)
    for key in fields.node.map:
        if key != "namespace":
            fields.error(key, "unknown key: the project's only one is `namespace`")
    return fields.text("namespace") or "default"


class _Services:
    def __init__(
        self, loaded: Loaded, nodes: Mapping[str, Node], mounts: Mounts, source: Source, report: Report
    ) -> None:
        self.loaded = loaded
        self.nodes = nodes
        self.mounts = mounts
        self.source = source
        self.report = report
        self.awaited = set(self._awaited())
        self.linked: dict[str, list[str]] = {}

    def read(self) -> tuple[Service, ...]:
        read = [self.service(name, node) for name, node in self.nodes.items()]
        services = []
        taken: dict[str, str] = {service.object_name: service.name for service in read}
        for service in read:
            if (other := taken[service.object_name]) != service.name:
                message = f"the names {service.name} and {other} are both {service.object_name} in DNS; rename one"
                self.report.error(service.place.node, service.place.path, message)
            aliases = []
            for alias in dict.fromkeys((*service.network.aliases, *self.linked.get(service.name, ()))):
                if (other := taken.setdefault(alias, service.name)) == service.name:
                    aliases.append(alias)
                else:
                    message = f"the further name {alias} leads to {other} already; {service.name} does not get it"
                    self.report.warning(service.place.node, service.place.path, message)
            network = replace(service.network, aliases=tuple(a for a in aliases if a != service.object_name))
            services.append(replace(service, network=network))
        return tuple(services)

    def service(self, name: str, node: Node) -> Service:
        path = ("services", name)
        fields = Fields(node, path, self.report)
        object_ = object_name(name)
        if object_ != name and object_:
            message = f"the service is named {object_}, and reached so: {name} is no name in DNS"
            self.report.warning(node, path, message)
        elif not object_:
            self.report.error(node, path, f"{name!r} has no letter or digit to name an object by; rename it")
        grace = fields.seconds("stop_grace_period")
        return Service(
            name=name,
            object_name=object_,
            place=Place(node, path),
            process=read_process(fields, self.loaded.variables, self.source.read),
            rights=read_rights(fields),
            network=read_network(fields, object_),
            deploy=read_deploy(fields, is_awaited=name in self.awaited),
            mounts=self.mounts.read(fields),
            healthcheck=read_healthcheck(fields),
            depends_on=tuple(self._depends_on(fields)),
            annotations={**annotations(fields, "labels"), **annotations(fields, "annotations")},
            grace_period=10 if grace is None else int(grace + 0.999),
        )

    def _awaited(self) -> Iterator[str]:
        for node in self.nodes.values():
            needed = node.map.get("depends_on")
            for name, entry in needed.map.items() if needed else ():
                condition = entry.map.get("condition")
                if condition is not None and condition.value == "service_completed_successfully":
                    yield name

    def _depends_on(self, fields: Fields) -> Iterator[str]:
        needed = fields.get("depends_on")
        names: dict[str, Node] = {}
        if needed is not None and needed.map:
            names = dict(needed.map)
        elif needed is not None:
            names = {text: node for node, _, text in fields.each("depends_on")}
        for node, service, alias in read_links(fields):
            names.setdefault(service, node)
            if service in self.nodes and alias:
                self.linked.setdefault(service, []).append(alias)
        for name, node in names.items():
            path = (*fields.path, "depends_on", name)
            entry = Fields(node, path, self.report) if node.map else None
            if entry:
                entry.read("condition", lambda node: one_of(as_text(node), _CONDITIONS))
            if name in self.nodes:
                yield name
            elif entry is None or entry.boolean("required") is not False:
                hint = self._missing(name)
                self.report.error(node, path, f"there is no service {name!r}{hint}")

    def _missing(self, name: str) -> str:
        return f"; there are {', '.join(self.nodes)}" if len(self.nodes) <= 20 else ""


def _networks(loaded: Loaded, services: tuple[Service, ...], report: Report) -> None:
    """Named: networks that keep services apart, or that are of another sort than the pods'."""
    known = section(loaded.tree, "networks", report)
    used: set[str] = set()
    for service in services:
        fields = Fields(service.place.node, service.place.path, report)
        listed = fields.get("networks")
        names = {name: listed.map[name] for name in listed.map} if listed and listed.map else {}
        if not names:
            names = {text: node for node, _, text in fields.each("networks")}
        for name, node in names.items():
            used.add(name)
            if name != "default" and name not in known:
                hint = "; name it in `networks` at the top of the file"
                report.error(node, (*fields.path, "networks"), f"there is no network {name!r}{hint}")
    for name, node in known.items():
        driver = Fields(node, ("networks", name), report).text("driver")
        if driver not in _DRIVERS:
            message = f"{driver} is not carried over: pods are on the cluster's network, not on the LAN or a VLAN"
            report.warning(node.map["driver"], ("networks", name, "driver"), message)
    if known and len(used) > 1:
        message = "networks do not keep services apart here: every pod reaches every other; write NetworkPolicies"
        report.warning(loaded.tree.map["networks"], ("networks",), message)

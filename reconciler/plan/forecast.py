"""What would happen: the state before, and what is declared, give the state after and how one becomes the other.

Pure. Nothing here decides about objects or pods: manifests, admission, controllers and scheduler are the daemon's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from reconciler.admission import AdmissionSettings, allocation, amendment, completion
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.manifests.documents import FileState
from reconciler.manifests.planning import ALWAYS_THERE
from reconciler.manifests.prune import Limits
from reconciler.plan import pods
from reconciler.plan.dangers import dangers
from reconciler.plan.fields import changed_fields
from reconciler.plan.folder import Folder
from reconciler.plan.images import pulls
from reconciler.plan.outcome import Action, FieldChange, Forecast, ObjectChange, Summary, Workload
from reconciler.plan.stepping import Endless, Stepping
from reconciler.plan.storage import classes, lost_data
from reconciler.plan.world import World
from reconciler.provenance import SOURCE
from reconciler.store.cache import Cache
from reconciler.store.view import View
from schemas.apps import DaemonSet
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import Object, ObjectMeta, Ref, controller_of, ref_of

NO_NODES = "there are no nodes: where pods would run needs --server, --data or --nodes"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a reconciler's configuration says of the decisions."""

    admission: AdmissionSettings = AdmissionSettings()
    controllers: ControllerSettings = ControllerSettings()
    limits: Limits = Limits()


class Run(msgspec.Struct, frozen=True):
    """A cluster that was brought to rest. `lowest` are the fewest Ready pods of each workload on the way."""

    before: View
    after: Cache
    folder: Folder
    lowest: Mapping[Ref, int]
    now: datetime
    unrest: str = ""


DEFAULTS = Settings()


def forecast(
    before: Iterable[Object], declared: Mapping[str, FileState], now: datetime, settings: Settings = DEFAULTS
) -> Forecast:
    """What the folder `declared` (by file) does to the cluster `before`."""
    return told(run(before, declared, now, settings))


def run(
    before: Iterable[Object], declared: Mapping[str, FileState], now: datetime, settings: Settings = DEFAULTS
) -> Run:
    """Carries the folder into a copy of the cluster, and lets it come to rest."""
    objects = tuple(before)
    admit = completion(settings.admission)
    given = (*objects, *_namespaces(objects), *classes(objects))
    world = World(given, now, allocation(settings.admission), amendment(settings.admission))
    old = _copied(world)
    folder = Folder(world, declared, admit, settings.limits)
    lowest = dict(pods.ready_by_workload(old))

    def after_step() -> None:
        present = pods.ready_by_workload(world.cache)
        for ref, least in lowest.items():
            lowest[ref] = min(least, present.get(ref, 0))

    stepping = Stepping(world, controllers(settings.controllers), folder.carry)
    unrest = ""
    try:
        stepping.rest(after_step)
    except Endless as error:
        unrest = str(error)
    return Run(old, world.cache, folder, lowest, world.now, unrest)


def _namespaces(objects: Sequence[Object]) -> Iterator[Object]:
    """Those that every cluster has, for one that is made up of nodes alone."""
    there = {one.metadata.name for one in objects if isinstance(one, Namespace)}
    for name in sorted(ALWAYS_THERE - there):
        yield Namespace(metadata=ObjectMeta(name=name, uid=f"namespace-{name}"))


def _copied(world: World) -> Cache:
    copy = Cache(world.cache.revision)
    copy.load(found for kind in KINDS for found in world.cache.list(kind.type))
    return copy


def told(done: Run) -> Forecast:
    """The run as a plan."""
    objects = tuple(_objects(done))
    places = bool(done.after.list(Node))  # else every pod would only be said to be Pending
    workloads = tuple(_workloads(done)) if places else ()
    needed = pulls(done.before, done.after) if places else ()
    faults = done.folder.faults
    return Forecast(
        summary=_summary(objects, workloads, len(needed), sum(fault.severity == "error" for fault in faults)),
        dangers=(*lost_data(done.before, done.after), *dangers(objects, workloads)),
        notes=tuple(_notes(done)),
        objects=objects,
        workloads=workloads,
        pulls=needed,
        faults=faults,
    )


def _notes(done: Run) -> Iterator[str]:
    if done.unrest:
        yield f"this is the state when the look ahead ended: {done.unrest}"
    for ref, others in sorted(done.folder.waiting.open.items()):
        yield f"{ref} waits for {', '.join(map(str, others))} to be healthy, and nothing says that this will come"
    if not done.after.list(Node):
        yield NO_NODES


def _objects(done: Run) -> Iterator[ObjectChange]:
    """Those that a person declares: what controllers make of them shows in the pods."""
    held = {one.ref: one.reason for one in done.folder.held_back}
    refs = {ref_of(one) for view in (done.before, done.after) for one in _declared(view)}
    for ref in sorted(refs | done.folder.written.keys()):
        old, new = done.before.find(ref), done.after.find(ref)
        ends = new is not None and new.metadata.deletion_timestamp is not None
        if old is None:
            if new is not None:
                yield _change("create", ref, _place(new))
        elif new is None or (ends and old.metadata.deletion_timestamp is None):
            yield _change("delete", ref, _place(old), _why_deleted(ref, new, done))
        elif ref in held:
            yield _change("hold", ref, _place(old), held[ref])
        elif ref in done.folder.written:
            before, after = done.folder.written[ref]
            if before is not None and (fields := changed_fields(before, after)):
                yield _change("change", ref, _place(after), fields=fields)


def _declared(view: View) -> Iterator[Object]:
    for kind in KINDS:
        if kind.name not in ("Event", "Node", "Lease"):
            for found in view.list(kind.type):
                if controller_of(found) is None:
                    yield found


def _change(
    action: Action, ref: Ref, place: str, reason: str = "", fields: tuple[FieldChange, ...] = ()
) -> ObjectChange:
    return ObjectChange(
        action=action,
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        place=place,
        reason=reason,
        fields=fields,
    )


def _place(object_: Object) -> str:
    return object_.metadata.annotations.get(SOURCE, "")


def _why_deleted(ref: Ref, new: Object | None, done: Run) -> str:
    if new is not None and new.metadata.finalizers:
        return f"waits for the finalizers {', '.join(new.metadata.finalizers)}"
    if ref.namespace and (namespace := done.after.get(Namespace, "", ref.namespace)) is None:
        return f"with its namespace {ref.namespace}"
    if ref.namespace and namespace is not None and namespace.metadata.deletion_timestamp is not None:
        return f"with its namespace {ref.namespace}"
    return "no file declares it any more"


def _workloads(done: Run) -> Iterator[Workload]:
    before, after = pods.by_workload(done.before), pods.by_workload(done.after)
    for ref in sorted(before.keys() | after.keys() | _sized(done.after)):
        old, new = before.get(ref, []), after.get(ref, [])
        found = Workload(
            kind=ref.kind,
            namespace=ref.namespace,
            name=ref.name,
            wanted_before=_wanted(done.before.find(ref)),
            wanted_after=_wanted(done.after.find(ref)),
            ready_before=pods.ready(old),
            ready_after=pods.ready(new),
            lowest_ready=done.lowest.get(ref, 0),
            pods=pods.changes(old, new),
            pending=pods.pending(old, new),
        )
        if found.pods or found.pending or _numbers(found):
            yield found


def _numbers(one: Workload) -> bool:
    """Whether it asks for another number of pods, or has another number Ready."""
    return (one.wanted_before, one.ready_before) != (one.wanted_after, one.ready_after)


def _sized(view: View) -> set[Ref]:
    """Workloads that ask for pods, also where none came of it."""
    return {ref_of(one) for one in _declared(view) if hasattr(getattr(one, "spec", None), "template")}


def _wanted(object_: Object | None) -> int:
    """How many pods the object asks for."""
    if object_ is None or object_.metadata.deletion_timestamp is not None:
        return 0
    if isinstance(object_, Pod):
        return 1
    if isinstance(object_, DaemonSet):
        return object_.status.desired_number_scheduled
    replicas = getattr(getattr(object_, "spec", None), "replicas", 0)
    return 1 if replicas is None else replicas


def _summary(objects: Sequence[ObjectChange], workloads: Sequence[Workload], pulls: int, faults: int) -> Summary:
    def acted(action: Action) -> int:
        return sum(one.action == action for one in objects)

    def happened(verb: str) -> int:
        return sum(one.count for each in workloads for one in each.pods if one.verb == verb)

    return Summary(
        created=acted("create"),
        changed=acted("change"),
        deleted=acted("delete"),
        held_back=acted("hold"),
        started=happened("start"),
        stopped=happened("stop"),
        restarted=happened("restart"),
        moved=happened("move"),
        pending=sum(one.count for each in workloads for one in each.pending),
        pulls=pulls,
        faults=faults,
    )

"""How the fleet stands for one class of pods: which nodes can take one, and which is the best of them.

The question is answered once for all nodes, and from then on the answer is kept up to date: only nodes that changed
since it was last asked are looked at again. Nodes that the scores which compare nodes with each other cannot tell
apart stand in one group, ordered by what each scores for itself; so the best node is the best of the groups' firsts,
and a pod that lands moves one node in one heap, however large the fleet.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from reconciler.scheduler import localchecks
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.localchecks import Said
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins import (
    image_locality,
    inter_pod_affinity,
    node_affinity,
    pod_topology_spread,
    taint_toleration,
)
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.snapshot import Snapshot
from reconciler.scheduler.tally import Place
from reconciler.scheduler.topology import Topology
from schemas.nodeaffinity import named_nodes

_SPAN = 1 << 24
"""More than there are nodes. An entry of a heap is `-score * _SPAN + rank`: best first, then first by name."""
_NOT_NAMED = Said(node_affinity.NAME, node_affinity.NOT_NAMED)
_UNTOPICAL: Place = ()

_SHORT = 256
"""Changes up to which an answer is brought up to date and not made anew, on the smallest fleet."""
_MANY_GROUPS = 256
"""From so many on, groups that have no nodes are forgotten."""

GroupKey = tuple[int, int, bool, Place]
"""Taints that the pod would rather not have, weights of its preferred terms, ignored by the spread score, place."""


class Group:
    """Feasible nodes (but for topology) at one place that compare alike."""

    __slots__ = ("heap", "ignored", "liked", "place", "size", "tainted")

    def __init__(self, key: GroupKey) -> None:
        self.tainted, self.liked, self.ignored, self.place = key
        self.size = 0
        self.heap: list[int] = []


class Standing:
    """The answer for one class. `update` before anything is asked of it.

    `fault` says what is wrong with the class where its nodes cannot be compared. `told` is for whoever decides: what
    was said last of a pod that fits nowhere, and when.
    """

    def __init__(self, asked: PodClass, snapshot: Snapshot, profile: Profile) -> None:
        self.asked, self._snapshot, self.profile = asked, snapshot, profile
        self.told: tuple[tuple[int, int], Decision] | None = None
        self._named = named_nodes(asked.pod)
        self.fault = node_affinity.fault(asked)
        self._images = image_locality.wanted(asked)
        self._spreads_by_default = not asked.pod.spec.topology_spread_constraints
        self._build()

    def _versions(self) -> tuple[int, ...]:
        snapshot = self._snapshot
        asked = self.asked
        return (
            snapshot.epoch,
            snapshot.storage.version if asked.claims else 0,
            sum(len(snapshot.claim_users.get((asked.namespace, name), ())) for name, _ in asked.claims),
            snapshot.taints_version if self._topology.spread.by_taints else 0,
            *[snapshot.images.version(name) for name in self._images],
        )

    def _build(self) -> None:
        snapshot, asked = self._snapshot, self.asked
        nodes = snapshot.ordered()
        self._cursor = snapshot.log_start + len(snapshot.log)
        self.filters = localchecks.filters(asked, snapshot, self.profile)
        self.scores = localchecks.scores(asked, snapshot, self.profile)
        scored = self._named is None or len(self._named) > 1
        self._topology = Topology(asked, snapshot, scored=scored)
        self._kin = snapshot.kin.version
        self._stamp, self._built = snapshot.stamp(), self._versions()
        self._tainted = taint_toleration.prepare_raw(asked)
        self._liked = node_affinity.prepare_raw(asked)
        self._groups: dict[GroupKey, Group] = {}
        self._entries: dict[int, int] = {}
        self._homes: dict[int, Group] = {}
        self._refused: dict[NodeInfo, Said] | None = None
        self._by_taints: dict[int, Group] = {}
        self._offsets: list[tuple[Group, int]] | None = None
        if self.filters.everywhere is not None:
            return
        self._judge_all(nodes if self._named is None else self._named_infos())

    def _named_infos(self) -> list[NodeInfo]:
        nodes = self._snapshot.nodes
        return [nodes[name] for name in self._named or () if name in nodes]

    def update(self) -> None:
        """Takes in what has changed since the last time."""
        snapshot = self._snapshot
        start = self._cursor - snapshot.log_start
        news = len(snapshot.log) - start
        stale = start < 0 or news > _SHORT + len(snapshot.nodes) // 2
        stamp = snapshot.stamp()
        if stamp != self._stamp:
            stale = stale or self._versions() != self._built
            self._stamp = stamp
        if (
            stale
            or (self._kin != snapshot.kin.version and self._other_kin())
            or (snapshot.nominated and self._unheard())
        ):
            self._build()
        elif news and self.filters.everywhere is None:
            self._catch_up(start)
        self._cursor = snapshot.log_start + len(snapshot.log)
        if snapshot.nominated and self._topology and self.filters.everywhere is None:
            for info in set(snapshot.nominated.values()):
                if self._named is None or info.name in self._named:
                    self._judge(info)

    def _unheard(self) -> bool:
        """Whether a nominated pod has terms for which there is no count."""
        return any(
            not self._topology.covers(other)
            for info in self._snapshot.nominated.values()
            for _, other in info.nominated.values()
        )

    def _other_kin(self) -> bool:
        self._kin = self._snapshot.kin.version
        if not self._spreads_by_default:
            return False
        return self._snapshot.kin.selector(self.asked) != self._topology.selector

    def _catch_up(self, start: int) -> None:
        log = self._snapshot.log
        topology, named = self._topology, self._named
        if len(log) - start == 1 and not topology:
            info, placed, _ = log[-1]
            if (placed is None or not placed.terms) and named is None:
                self._judge(info)
                return
        touched: dict[NodeInfo, bool] = {}
        for info, placed, by in log[start:]:
            if info.node is None:
                continue
            touched[info] = True
            if placed is None or not (topology or placed.terms):
                continue
            if not topology.covers(placed):
                self._build()
                return
            for moved in topology.change(info, placed, by):
                touched.setdefault(moved, False)
        for info in touched:
            if named is None or info.name in named:
                self._judge(info)

    def _judge_all(self, nodes: Sequence[NodeInfo]) -> None:
        """Looks at all nodes for the first time: at those that are alike once, if many are."""
        alike = dict(zip(self._snapshot.states.of(nodes), nodes, strict=True))
        are_many = 2 * len(alike) <= len(nodes)
        infos = self.filters.select(nodes, list(alike.values()) if are_many else nodes)
        if self._snapshot.nominated:
            infos = [info for info in infos if not info.nominated or self._refusal(info) is None]
        ranks = [info.rank for info in infos]
        self._entries = dict(zip(ranks, self._first_entries(infos, alike if are_many else {}), strict=True))
        homes = self._first_homes(infos)
        self._homes = dict(zip(ranks, homes, strict=True))
        for group, entry in zip(homes, self._entries.values(), strict=True):
            group.heap.append(entry)
        for group in self._groups.values():
            group.size = len(group.heap)
            heapify(group.heap)

    def _first_entries(self, infos: Sequence[NodeInfo], alike: Mapping[int, NodeInfo]) -> list[int]:
        asked = list(alike.values()) if alike else infos
        totals = self.scores.totals(asked, by_state=True) or [0] * len(asked)
        if alike:
            lifts = {state: -total * _SPAN for state, total in zip(alike, totals, strict=True)}
            entries = [info.rank + lifts[info.state] for info in infos]
        else:
            entries = [info.rank - total * _SPAN for info, total in zip(infos, totals, strict=True)]
        others = self.scores.totals(infos, by_state=False)
        return entries if others is None else [entry - one * _SPAN for entry, one in zip(entries, others, strict=True)]

    def _first_homes(self, infos: Sequence[NodeInfo]) -> list[Group]:
        """The group of each of the nodes, found once for those that nothing tells apart."""
        topology = self._topology
        columns: list[Sequence[Hashable]] = topology.places(infos)
        if self._snapshot.taints_version:
            columns.append([info.taints for info in infos])
        if self._liked is not None:
            columns.append(node_affinity.prepare_raw_column(self.asked)(infos))
        if topology.spread.soft:
            columns += [[key in info.labels for info in infos] for key in topology.spread.needed]
        if not columns:
            return [self._group(infos[0])] * len(infos) if infos else []
        seen = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        groups = {told: self._group(info) for told, info in dict(zip(seen, infos, strict=True)).items()}
        return [groups[told] for told in seen]

    def _judge(self, info: NodeInfo) -> None:
        """Looks at one node again."""
        if info.node is None:
            return
        rank = info.rank
        why = self._refusal(info)
        if self._refused is not None:
            if why is not None:
                self._refused[info] = why
            else:
                self._refused.pop(info, None)
        home = self._homes.get(rank)
        if why is not None:
            if home is not None:
                self._leave(home)
                del self._homes[rank], self._entries[rank]
            return
        entry = rank - self.scores.total(info) * _SPAN
        group = self._group(info)
        if home is not group:
            if home is not None:
                self._leave(home)
            if not group.size:
                self._offsets = None
            group.size += 1
            self._homes[rank] = group
        elif self._entries.get(rank) == entry:
            return
        self._entries[rank] = entry
        heappush(group.heap, entry)

    def _leave(self, group: Group) -> None:
        group.size -= 1
        if not group.size:
            self._offsets = None

    def _group(self, info: NodeInfo) -> Group:
        topology = self._topology
        if not topology and self._liked is None:
            group = self._by_taints.get(info.taints)
            if group is not None:
                return group
        key = (
            self._tainted(info) if info.taints else 0,
            self._liked(info) if self._liked is not None else 0,
            bool(topology.spread.soft) and topology.spread.ignores(info),
            topology.place(info) if topology else _UNTOPICAL,
        )
        group = self._groups.get(key)
        if group is None:
            if topology and self._homes and len(self._groups) > _MANY_GROUPS:
                self._groups = {one: found for one, found in self._groups.items() if found.size}
            group = self._groups[key] = Group(key)
        if not topology and self._liked is None:
            self._by_taints[info.taints] = group
        return group

    def _first(self, group: Group) -> int:
        """The entry of the best node of the group."""
        heap, entries, homes = group.heap, self._entries, self._homes
        while True:
            entry = heap[0]
            rank = entry % _SPAN
            if entries.get(rank) == entry and homes[rank] is group:
                break
            heappop(heap)
        if len(heap) > 4 * group.size + 64:
            group.heap = [entries[rank] for rank, home in homes.items() if home is group]
            heapify(group.heap)
        return entry

    def feasible(self) -> list[Group]:
        """The groups of nodes that can take the pod."""
        topology = self._topology
        groups = [group for group in self._groups.values() if group.size]
        if not topology:
            return groups
        allowed = topology.allowed([group.place for group in groups])
        return [group for group in groups if allowed[group.place]]

    def best(self) -> NodeInfo | None:
        """The node with the highest score, the first of these by name; None where no node can take the pod."""
        offsets = self._offsets
        if offsets is None:
            offsets = self._compare()
            if not self._topology:
                self._offsets = offsets  # Nothing but the groups that have nodes can change them.
        if not offsets:
            return None
        best = min([self._first(group) + offset for group, offset in offsets])
        return self._snapshot.ordered()[best % _SPAN]

    def _compare(self) -> list[tuple[Group, int]]:
        """The feasible groups, and what is added to the entries of each."""
        groups = self.feasible()
        if len(groups) < 2:
            return [(group, 0) for group in groups]
        totals = [0] * len(groups)
        for column in self.compared(groups).values():
            totals = [total + more for total, more in zip(totals, column, strict=True)]
        return [(group, -total * _SPAN) for group, total in zip(groups, totals, strict=True)]

    def compared(self, groups: Sequence[Group]) -> dict[str, list[int]]:
        """Of each plugin that compares nodes with each other, the weighted score of each group."""
        topology, weights = self._topology, self.profile.weights
        found = {taint_toleration.NAME: taint_toleration.normalised([one.tainted for one in groups])}
        if self._liked is not None:
            found[node_affinity.NAME] = node_affinity.normalised([one.liked for one in groups])
        if topology.spread.soft:
            places, sizes = [one.place for one in groups], [one.size for one in groups]
            raw = topology.spread.raw(places, sizes, [one.ignored for one in groups])
            found[pod_topology_spread.NAME] = pod_topology_spread.normalised(raw)
        if topology.affinity.preferences:
            liked = [topology.affinity.raw(one.place) for one in groups]
            found[inter_pod_affinity.NAME] = inter_pod_affinity.normalised(liked)
        return {name: [weights.get(name, 0) * one for one in column] for name, column in found.items()}

    @property
    def choices(self) -> int:
        """How many nodes can take the pod."""
        return sum(group.size for group in self.feasible())

    def takes(self, info: NodeInfo) -> bool:
        """Whether this one node can take the pod."""
        home = self._homes.get(info.rank)
        if home is None:
            return False
        return not self._topology or self._topology.refusal(home.place) is None

    def members(self) -> dict[Group, list[NodeInfo]]:
        """The nodes of each group."""
        nodes = self._snapshot.ordered()
        found: dict[Group, list[NodeInfo]] = {}
        for rank, home in self._homes.items():
            found.setdefault(home, []).append(nodes[rank])
        return found

    def refusals(self) -> Iterator[tuple[NodeInfo, Said]]:
        """Why each node that cannot take the pod cannot."""
        nodes = self._snapshot.ordered()
        if self.filters.everywhere is not None:
            yield from ((info, self.filters.everywhere) for info in nodes)
            return
        if self._refused is None:
            self._refused = self._all_refused()
        yield from self._refused.items()
        if self._topology:
            for group, members in self.members().items():
                why = self._topology.refusal(group.place)
                if why is not None:
                    said = Said(*why)
                    yield from ((info, said) for info in members)

    def _all_refused(self) -> dict[NodeInfo, Said]:
        found = {}
        for info in self._snapshot.ordered():
            if info.rank in self._homes:
                continue
            if self._named is not None and info.name not in self._named:
                found[info] = _NOT_NAMED
                continue
            why = self._refusal(info)
            if why is not None:
                found[info] = why
        return found

    def _refusal(self, info: NodeInfo) -> Said | None:
        """Why the node for itself cannot take the pod: with those that are nominated to it, and without them."""
        why = self._refusal_with_nominated(info) if info.nominated else None
        return why or self.filters.refusal(info)

    def _refusal_with_nominated(self, info: NodeInfo) -> Said | None:
        """Why the node cannot take the pod beside those that are nominated to it and no less important."""
        beside = [(pod, other) for pod, other in info.nominated.values() if other.priority >= self.asked.priority]
        if not beside:
            return None
        crowded, change = info.copy(), Counter[PodClass]()
        for pod, other in beside:
            crowded.add(pod, other)
            change[other] += 1
        return self.refusal_if(crowded, change)

    def refusal_if(self, info: NodeInfo, change: Counter[PodClass]) -> Said | None:
        """Why the node could not take the pod if it were so; `change` is what it has more or less than now."""
        why = self.filters.refusal(info)
        if why is None and self._topology:
            told = self._topology.refusal_with(info, change)
            why = Said(*told) if told is not None else None
        return why

"""Cases of the mix `namespaces`.

Kubernetes looks at a namespace that is ending only every few seconds, and its conditions tell what it saw then; here
it is looked at whenever something in it has gone. So that what is decided is compared, not when, the controller is
given its turn here at the times at which the recordings show the other one at work.
"""

from collections.abc import Sequence
from datetime import datetime

from reconciler.api.target import Target
from reconciler.api.writes import check_namespace
from reconciler.controllers import garbagecollector, namespace, serviceaccount
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.rootca import rootca
from reconciler.controllers.volumes import protection
from reconciler.store.view import View
from schemas.core.config import ConfigMap, Namespace, NamespaceSpec
from schemas.kinds import BY_NAME, KINDS
from schemas.meta import Object, ObjectMeta, Ref
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix, usual_nodes
from tests.oracles.controllers.player import VERBS, Player

_TURNS = (5.0, 10.0, 16.4, 24.4, 32.4, 40.4, 48.4)
"""Seconds after the delete, as the recordings have it: five of grace, five after its first words, then about eight."""


def paced(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.get(Namespace, "", ref.name)
    if found is None or found.metadata.deletion_timestamp is None:
        return namespace.reconcile(ref, view, now)
    since = (now - found.metadata.deletion_timestamp).total_seconds()
    later = next((turn - since for turn in _TURNS if turn > since + 0.01), None)
    if not any(abs(turn - since) <= 0.01 for turn in _TURNS):
        return Plan(requeue_after=later) if later is not None else NOTHING
    plan = namespace.reconcile(ref, view, now)
    return Plan(plan.changes, later)


def state(player: Player) -> Json:
    cache = player.world.cache
    found = cache.get(Namespace, "", NAMESPACE)
    objects = [
        f"{kind.plural}/{one.metadata.name}" + (" deleting" if one.metadata.deletion_timestamp is not None else "")
        for kind in KINDS
        if kind.namespaced and kind.name not in ("Event", "Lease")
        for one in cache.list(kind.type, NAMESPACE)
    ]
    return {
        "namespace": None if found is None else _namespace(found),
        "objects": sorted(objects),
        "rootCaKeys": [
            list(one.data) for one in cache.list(ConfigMap, NAMESPACE) if one.metadata.name.endswith(".crt")
        ],
    }


def _namespace(found: Namespace) -> Json:
    conditions = [[one.type, one.status, one.reason, one.message] for one in found.status.conditions]
    return {
        "phase": found.status.phase,
        "conditions": sorted(conditions),
        "finalizers": list(found.spec.finalizers),
    }


def setting() -> Sequence[Object]:
    return [
        *usual_nodes(),
        Namespace(metadata=ObjectMeta(name=NAMESPACE), spec=NamespaceSpec(finalizers=(namespace.FINALIZER,))),
    ]


def _create(player: Player, action: Json) -> None:
    written = action["create"]
    check_namespace(player.world.cache, Target(BY_NAME[written["kind"]], NAMESPACE), written["metadata"]["name"])
    VERBS["create"](player, action)


MIX = Mix(
    controllers=(
        garbagecollector.CONTROLLER,
        Controller("namespace", namespace.concerns, paced),
        protection.CLAIMS,
        rootca("a certificate"),
        serviceaccount.CONTROLLER,
    ),
    state=state,
    setting=setting,
    verbs={"create": _create},
)

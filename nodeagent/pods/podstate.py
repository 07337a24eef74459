"""What a worker holds of its pod, and how a pod is told from its sandbox alone."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from nodeagent.devices.allocation import NOTHING, Allocated, decoded
from nodeagent.pods.containerconfig import SIDECAR, STOP_SIGNAL, kept_pre_stop
from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.memory import PodMemory
from nodeagent.pods.node import NodeFacts
from nodeagent.pods.observed import Observed
from nodeagent.pods.resizing import with_resources
from nodeagent.pods.resources import all_containers
from nodeagent.pods.sandboxconfig import ALLOCATED, GRACE, START_TIME
from nodeagent.volumes.plan import Planned
from nodeagent.volumes.plan import config_keys as volume_config_keys
from schemas import podtokens
from schemas.core.container import Container, Lifecycle
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodStatus
from schemas.messages import RUNTIME_CLASS, Config, config_key
from schemas.meta import ObjectMeta


class PodState:
    """Changes only between two steps of the worker, which owns it."""

    def __init__(self, pod: Pod, configs: Mapping[str, Config], observed: Observed, now: datetime) -> None:
        self.pod = pod
        self.configs = configs
        self.observed = observed
        self.memory = PodMemory()
        self.status = PodStatus()
        self.volumes: dict[str, Planned] = {}
        """As they were prepared, without their content."""
        self.messages: dict[str, str] = {}
        self.hooks_run: set[str] = set()
        """Containers whose `preStop` has been begun."""
        self.start_time = _start_time(observed) or now
        self.allocated = _allocated(observed)
        """What it was given of the node when it was admitted."""

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    def facts(self, node: NodeFacts) -> PodFacts:
        sandbox = self.observed.sandbox
        return PodFacts(self.granted, node, sandbox.ips if sandbox and sandbox.ready else (), self.allocated)

    @property
    def granted(self) -> Pod:
        """The pod with the resources that it may have now: of a resize that is not granted, those of before."""
        resize = self.memory.resize
        return with_resources(self.pod, resize.kept) if resize is not None else self.pod

    def container(self, name: str) -> Container:
        return next(one for one in all_containers(self.granted) if one.name == name)


def _allocated(observed: Observed) -> Allocated:
    texts = (sandbox.annotations.get(ALLOCATED, "") for sandbox in observed.sandboxes)
    return next((decoded(text) for text in texts if text), NOTHING)


def _start_time(observed: Observed) -> datetime | None:
    for sandbox in observed.sandboxes:
        try:
            return datetime.fromisoformat(sandbox.annotations[START_TIME])
        except (KeyError, ValueError):
            continue
    return None


def config_keys(pod: Pod) -> frozenset[str]:
    """Every ConfigMap and Secret whose change concerns this pod, and its tokens."""
    namespace, spec = pod.metadata.namespace, pod.spec
    keys = volume_config_keys(pod)
    keys |= {config_key("Secret", namespace, secret.name) for secret in spec.image_pull_secrets}
    for container in all_containers(pod):
        for source in container.env_from:
            if source.config_map_ref:
                keys.add(config_key("ConfigMap", namespace, source.config_map_ref.name))
            if source.secret_ref:
                keys.add(config_key("Secret", namespace, source.secret_ref.name))
        for variable in container.env:
            value = variable.value_from
            if value and value.config_map_key_ref:
                keys.add(config_key("ConfigMap", namespace, value.config_map_key_ref.name))
            if value and value.secret_key_ref:
                keys.add(config_key("Secret", namespace, value.secret_key_ref.name))
    if spec.runtime_class_name:
        keys.add(config_key(RUNTIME_CLASS, "", spec.runtime_class_name))
    return frozenset(keys | {podtokens.key_of(pod)})


def orphan(observed: Observed) -> Pod:
    """A pod that nothing names any more, as far as its containers tell: enough to end it as it asked for."""
    sandbox = observed.sandboxes[0]
    inits, mains = [], []
    for name in observed.containers:
        instance = observed.latest(name)
        if instance is None:
            continue
        try:
            pre_stop = kept_pre_stop(instance.annotations)
        except msgspec.DecodeError:
            pre_stop = None  # written by another version: the container ends without its hook
        place = instance.annotations.get(SIDECAR, "")
        container = Container(
            name=name,
            lifecycle=Lifecycle(pre_stop=pre_stop, stop_signal=instance.annotations.get(STOP_SIGNAL, "")),
            restart_policy="Always" if place else "",
        )
        inits.append((place, container)) if place else mains.append(container)
    grace = sandbox.annotations.get(GRACE, "")
    return Pod(
        metadata=ObjectMeta(name=sandbox.name, namespace=sandbox.namespace, uid=sandbox.uid),
        spec=PodSpec(
            containers=tuple(mains),
            init_containers=tuple(container for _, container in sorted(inits, key=lambda one: int(one[0]))),
            termination_grace_period_seconds=int(grace) if grace.isdecimal() else None,
        ),
    )

"""All containers of a pod begin anew, in the sandbox and with the volumes that are there, because of how one ended.

`RestartAllContainers` of `restartPolicyRules` (KEP-5532). The container whose end asked for it is removed last: as long
as it is there all others are ended and removed, and with it the last trace of the wish goes. So nothing of it has to be
remembered, and an agent that is killed half-way goes on where it was.
"""

from nodeagent.pods.actions import RemoveContainer
from nodeagent.pods.observed import LIVE, Observed
from nodeagent.pods.plan import Plan
from nodeagent.pods.resources import is_sidecar
from nodeagent.pods.situation import MIN_GRACE, RESTART_ALL, rule_for
from nodeagent.runtime.interface import Container as Instance
from nodeagent.runtime.interface import State
from schemas.core.pod import Pod


def source(pod: Pod, observed: Observed) -> Instance | None:
    """The newest instance whose end asks for it. The success of an init container asks for nothing."""
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        if not container.restart_policy_rules:
            continue
        latest = observed.latest(container.name)
        plain_init = container in pod.spec.init_containers and not is_sidecar(pod, container)
        if latest is None or latest.state is not State.EXITED or (plain_init and latest.exit_code == 0):
            continue
        if rule_for(container, latest.exit_code) == RESTART_ALL:
            return latest
    return None


def reset(plan: Plan) -> bool:
    """True while containers of before are still there. They end without `preStop`, and quickly."""
    situation = plan.situation
    asked = source(situation.pod, situation.observed)
    if asked is None:
        return False
    others = [one for one in situation.observed.all() if one is not asked]
    for instance in others:
        if instance.state in LIVE:
            message = f"Stopping container {instance.name}: container {asked.name} asks that all restart"
            plan.stop(instance, situation.now + MIN_GRACE, message, hook=False)
        elif f"start:{instance.name}" not in situation.busy:
            plan.add(RemoveContainer(instance.name, instance.id))
    if not others and not plan.is_under_way("start:", "stop:", "remove:"):
        plan.add(RemoveContainer(asked.name, asked.id))
    return True

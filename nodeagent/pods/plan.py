"""A decision in the making."""

from nodeagent.pods.actions import Action, Decision, Failure, StopContainer
from nodeagent.pods.situation import MIN_GRACE, Situation
from nodeagent.runtime.interface import Container as Instance
from schemas.core.podstatus import ContainerStateWaiting

SOONER = 0.5
"""Seconds. A stop under way is begun again only when its grace ends by more than this earlier."""


class Plan:
    """Takes actions, and holds back what is under way or has just failed."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.actions: list[Action] = []
        self.waiting: dict[str, ContainerStateWaiting] = {}
        self._wake_at: float | None = None

    def add(self, action: Action) -> bool:
        """True when the action is taken on now."""
        if action.key in self.situation.busy:
            return False
        retry = self.situation.memory.retries.get(action.key)
        if retry and retry.at > self.situation.now:
            self.wake_at(retry.at)
            return False
        self.actions.append(action)
        return True

    def stop(self, instance: Instance, grace_ends: float, message: str, *, hook: bool = True) -> None:
        """Ends the instance by that time. One that is already being stopped is only ever hurried."""
        now = self.situation.now
        grace = max(grace_ends - now, MIN_GRACE)
        action = StopContainer(instance.name, instance.id, grace, message, now + grace, hook)
        under_way = self.situation.busy.get(action.key)
        if under_way is None:
            self.add(action)
        elif action.kill_at < under_way - SOONER:
            self.actions.append(action)

    def wake_at(self, time: float) -> None:
        """Decide again no later than this."""
        if time != float("inf") and (self._wake_at is None or time < self._wake_at):
            self._wake_at = time

    def is_under_way(self, *prefixes: str) -> bool:
        return any(key.startswith(prefixes) for key in self.situation.busy)

    def decision(self, failure: Failure | None, *, ended: bool = False, removed: bool = False) -> Decision:
        return Decision(tuple(self.actions), self._wake_at, self.waiting, failure, ended, removed)

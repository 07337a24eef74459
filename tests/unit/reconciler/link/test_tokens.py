"""The tokens of pods: made when they lack, kept while they hold, known again from the broker."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from reconciler.link.assignments import desired
from reconciler.link.tokens import CannotMint, Minted, PodTokens
from reconciler.store.cache import Cache
from reconciler.store.view import Event
from schemas.core.pod import Pod
from schemas.messages import Config, encode
from schemas.meta import Ref
from schemas.podtokens import Asked, asked
from tests.unit.reconciler.api.builders import NOW, object_of

USUAL = Asked("", 3607)
OTHER = Asked("vault", 600)


def pod(name: str = "web", *wanted: Asked, node: str = "n1", **metadata: Any) -> Pod:  # noqa: ANN401
    sources = [
        {"serviceAccountToken": {"path": f"t{index}", "audience": one.audience, "expirationSeconds": one.seconds}}
        for index, one in enumerate(wanted or (USUAL,))
    ]
    found: Pod = object_of(
        {
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"} | metadata,
            "spec": {
                "containers": [{"name": "c", "image": "x"}],
                "nodeName": node,
                "serviceAccountName": "robot",
                "volumes": [{"name": "v", "projected": {"sources": sources}}],
            },
        }
    )
    return found


def account(uid: str = "sa1") -> Any:  # noqa: ANN401
    return object_of({"kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": "shop", "uid": uid}})


class Counting:
    """Signs with numbers; each token is due after 100 s."""

    def __init__(self, view: Cache) -> None:
        self.view, self.now, self.made = view, NOW, 0
        self.broken = False

    def clock(self) -> datetime:
        return self.now

    async def mint(self, wanted: Sequence[tuple[Pod, Asked]]) -> Sequence[Minted | None]:
        await asyncio.sleep(0)
        if self.broken:
            raise CannotMint("the disk is full")
        return [self._one() for _ in wanted]

    def _one(self) -> Minted | None:
        found = self.view.find(Ref("ServiceAccount", "shop", "robot"))
        if found is None:
            return None
        self.made += 1
        due = self.now.timestamp() + 100
        return Minted(f"{self.made}/{found.metadata.uid}/{due}".encode(), found.metadata.uid, due)

    def read(self, uid: str, text: bytes) -> Minted | None:
        number, account, due = text.decode().split("/")
        return Minted(text, account, float(due)) if number != "forged" else None


def made(*objects: Any) -> tuple[Cache, Counting, PodTokens, list[str]]:  # noqa: ANN401
    view = Cache()
    view.load(objects)
    minter, touched = Counting(view), list[str]()
    return view, minter, PodTokens(view, minter, minter.clock, touched.append), touched


async def test_a_pod_gets_what_it_asks_for_once() -> None:
    view, minter, tokens, _ = made(account(), one := pod("web", USUAL, OTHER, USUAL))
    await tokens.provide(["n1"])
    await tokens.provide(["n1"])
    config = tokens.config(one)
    assert config is not None
    assert (minter.made, sorted(config.data)) == (2, sorted(asked.key for asked in (USUAL, OTHER)))
    assert desired("n1", view, tokens.config).configs == {"token/shop/uid-web": config}
    assert asked(one) == (USUAL, OTHER)


async def test_pods_that_came_meanwhile_are_provided_for_too() -> None:
    view, _, tokens, _ = made(account(), pod())
    late = pod("late")
    task = asyncio.create_task(tokens.provide(["n1"]))
    await asyncio.sleep(0)
    view.push(view.revision + 1, [(Ref("Pod", "shop", "late"), late)], 1, 0.0)
    await task
    assert tokens.config(late) is not None


async def test_what_is_due_is_made_anew_and_nothing_else() -> None:
    _, minter, tokens, touched = made(account(), one := pod())
    await tokens.provide(["n1"])
    first = tokens.config(one)
    minter.now += timedelta(seconds=99)
    tokens._look()
    await tokens.provide(["n1"])
    assert (touched, tokens.config(one)) == ([], first)
    minter.now += timedelta(seconds=2)
    tokens._look()
    await tokens.provide(["n1"])
    assert touched == ["n1"]
    assert tokens.config(one) != first
    tokens.stop()


async def test_what_the_broker_retains_is_taken_up_unless_it_is_forged() -> None:
    _, minter, tokens, _ = made(account(), one := pod())
    kept = Config("Token", "shop", "uid-web", {USUAL.key: f"7/sa1/{NOW.timestamp() + 50}".encode()})
    tokens.learn(encode(kept))
    await tokens.provide(["n1"])
    assert (tokens.config(one), minter.made) == (kept, 0)
    forged = Config("Token", "shop", "uid-other", {USUAL.key: b"forged/sa1/9"})
    tokens.learn(encode(forged))
    tokens.learn(b"rubbish")
    assert tokens.config(pod("other")) is None
    tokens.stop()


async def test_an_account_that_is_another_makes_others_and_one_that_is_gone_leaves_what_is_there() -> None:
    view, minter, tokens, _ = made(account(), one := pod())
    await tokens.provide(["n1"])
    first = tokens.config(one)
    at = Ref("ServiceAccount", "shop", "robot")
    view.push(view.revision + 1, [(at, None)], 1, 0.0)
    await tokens.provide(["n1"])
    assert tokens.config(one) == first
    view.push(view.revision + 1, [(at, account("sa2"))], 1, 0.0)
    await tokens.provide(["n1"])
    assert (minter.made, tokens.config(one) != first) == (2, True)
    tokens.stop()


async def test_a_pod_without_an_account_is_not_waited_for() -> None:
    _, _, tokens, _ = made(one := pod())
    await tokens.provide(["n1"])
    assert tokens.config(one) is None


async def test_where_nothing_can_be_signed_nobody_is_held_up() -> None:
    _, minter, tokens, _ = made(account(), one := pod())
    minter.broken = True
    await tokens.provide(["n1"])
    assert tokens.config(one) is None
    minter.broken = False
    await tokens.provide(["n1"])
    assert tokens.config(one) is not None
    tokens.stop()


async def test_a_token_goes_with_its_pod() -> None:
    _, _, tokens, _ = made(account(), one := pod())
    await tokens.provide(["n1"])
    tokens.events([Event(9, one, None)])
    assert tokens.config(one) is None
    tokens.stop()

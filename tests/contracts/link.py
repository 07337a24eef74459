"""The link between reconciler and agents, over any broker. Whoever imports these tests gives the fixture `broker`."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from nodeagent.config import Config
from nodeagent.network.feed import Feed
from reconciler.link.link import Link, Settings
from reconciler.store.changes import Create, Delete
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.configuration import BrokerAddress
from schemas.core.config import ConfigMap, Secret
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition, NodeStatus
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from schemas.messages import Assignment, Digest, NodeEvent, PodReport, decode, encode
from schemas.meta import ObjectMeta, Ref
from tests.contracts.daemons import (
    CLUSTER,
    TOPICS,
    Agent,
    Broker,
    agent_link,
    client,
    now,
    phase,
    pod,
    ready,
    reconciler,
    retained,
    set_image,
    until,
    until_retained,
)


async def test_a_pod_goes_out_and_its_status_comes_back(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": "v"}))])
        await cluster.apply([Create(pod("web", config="c"))])
        await until(lambda: phase(cluster, "web") == "Running")
        assert agent.link.accepted.configs["configmap/default/c"].data == {"k": b"v"}
        await until(lambda: link.statistics().unacknowledged == 0)


async def test_what_did_not_change_is_not_published(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running():
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running" and link.statistics().unacknowledged == 0)
        before = link.statistics().published, cluster.store.revision
        await cluster.apply([Create(Secret(metadata=ObjectMeta(name="other", namespace="default")))])
        await retained(broker)
        assert (link.statistics().published, cluster.store.revision) == (before[0], before[1] + 1)


async def test_a_deleted_pod_leaves_nothing_behind(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running")
        await cluster.apply([Delete(Ref("Pod", "default", "web"))])
        await until(lambda: phase(cluster, "web") == "gone")
        await until(lambda: not agent.link.accepted.pods and link.statistics().unacknowledged == 0)
        await until_retained(broker, lambda found: set(found) == {"desired", "online", "status"})


async def test_the_node_is_known_to_be_gone_when_its_agent_dies(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _):
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")
        await until(lambda: ready(cluster) == "Unknown")
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")


async def test_a_node_that_is_never_heard_of_is_not_ready_after_the_grace(broker: Broker, tmp_path: Path) -> None:
    condition = NodeCondition(type="Ready", status="True")
    node = Node(metadata=ObjectMeta(name="n1"), status=NodeStatus(conditions=(condition,)))
    async with reconciler(broker, tmp_path / "r", grace=0.2) as (cluster, _):
        await cluster.apply([Create(node)])
        await until(lambda: ready(cluster) == "Unknown")


async def test_a_late_will_of_an_older_connection_is_set_right(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running():
        await until(lambda: ready(cluster) == "True")
        seen: list[str] = []
        cluster.cache.subscribe(lambda _: seen.append(ready(cluster)))
        async with client(broker) as other:
            await other.publish(TOPICS.online, b"0", qos=1, retain=True)
        await until(lambda: "Unknown" in seen and ready(cluster) == "True")
        await until_retained(broker, lambda found: found["online"] == b"1")


async def test_a_broker_that_forgot_everything_is_told_again(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running" and link.statistics().unacknowledged == 0)
        before = await retained(broker)
        await broker.kill()
        await until(lambda: not link.statistics().connected and not agent.link.connected)
        assert ready(cluster) == "True"  # without a link of its own, the reconciler judges nobody
        accepted = agent.link.accepted
        await broker.start()
        await until(lambda: link.statistics().connected and agent.link.connected)
        await until_retained(broker, lambda found: set(found) == set(before))
        assert agent.link.accepted.pods == accepted.pods


async def test_a_fenced_pod_has_a_lease_while_the_reconciler_hears_of_its_node_or_the_broker_knows_of_none(
    broker: Broker, tmp_path: Path
) -> None:
    fenced = {"wherry.dev/on-node-loss": "fence", "wherry.dev/lease-seconds": "4"}
    words: list[float] = []
    async with Agent(broker, tmp_path / "a").running() as agent:
        agent.lease.regained = lambda: words.append(agent.lease.clock())
        async with reconciler(broker, tmp_path / "r") as (cluster, link):
            await until(lambda: ready(cluster) == "True")
            await cluster.apply([Create(pod("free"))])
            await until(lambda: phase(cluster, "free") == "Running")
            assert words == []
            made = pod("web")
            await cluster.apply([Create(replace(made, metadata=replace(made.metadata, annotations=fenced)))])
            await until(lambda: len(words) >= 3)
            assert agent.lease.left_of(4) > 0
            assert link.leases.silence("n1").seconds < 4
        known = len(words)
        await until(lambda: len(words) >= known + 5)
        assert words[-1] - words[known] > 4
        assert max(after - before for before, after in pairwise(words)) < 4
        await broker.kill()
        await until(lambda: agent.lease.left_of(4) == 0)


async def test_edits_made_without_a_broker_arrive_when_it_is_back(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})
        await broker.kill()
        await set_image(cluster, "web", "app:2")
        await cluster.apply([Create(pod("more"))])
        agent.link.event(NodeEvent(type="Normal", reason="R", message="m", first=now(), last=now()))
        await broker.start()
        await until(lambda: agent.images() == {"web": "app:2", "more": "app:1"})
        await until(lambda: phase(cluster, "more") == "Running")
        await until(lambda: any(event.reason == "R" for event in cluster.cache.list(Event)))


async def test_the_node_starts_from_its_checkpoint_without_a_broker(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})
    await broker.kill()
    assert Agent(broker, tmp_path / "a").images() == {"web": "app:1"}


async def test_reports_of_an_earlier_life_are_cleared(broker: Broker, tmp_path: Path) -> None:
    report = PodReport(epoch=1, generation=1, namespace="default", name="old", status=PodStatus(phase="Running"))
    async with client(broker) as other:
        await other.publish(TOPICS.pod_status("gone"), encode(report), qos=1, retain=True)
    async with Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: agent.link.connected)
        await until_retained(broker, lambda found: "status/pods/gone" not in found)


async def test_bodies_that_no_digest_names_are_cleared_and_not_run(broker: Broker, tmp_path: Path) -> None:
    metadata = ObjectMeta(name="stale", namespace="default", uid="u0")
    assignment = Assignment(Pod(metadata=metadata, spec=pod("stale").spec))
    async with client(broker) as other:
        await other.publish(TOPICS.desired_pod("u0"), encode(assignment), qos=1, retain=True)
        await other.publish(TOPICS.desired_config("secret/default/s"), b"{}", qos=1, retain=True)
    async with Agent(broker, tmp_path / "a").running() as agent, reconciler(broker, tmp_path / "r") as (cluster, _):
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})
        stale = {"desired/pods/u0", "desired/config/secret/default/s"}
        await until_retained(broker, lambda found: not stale & set(found))
        assert all("u0" not in accepted.pods for accepted in agent.seen)


async def test_another_life_of_the_store_takes_over_and_the_old_one_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with Agent(broker, tmp_path / "a").running() as agent:
        async with reconciler(broker, tmp_path / "r1") as (cluster, _):
            await until(lambda: ready(cluster) == "True")
            await cluster.apply([Create(pod("first"))])
            await until(lambda: agent.images() == {"first": "app:1"})
            old = agent.link.accepted.digest
        async with reconciler(broker, tmp_path / "r2") as (cluster, _):
            await cluster.apply([Create(pod("second"))])
            await until(lambda: agent.images() == {"second": "app:1"})
            async with client(broker) as other:
                late = Digest(old.store, old.revision + 1000, old.pods)
                await other.publish(TOPICS.desired, encode(late), qos=1)
            await set_image(cluster, "second", "app:2")
            await until(lambda: agent.images() == {"second": "app:2"})


async def test_a_node_that_does_not_acknowledge_is_told_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.link.outbound.RESEND_SECONDS", 0.1)
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        agent.link._desired_said = lambda *_: None  # type: ignore[method-assign]  # every message is lost
        await cluster.apply([Create(pod("web"))])
        await until(lambda: link.statistics().resends >= 2)
        del agent.link._desired_said
        await until(lambda: agent.images() == {"web": "app:1"} and link.statistics().unacknowledged == 0)


async def test_what_is_no_message_is_counted_and_dropped(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        async with client(broker) as other:
            for rest in ("status", "status/pods/u", "online", "events", "metrics", "desired", "desired/pods/u"):
                await other.publish(f"{TOPICS.root}/{rest}", b"{nonsense", qos=1)
        await until(lambda: link.statistics().malformed >= 5)
        await cluster.apply([Create(pod("web"))])
        await until(lambda: agent.images() == {"web": "app:1"})


async def test_many_edits_in_quick_succession_end_at_the_last(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod(f"p{index}")) for index in range(5)])
        for edit in range(20):
            for index in range(5):
                await set_image(cluster, f"p{index}", f"app:{edit}")
        await until(lambda: agent.images() == {f"p{index}": "app:19" for index in range(5)})
        await until(lambda: link.statistics().unacknowledged == 0)
        revisions = [accepted.digest.revision for accepted in agent.seen]
        assert revisions == sorted(set(revisions))


async def test_a_deleted_node_that_is_away_does_not_come_back_by_its_last_words(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _):
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")
        await until(lambda: ready(cluster) == "Unknown")
        await cluster.apply([Delete(Ref("Node", "", "n1"))])
        await until_retained(broker, lambda found: not found)
        async with Agent(broker, tmp_path / "a").running():
            await until(lambda: ready(cluster) == "True")


async def test_large_payloads_go_through(broker: Broker, tmp_path: Path) -> None:
    blob = "x" * 900_000
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply([Create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": blob}))])
        await cluster.apply([Create(pod("web", config="c"))])
        await until(lambda: "configmap/default/c" in agent.link.accepted.configs)
        assert decode(encode(agent.link.accepted.digest), Digest) == agent.link.accepted.digest


async def test_reports_of_an_older_life_of_the_agent_are_ignored(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, _), Agent(broker, tmp_path / "a").running() as agent:
        await cluster.apply([Create(pod("web"))])
        await until(lambda: phase(cluster, "web") == "Running")
        uid, report = next(iter(agent.link.reports.items()))
        async with client(broker) as other:
            for epoch, said in ((1, "Failed"), (report.epoch, "Unknown")):
                changed = replace(report, epoch=epoch, status=PodStatus(phase=said))
                await other.publish(TOPICS.pod_status(uid), encode(changed), qos=1)
        seen = [phase(cluster, "web")]
        cluster.cache.subscribe(lambda _: seen.append(phase(cluster, "web")))
        await until(lambda: phase(cluster, "web") == "Unknown")
        assert "Failed" not in seen


async def test_the_report_of_a_pod_that_nobody_knows_waits_a_while_and_is_cleared(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.link.inbox.ORPHAN_SECONDS", 0.3)
    report = PodReport(epoch=1, generation=1, namespace="default", name="web", status=PodStatus(phase="Running"))
    async with client(broker) as other:
        await other.publish(TOPICS.pod_status("u0"), encode(report), qos=1, retain=True)
    async with reconciler(broker, tmp_path / "r"):
        await until_retained(broker, lambda found: "status/pods/u0" not in found)


async def test_two_changes_to_one_object_at_once_are_both_made(broker: Broker, tmp_path: Path) -> None:
    async with reconciler(broker, tmp_path / "r") as (cluster, link), Agent(broker, tmp_path / "a").running() as agent:
        await until(lambda: ready(cluster) == "True")
        await cluster.apply([Create(pod(f"p{index}")) for index in range(20)])
        async with asyncio.timeout(15):
            while any(phase(cluster, f"p{index}") != "Running" for index in range(20)):
                await set_image(cluster, "p0", f"app:{cluster.store.revision}")
        await until(lambda: link.statistics().unacknowledged == 0)
        assert len(agent.images()) == 20
        assert link.statistics().refused == 0


async def test_a_password_that_the_broker_refuses_is_said_on_both_sides(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = BrokerAddress(url=f"mqtt://{broker.username}:wrong@127.0.0.1:{broker.port}")
    cluster = await Cluster.open(await SqliteStore.open(tmp_path / "store.db"), clock=now)
    config = Config(broker=wrong, cluster=CLUSTER, node="n1", data=tmp_path)
    agent = agent_link(config, tmp_path / "a", Feed(tmp_path, lambda _: None))
    links = [Link(cluster, Settings(broker=wrong, cluster=CLUSTER), clock=now).run(), agent.run(lambda _: None)]
    running = [asyncio.create_task(link) for link in links]
    said = "refuses user name or password: check broker.username and broker.passwordFile"
    try:
        await until(
            lambda: (
                {one.name for one in caplog.records if said in one.message}
                == {"reconciler.link.link", "nodeagent.link"}
            )
        )
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await cluster.close()
    assert "wrong@" not in caplog.text

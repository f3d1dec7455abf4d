"""kill -9 on a Ray cluster of four nodes: workers, raylets, drivers, and once the head."""

import contextlib
import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from batch_chaos.cases import Case, Finding
from batch_chaos.processes import children, count_shards, finish, kill, wait_for_shard

from batch_drivers import start_driver

CLAIM = "the tables of an uninterrupted run"
NODES = 3  # beside the head, which has no CPU for actors
HEAD_AT = 10  # before this kill, the whole cluster is lost
TARGETS = ("worker", "worker", "raylet", "driver")


class RayNodes:
    """A cluster on this machine whose processes can be killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415

        options = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100 * 2**20}
        self.cluster: Any = Cluster(initialize_head=True, head_node_args=options)
        for _ in range(NODES):
            self.add()

    @property
    def address(self) -> str:
        return self.cluster.address

    def add(self) -> None:
        self.cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20)

    def actors(self) -> list[int]:
        """Processes of our actors, which are children of the raylets."""
        found = []
        for node in self.cluster.worker_nodes:
            for process in node.all_processes.get("raylet", []):
                for child in children(process.process.pid):
                    with contextlib.suppress(OSError):
                        if b"ShardActor" in Path(f"/proc/{child}/cmdline").read_bytes():
                            found.append(child)
        return found

    def kill_raylet(self, rng: random.Random) -> None:
        """Kill one node's raylet, and add another node."""
        node = rng.choice(sorted(self.cluster.worker_nodes, key=lambda node: node.node_id))
        self.cluster.remove_node(node, allow_graceful=False)
        self.add()

    def kill_all(self) -> None:
        """Kill the head with its store of state, and all nodes."""
        for node in (*self.cluster.worker_nodes, self.cluster.head_node):
            node.kill_all_processes(check_alive=False, allow_graceful=False)

    def end(self) -> None:
        with contextlib.suppress(Exception):
            self.cluster.shutdown()


def kill_on_ray(case: Case, seed: int, times: int = 22) -> Finding:
    """Kill what a job on a cluster consists of, and resume it each time."""
    try:
        import ray  # noqa: F401, PLC0415
    except ImportError:
        return Finding("kill -9 on Ray", 0, CLAIM, None, detail={"skipped": "Ray isn't installed"})
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    rng, kills = random.Random(seed), Counter()
    archive = case.open(f"ray-{seed}")
    nodes, driver, lost = RayNodes(), None, False
    try:
        while kills.total() < times and archive.missing():
            if driver is None or driver.poll() is not None:
                driver = start_driver(archive.folder, "ray", NODES, address=nodes.address)
            if not wait_for_shard(archive, driver, count_shards(archive)):
                _end(driver)
                continue
            if kills.total() >= HEAD_AT and not lost:
                lost = True
                nodes.kill_all()
                kills["head and all nodes"] += 1
                _end(driver)
                nodes.end()
                nodes = RayNodes()
                continue
            time.sleep(rng.uniform(0, 0.1))
            kills[_kill_one(rng, nodes, driver)] += 1
        if driver is not None:
            _end(driver)
        kills.pop("nothing", None)
        code, errors = finish(start_driver(archive.folder, "ray", NODES, address=nodes.address))
    finally:
        nodes.end()
    holds = code == 0 and case.is_whole(archive, on_ray=True)
    detail = {**kills, "errors": errors[-300:]} if errors else dict(kills)
    return Finding(f"kill -9 on Ray, seed {seed}", kills.total(), CLAIM, holds, detail=detail)


def _kill_one(rng: random.Random, nodes: RayNodes, driver: subprocess.Popen) -> str:
    target = rng.choice(TARGETS)
    if target == "worker":
        actors = nodes.actors()
        return "workers" if actors and kill(rng.choice(actors)) else "nothing"
    if target == "raylet":
        nodes.kill_raylet(rng)
        return "raylets"
    _end(driver)
    return "drivers"


def _end(driver: subprocess.Popen) -> None:
    kill(driver.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        driver.communicate(timeout=60)

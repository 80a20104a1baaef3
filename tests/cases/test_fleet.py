# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three clusters of one kubeconfig inventory, in batches, the second of which fails."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import yaml

from tests.lab import fleet, samples
from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .seen import labels, limit_pods, proxies
from .tool import Ran, Tool, variables

ENABLED = {"istio-injection": "enabled"}


@dataclass(frozen=True)
class Fleet:
    """Each cluster with one namespace to move, by the host that the inventory makes of its context."""

    tool: Tool
    clusters: dict[str, tuple[Cluster, str]]
    revision: str

    def play(self, playbook: str, *batches: int) -> Ran:
        arguments = ["-i", "contexts.yml", "-e", json.dumps({"mesh_cluster_batches": batches})]
        return self.tool.run(["ansible-playbook", *arguments, f"meshops.istio.{playbook}"])

    def status(self) -> dict[str, str]:
        text = self.play("status", 1).succeeded().text
        return {host: text.partition(f"cluster {host} ")[2].partition("\ncluster ")[0] for host in self.clusters}

    def moved(self) -> list[bool]:
        return [proxies(cluster, [name]) == {self.revision} for cluster, name in self.clusters.values()]


@pytest.fixture
def three(lab: Cluster, other_lab: Cluster, third_lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> Fleet:
    """In the order of the kubeconfigs. The second has no room for a new pod, which a quota says."""
    labs = (lab, other_lab, third_lab)
    clusters = {f"kwok-{one.name}": (one, namespaces(ENABLED, [samples.deployment("api")], on=one)) for one in labs}
    fleet.contexts(tool.folder, labs)
    for folder in ("group_vars", "host_vars"):
        (tool.folder / folder).mkdir()
    asked = variables(revision, "1.30.3", grace_time=1)
    (tool.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(asked))
    for host, (_cluster, name) in clusters.items():
        (tool.folder / "host_vars" / f"{host}.yml").write_text(yaml.safe_dump({"mesh_waves": [[name]]}))
    second, name = list(clusters.values())[1]
    limit_pods(second, name, 1)
    return Fleet(tool, clusters, revision)


def test_a_failed_cluster_stands_paused_and_the_next_batch_is_not_touched(three: Fleet) -> None:
    (_first, _one), (second, name), (third, _three) = three.clusters.values()
    _host, failed, untouched = three.clusters
    stopped = three.play("canary_upgrade", 1, 1, 1)
    assert stopped.code != 0
    assert f"The upgrade of {failed} is paused" in stopped.text, stopped.text
    assert three.moved() == [True, False, False]
    assert three.tool.writes(third) == []

    statuses = three.status()
    status = statuses[failed]
    assert f"upgrade to {three.revision}: paused, wave 0 of 1 done" in status
    assert 'paused at "Stop before anything restarts in wave 1"' in status
    assert "exceeded quota" in status
    assert "do:    mend it and run meshops.istio.canary_upgrade again" in status
    assert "no upgrade on record" in statuses[untouched]

    _finishes(three, second, name)
    assert f"upgrade to {three.revision}: done" in three.status()[failed]


def test_the_batch_mate_of_a_failed_cluster_stops_before_its_next_wave(three: Fleet, namespaces: Namespaces) -> None:
    """Both are in their first wave when one fails. The other ends that wave, which is a place to stand, and begins no further one."""
    (_first, _one), (second, name), (third, mates) = three.clusters.values()
    _host, failed, mate = three.clusters
    later = namespaces(ENABLED, [samples.deployment("api")], on=third)
    of_mate = {"mesh_waves": [[mates], [later]], "mesh_on_failure": "rollback"}  # which is about a failure of its own
    (three.tool.folder / "host_vars" / f"{mate}.yml").write_text(yaml.safe_dump(of_mate))
    before = labels(third, [later])
    stopped = three.play("canary_upgrade", 1, 2)
    assert stopped.code != 0
    assert all(f"The upgrade of {host} is paused" in stopped.text for host in (failed, mate)), stopped.text
    assert (three.moved(), labels(third, [later])) == ([True, False, True], before)
    moving = stopped.text.rpartition("TASK [meshops.istio.mesh : Move the namespaces of wave 1]")[2].partition("TASK [")[0]
    assert all(f"changed: [{host}]" in moving for host in (failed, mate)), "beside each other, not one after the other"

    status = three.status()
    assert "exceeded quota" in status[failed]
    assert f"upgrade to {three.revision}: paused, wave 1 of 2 done" in status[mate]
    assert f"why:   Another cluster of this batch has failed.\n             where: {failed}" in status[mate]

    _finishes(three, second, name)
    assert (proxies(third, [later]), set(three.tool.restarts(third).values())) == ({three.revision}, {1})


def _finishes(three: Fleet, second: Cluster, name: str) -> None:
    second.api.delete(f"/api/v1/namespaces/{name}/resourcequotas/tight")
    three.play("canary_upgrade", 1, 2).succeeded()
    assert three.moved() == [True, True, True]

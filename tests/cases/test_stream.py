# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stream of pods, by which other tests show that nobody was harmed, sees who was."""

from __future__ import annotations

from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .seen import limit_pods
from .stream import Stream


def test_a_stream_sees_pods_without_a_sidecar_and_refused_ones(lab: Cluster, namespaces: Namespaces) -> None:
    moved, full = namespaces({"istio-injection": "enabled"}), namespaces({"istio-injection": "enabled"})
    with Stream(lab, moved, full) as pods:
        pods.wait("default")
        assert pods.harmed == []
        lab.api.patch(f"/api/v1/namespaces/{moved}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": "1-30-3"}}})
        limit_pods(lab, full, 0)
        pods.wait("1-30-3", moved)
        assert pods.last(moved) == "1-30-3"
        lab.api.patch(f"/api/v1/namespaces/{moved}", {"metadata": {"labels": {"istio.io/rev": "nosuch"}}})
        pods.wait(None)
    assert pods.revisions(moved) == {"default", "1-30-3", None}
    assert {answer.namespace for answer in pods.harmed} == {moved, full}
    assert any("exceeded quota" in answer.refused for answer in pods.harmed)

# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No control plane goes while the one that takes over does not stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.successor import check_stands

from .meshes import NEW, mesh, plane, tag

READY = replace(expected_injector(NEW), ready=True)
MESH = mesh((), injectors=(READY, tag("prod", NEW)))


def _with(injector: Injector) -> Snapshot:
    return replace(MESH, injectors=(injector,))


STANDING: dict[str, tuple[Snapshot, str]] = {
    "it is ready in every part": (MESH, ""),
    "by a url, whose endpoints nobody can see": (_with(replace(READY, ready=None, service=None, url="https://istiod.example.com")), ""),
    "it was never there": (mesh(()), "not there yet"),
    "its Deployment has no pod": (replace(MESH, control_planes=(plane(NEW, "1.30.3", 0),)), "0 of 1 replicas"),
    "its Service has no endpoint": (_with(replace(READY, ready=False)), "no ready endpoint"),
    "its injector is gone": (replace(MESH, injectors=()), "no MutatingWebhookConfiguration of it"),
    "its injector has no caBundle": (
        _with(replace(READY, entries=tuple(replace(entry, has_ca=False) for entry in READY.entries))),
        "has no caBundle",
    ),
}


@pytest.mark.parametrize(("snapshot", "says"), STANDING.values(), ids=STANDING)
def test_the_one_that_takes_over_must_stand(snapshot: Snapshot, says: str) -> None:
    try:
        check_stands(snapshot, NEW)
    except MeshError as problem:
        assert says and says in problem.text()
    else:
        assert not says, "the old one would go, and nothing would serve the mesh"

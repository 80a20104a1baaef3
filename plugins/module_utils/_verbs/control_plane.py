# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A revisioned control plane, present or absent, as a Helm release of its own."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.control_planes import (
    deployment_of,
    endpoints_of,
    follow,
    injectors,
    pods_of,
)
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import check_unused
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import control_plane_ready
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Helm, check
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import (
    ISTIO_NAMESPACE,
    WAIT_TIMEOUT,
    Context,
    Difference,
    Result,
    Verb,
)
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import wait_until

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "provider": {"type": "str", "choices": ["helm"], "default": "helm"},
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    "chart": {"type": "str"},
    "values": {"type": "dict", "default": {}},
    "helm": {"type": "str", "default": "helm"},
    "istio_namespace": ISTIO_NAMESPACE,
    "wait_timeout": WAIT_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Options:
    absent: bool
    revision: str
    version: str | None
    chart: str
    values: Mapping[str, t.Any]
    helm: Helm
    istio_namespace: str
    timeout: int

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        check_revision(params["revision"])
        absent = params["state"] == "absent"
        if not absent:
            if not params["chart"]:
                raise MeshError(
                    "chart is needed.", where="provider helm", do="give the istiod chart, as a path or as a name that helm takes"
                )
            check(params["helm"], params["chart"])
        if not isinstance(params["kubeconfig"], str):
            raise MeshError("helm needs a kubeconfig file.", why="the cluster is given in another way", do="set kubeconfig to a path")
        helm = Helm(params["helm"], params["kubeconfig"], params["context"], params["istio_namespace"])
        return cls(
            absent,
            params["revision"],
            params["version"],
            params["chart"] or "",
            params["values"],
            helm,
            params["istio_namespace"],
            params["wait_timeout"],
        )

    @property
    def release(self) -> str:
        return f"istiod-{self.revision}"

    def wanted(self) -> dict[str, t.Any]:
        """The user's values, with what the revision itself says; the official chart's names."""
        given = dict(self.values)
        shared = {
            "istioNamespace": self.istio_namespace,
            **({"tag": self.version} if self.version else {}),
            **(given.pop("global", None) or {}),
        }
        return {**given, "revision": self.revision, "global": shared}


def run(options: Options, context: Context) -> Result:
    return _absent(options, context) if options.absent else _present(options, context)


def _present(options: Options, context: Context) -> Result:
    wanted = options.wanted()
    found = options.helm.release(options.release)
    rendered = options.helm.manifest(options.release, options.chart, wanted)
    same = found is not None and found.status == "deployed" and found.manifest.strip() == rendered.strip() and found.values == wanted
    if not same and not context.check_mode:
        context.say(f"control plane {options.revision}: helm installs {options.release}")
        options.helm.apply(options.release, options.chart, wanted)
    if not context.check_mode:
        _wait(options, context)
    before = dict(found.values) if found else None
    return Result(
        msg=f"control plane {options.revision} is {'as it was' if same else 'there'}",
        differences=() if same else (Difference(f"release/{options.release}", before, wanted),),
        facts={"revision": options.revision},
        predicted=context.check_mode,
    )


def _wait(options: Options, context: Context) -> None:
    with follow(context.cluster, options.istio_namespace) as now:

        def step() -> Progress:
            deployment = deployment_of(now, options.revision)
            service = f"istiod-{options.revision}"
            return control_plane_ready(options.revision, deployment, pods_of(now, deployment), injectors(now), endpoints_of(now, service))

        wait_until(f"control plane {options.revision}", now, step, context, options.timeout)


def _absent(options: Options, context: Context) -> Result:
    found = options.helm.release(options.release)
    if found is None:
        return Result(msg=f"control plane {options.revision} is not there", facts={"revision": options.revision})
    check_unused(take(context.cluster), options.revision)
    if not context.check_mode:
        options.helm.uninstall(options.release)
    return Result(
        msg=f"control plane {options.revision} is removed",
        differences=(Difference(f"release/{options.release}", dict(found.values), None),),
        facts={"revision": options.revision},
        predicted=context.check_mode,
    )


VERB = Verb("control_plane", SPEC, Options.of, run)

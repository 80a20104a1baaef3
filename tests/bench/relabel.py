# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""1,000 namespaces relabelled: one task with its checks, its preconditions and its way back, against ``kubectl label``."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from ansible_collections.meshops.istio.plugins.module_utils._verbs.namespace_injection import VERB
from tests.bench import verbs
from tests.bench.figures import Figures, timed
from tests.lab import samples
from tests.lab.build import binaries
from tests.lab.cluster import Cluster
from tests.lab.fleet import REVISION

NAMESPACES, TURNS = 1000, 3
OURS = {"bench": "relabel"}


def measure(lab: Cluster) -> Figures:
    """There and back with each, in turns. kubectl gets a selector: with names its client keeps to 5 requests a second."""
    names = [f"bench-{number:04}" for number in range(NAMESPACES)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: lab.api.post("/api/v1/namespaces", samples.namespace(name, {**samples.INJECTED, **OURS})), names))
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _turn in range(TURNS):
        seconds["ours"].append(timed(lambda: _ours(lab, names)))
        _ours(lab, names, state="restored")
        seconds["theirs"].append(timed(lambda: _theirs(lab, f"istio.io/rev={REVISION}", "istio-injection-")))
        _theirs(lab, "istio.io/rev-", "istio-injection=enabled")
    ours, theirs = median(seconds["ours"]), median(seconds["theirs"])
    return Figures(
        f"{NAMESPACES:,} namespaces relabelled",
        (
            ("namespace_injection, one task", f"{ours:.2f} s", ""),
            ("kubectl label by a selector, one call", f"{theirs:.2f} s", ""),
            ("ratio", f"{ours / theirs:.2f}", "at most 1.5"),
        ),
    )


def _ours(lab: Cluster, names: list[str], **more: object) -> None:
    options = {"kubeconfig": str(lab.kubeconfig), "namespaces": names, "revision": REVISION, **more}
    result = verbs.done(VERB, options)
    if len(result["moved"]) != len(names):
        raise SystemExit(f"not all namespaces moved: {result['msg']}")


def _theirs(lab: Cluster, *labels: str) -> None:
    selector = ",".join("=".join(one) for one in OURS.items())
    command = [str(binaries() / "kubectl"), "label", "namespace", "--selector", selector, *labels, "--overwrite"]
    subprocess.run(command, env=lab.environment(), stdout=subprocess.DEVNULL, check=True)

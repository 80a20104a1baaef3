# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has written a field of an object, and who of them sets it back. Pure.

Source: Kubernetes documentation, "Server-Side Apply" (field management); what each program does of itself: its own documentation
(Flux kustomize-controller, "drift correction"; Argo CD, "Automated Sync Policy"; Helm 3, "three-way merge"; Terraform, "ignore_changes").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Holder:
    """A field manager that an object's managedFields name for a field."""

    manager: str
    applied: bool
    """By server-side apply: it sets the field to its own value whenever it applies again."""


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds which field of an object, as far as these are ours to change."""

    by: Mapping[str, tuple[Holder, ...]] = field(default_factory=dict)
    source: str = ""
    """Where it comes from, as its own marks tell: ``application shop``, ``Kustomization apps``, ``release api``."""
    applied: frozenset[str] = frozenset()
    """The fields that stand in the annotation of ``kubectl apply``."""
    left_alone: bool = False
    """It is marked so that Flux does not set it back."""
    owner: str = ""
    """The object that has made it: ``VMAgent/main``."""


NOBODY = Held()


@dataclass(frozen=True, slots=True)
class Keeper:
    """A program that brings objects back to what is written elsewhere."""

    name: str
    when: str
    """When it would set back what was changed."""
    until: str
    """How it is told to wait; ``{source}`` is filled in."""
    always: bool = False
    """It does that by itself whatever it is configured to, where the object does not say otherwise."""
    trims: bool = False
    """It takes away annotations that it does not know."""


_WAIT = "until then do not run it for this"
_KEEPERS = (
    (
        ("kustomize-controller",),
        Keeper(
            "Flux",
            "at its next reconciliation, within minutes",
            "until then: kubectl annotate namespace NAME kustomize.toolkit.fluxcd.io/reconcile=disabled "
            "(whether its Kustomization is suspended is not looked up)",
            always=True,
        ),
    ),
    (
        ("helm-controller",),
        Keeper(
            "Flux's helm-controller", "when its release changes, or at once with drift detection", "until then: flux suspend helmrelease"
        ),
    ),
    (
        ("argocd",),
        Keeper(
            "Argo CD",
            "with its next sync, which comes at once with selfHeal",
            "until then have {source} ignore that label (ignoreDifferences with RespectIgnoreDifferences), or switch automated sync off",
        ),
    ),
    (("helm",), Keeper("Helm", "with the next helm upgrade of {source}", _WAIT)),
    (("terraform", "hashicorp"), Keeper("Terraform", "with its next apply", "until then: lifecycle ignore_changes for it", trims=True)),
    (("pulumi",), Keeper("Pulumi", "with its next update", _WAIT)),
    (("configsync",), Keeper("Config Sync", "at once", "until then: annotation configmanagement.gke.io/managed: disabled", always=True)),
    (("fleetagent",), Keeper("Rancher Fleet", "when it corrects drift", "until then: fleet's diff.comparePatches for it")),
    (("kapp",), Keeper("kapp", "with its next deploy", "until then: a rebaseRule for that label")),
)
"""By how their manager's name begins, in lower case."""

_PEOPLE = (
    *("meshops", "kubectl", "before-first-apply", "istioctl", "k9s", "lens", "openlens", "headlamp", "dashboard", "mozilla", "chrome"),
    *("curl", "python", "ansible", "openapi-generator", "go-http-client", "okhttp", "node-fetch", "unknown"),
    *("kube-apiserver", "kube-controller-manager"),
)
"""How those begin that change what somebody tells them to, once; and Kubernetes itself. Recorded by ``kubectl``: ``kubectl-label``."""


def keeper(holder: Holder) -> Keeper | None:
    """Who stands behind a manager's name; None for people. A name that nobody knows may be an operator's, and is told as that."""
    name = holder.manager.lower()
    known = next((one for begins, one in _KEEPERS if name.startswith(begins)), None)
    if known or not name or name.startswith(_PEOPLE):
        return known
    when = "whenever it applies again" if holder.applied else "if it is an operator that looks after it"
    return Keeper(f'"{holder.manager}"', when, "until then have it leave that alone")

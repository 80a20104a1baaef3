# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the new control plane may be installed under this name, and what that would do besides. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed

GIVEN = "what installs the new one (mesh_values, the IstioOperator's spec.values, or what the manifests are rendered from)"
"""Where a person says how it shall be, in words that are true of each provider."""


def install_findings(snapshot: Snapshot, target: Target) -> Iterator[Finding]:
    yield from _name_findings(snapshot, target)
    yield from _rendering_findings(target)


def _name_findings(snapshot: Snapshot, target: Target) -> Iterator[Finding]:
    tagged = next((i for i in snapshot.injectors if i.tag == target.revision), None)
    if tagged:
        yield blocker(
            Topic.VERSIONS,
            f'"{target.revision}" is a tag here, not a revision.',
            where=f"MutatingWebhookConfiguration {tagged.name}, which points at {tagged.revision}",
            do="choose a revision name that no tag has",
        )
    theirs = next((i for i in snapshot.injectors if i.revision == target.revision and not i.tag and i.owner != target.release), None)
    if theirs and target.release:
        yield blocker(
            Topic.VERSIONS,
            f'Revision "{target.revision}" is there already, and is not of helm release {target.release}.',
            where=f"MutatingWebhookConfiguration {theirs.name}, {f'of release {theirs.owner}' if theirs.owner else 'of no helm release'}",
            why="helm does not take over what it has not installed",
            do="choose another revision name, or remove that control plane first",
        )
    plane = next((p for p in snapshot.control_planes if p.revision == target.revision), None)
    if plane and target.version and plane.version and plane.version != target.version:
        yield blocker(
            Topic.VERSIONS,
            f'Revision "{target.revision}" belongs to another version.',
            where=f"Deployment {plane.namespace}/{plane.name} runs {plane.version}",
            why=f"mesh_version says {target.version}, and a revision is never changed in place",
            do=f"use a new revision name for {target.version}, or correct mesh_version",
        )


def _rendering_findings(target: Target) -> Iterator[Finding]:
    """What is rendered would do besides: no existing pod may notice an installation, so no tag may move with it."""
    if target.brings is None:
        return
    tags = sorted({injector.tag for injector in target.brings if injector.tag})
    if tags:
        yield blocker(
            Topic.INJECTION,
            f"Installing the control plane would move {'tags' if len(tags) > 1 else 'tag'} {listed(tags)} at once.",
            where="revisionTags in what is rendered",
            why="all that follow a tag would get the new revision with their next pods, before any wave",
            do=f"take revisionTags out of {GIVEN}",
        )
    if not any(injector.revision == target.revision and not injector.tag for injector in target.brings):
        yield blocker(
            Topic.INJECTION,
            f'What is rendered has no injector for revision "{target.revision}".',
            where="no MutatingWebhookConfiguration, for example because of global.operatorManageWebhooks",
            why="nothing could be injected by it",
            do=f"correct {GIVEN}",
        )

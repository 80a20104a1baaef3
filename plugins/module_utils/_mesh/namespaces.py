# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a namespace asks for injection, and the one patch that moves it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import NOBODY, Held
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION

INJECTION = "istio-injection"
DATAPLANE_MODE = "istio.io/dataplane-mode"
PRIOR = "meshops.io/prior-injection"
LAST = "meshops.io/last-injection"
"""Only where a second upgrade moves what a first one has moved: the labels between the two."""
SCRATCH = "meshops.io/scratch"
"""On namespaces that this collection makes for itself, and removes again."""


@dataclass(frozen=True, slots=True)
class Asks:
    """The two labels by which a namespace asks for a sidecar; None is absent, which is not the same as empty."""

    injection: str | None = None
    revision: str | None = None

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Asks:
        return cls(labels.get(INJECTION), labels.get(REVISION))

    def labels(self) -> dict[str, str | None]:
        return {INJECTION: self.injection, REVISION: self.revision}

    def text(self) -> str:
        """As a person writes labels: ``istio.io/rev=1-30-3``, or ``-`` for none."""
        return ",".join(f"{key}={value}" for key, value in self.labels().items() if value is not None) or "-"


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str
    uid: str
    version: str
    labels: Mapping[str, str]
    prior: Asks | None
    deleting: bool = False
    last: Asks | None = None
    """The labels before the last move, where these are not the prior ones."""
    held: Held = NOBODY

    @property
    def asks(self) -> Asks:
        return Asks.of(self.labels)

    @property
    def home(self) -> str:
        """The labels to which its way back leads, as text."""
        return (self.prior or self.asks).text()

    def asking(self, asks: Asks) -> Namespace:
        """The same namespace with other injection labels."""
        rest = {key: value for key, value in self.labels.items() if key not in (INJECTION, REVISION)}
        return replace(self, labels=rest | {key: value for key, value in asks.labels().items() if value is not None})


@dataclass(frozen=True, slots=True)
class Move:
    """One namespace's change from what it asks now to something else, with what it needs to come back."""

    namespace: Namespace
    then: Asks
    prior: Asks | None
    """What the annotation holds afterwards; None removes it."""
    last: Asks | None = None
    """The same for the labels before this move."""

    @property
    def needed(self) -> bool:
        now = self.namespace
        return (now.asks, now.prior, now.last) != (self.then, self.prior, self.last)

    def patch(self) -> dict[str, object]:
        """Labels and their prior values in one patch, so that there is no instant with one but not the other.

        The uid and the version make it fail with 409 where the namespace was recreated or changed since it was read.
        """
        return {
            "metadata": {
                "uid": self.namespace.uid,
                "resourceVersion": self.namespace.version,
                "labels": self.then.labels(),
                "annotations": {PRIOR: _written(self.prior), LAST: _written(self.last)},
            }
        }


def move_to(namespace: Namespace, revision: str) -> Move:
    """``istio-injection`` goes, since it beats ``istio.io/rev`` (Istio, injection webhook's selectors, 1.10 to 1.30).

    A prior that is already recorded is kept: a second step must not overwrite the way back. A namespace that asks for
    the revision already, by nobody's doing of ours, is left alone.
    """
    then = Asks(revision=revision)
    moves = namespace.asks != then
    prior = namespace.prior or (namespace.asks if moves else None)
    last = (namespace.asks if namespace.asks != prior else None) if moves else namespace.last
    return Move(namespace, then, prior, last)


def undo(namespace: Namespace, revision: str, *, running: bool) -> Move:
    """The last move to a revision taken back: the labels as they were before it, and the annotations too.

    Where pods run that revision already the first way back stays recorded, so that a rollback still knows of them.
    """
    if namespace.prior is None or namespace.asks != Asks(revision=revision):
        return Move(namespace, namespace.asks, namespace.prior, namespace.last)
    return Move(namespace, namespace.last or namespace.prior, namespace.prior if namespace.last or running else None)


def take_out(namespace: Namespace) -> Move:
    """Asks for nothing any more. A way back that is already recorded is kept, as with every move."""
    asked = namespace.asks if namespace.asks != Asks() else None
    return Move(namespace, Asks(), namespace.prior or asked)


def restore(namespace: Namespace) -> Move:
    """Back to exactly what was recorded; without a record nothing changes."""
    return Move(namespace, namespace.prior or namespace.asks, None)


def keep(namespace: Namespace) -> Move:
    """The labels stay as they are, and the way back is given up."""
    return Move(namespace, namespace.asks, None)


def _written(asks: Asks | None) -> str | None:
    return json.dumps(asks.labels(), sort_keys=True) if asks else None


def read_prior(recorded: str | None) -> Asks | None:
    """The prior labels in an annotation; None for what is absent or not ours to understand."""
    try:
        labels = read_json(recorded) if recorded else None
    except ValueError:
        return None
    if not isinstance(labels, dict) or not set(labels) <= {INJECTION, REVISION}:
        return None
    return Asks.of({key: value for key, value in labels.items() if isinstance(value, str)})

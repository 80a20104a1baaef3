# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a wait is: the answer of a pure step, which a driver with clock and watch asks again and again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int
    waiting: tuple[str, ...] = ()
    """What is being waited for, as a person says it: ``deploy/api in pay: 1 of 2 pods``."""
    fatal: MeshError | None = None
    """Ends the wait at once."""
    failing: MeshError | None = None
    """Ends the wait unless it goes away within the grace time: a crash loop, a quota, no node yet."""
    pods: int = 0
    """How many pods are done in what is not: it grows while one large workload rolls, so that this counts as getting further."""
    again: float | None = None
    """Seconds after which to ask again although nothing was seen to change, where somebody has said so; None where there is no need."""

    borne: tuple[str, ...] = ()
    """What is not done and no worse than before the upgrade, each as a sentence: when nothing else is left, and none of it has come right
    within the grace time, the wait is over."""

    @property
    def only_borne(self) -> bool:
        return bool(self.borne) and self.done + len(self.borne) >= self.total and not self.failing

    @property
    def left(self) -> int:
        """How much is not done. What ends by itself, as Jobs do, is never among what was done: it only makes this less."""
        return self.total - self.done

    @property
    def finished(self) -> bool:
        return self.done >= self.total

#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: upgrade_state
short_description: Keep the upgrade's record in the cluster
version_added: "0.1.0"
description:
  - The record says what was begun, how far it is and where a run that was killed goes on.
  - It is the ConfigMap C(meshops-upgrade) in the Istio namespace.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.istio_namespace
options:
  state:
    description:
      - What has happened. V(read) only reads. V(advanced), V(finished) and V(completed) change nothing in a record of another phase.
      - V(started) begins a record, or takes up the one that is there where it is about the same upgrade. Once, it also records what the old
        control plane consists of, by names and UIDs, in ConfigMap C(meshops-objects-REVISION), so that it can be removed later.
      - V(advanced) says that one O(wave) is done. V(finished) says that all are, and that the upgrade is done; the way back stays open.
      - V(paused) keeps where a run stopped and why, for whoever looks next. A run that goes on takes it away.
      - V(rolling_back) begins the way back, or goes on with it; the record holds just the namespaces that it concerns from then on. It is
        refused where the old control plane is gone, or about to go. V(rolled_back) says that the way back was gone to its end.
      - V(completing) says that the old control plane is about to go; it is refused before the upgrade is done, and ends the way back.
        V(completed) says that it is gone; it is refused while anything of it is still there.
    type: str
    choices: [started, advanced, finished, paused, rolling_back, rolled_back, completing, completed, read]
    default: read
  id:
    description:
      - The upgrade that the caller is in the middle of, as C(record.id) was when it began that or took it up.
      - The module fails where another run has begun another one since, and for V(read), V(advanced) and V(finished) also where another
        run is rolling it back or has done so.
      - Not looked at in check mode, in which none was begun.
    type: str
  revision:
    description: The revision to move to; needed for O(state=started).
    type: str
  version:
    description: The Istio version of that revision.
    type: str
  from_revision:
    description: The old revision.
    type: str
  waves:
    description: The namespaces of each wave; needed for O(state=started).
    type: list
    elements: list
  wave:
    description: Which wave is done, counted from 0; needed for O(state=advanced).
    type: int
  step:
    description: What failed; needed for O(state=paused).
    type: str
  reason:
    description: Why it failed; needed for O(state=paused).
    type: str
"""

EXAMPLES = r"""
---
- name: See what is still to be done
  meshops.istio.upgrade_state:
    kubeconfig: ~/.kube/eu-1
  register: upgrade
"""

RETURN = r"""
---
msg:
  description: What was found or done, in one sentence.
  returned: always
  type: str
predicted:
  description: Whether the answer was computed from a snapshot and the plan, as in check mode, and not answered by the cluster.
  returned: success
  type: bool
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  contains:
    kind:
      description: The kind of error.
      type: str
    reason:
      description: The cause.
      type: str
    hint:
      description: What to do.
      type: str
cluster_uid:
  description: The UID of namespace C(kube-system), which tells this cluster from any other.
  returned: success
  type: str
record:
  description:
    - The record, or null.
  returned: success
  type: dict
  contains:
    id:
      description: What tells this upgrade from any other.
      type: str
    revision:
      description: The revision to move to.
      type: str
    version:
      description: Its Istio version, or null where that is not known.
      type: str
    from_revision:
      description: The old revision, or null where there was none.
      type: str
    phase:
      description: V(running), V(done), V(rolling back), V(rolled back), V(completing) or V(completed).
      type: str
    waves:
      description: The namespaces of each wave.
      type: list
      elements: list
    waves_done:
      description: How many of them are done.
      type: int
    started:
      description: When it began.
      type: str
    by:
      description: Who began it, as user and machine.
      type: str
    baseline:
      description: What was unhealthy before the first write, by workload, each with C(available), C(wanted) and C(why).
      type: dict
    paused:
      description: Where a run stopped (C(at)), C(why) and C(when); null while one is at it, or where one was cut off.
      type: dict
pending:
  description: Waves still to be done, each with index, number, how many there are, and its namespaces.
  returned: success
  type: list
  elements: dict
moved:
  description: What a rollback would concern, that is namespaces of the record that are still the same, and all with recorded labels.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.upgrade_state import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()

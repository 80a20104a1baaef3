# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module says of itself: check mode, diff, where it runs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    support: full
    description: Runs in the controller's process; through the module only when delegated to another host, or with C(async).
  async:
    support: full
    description: Supports being used with the C(async) keyword.
  action_group:
    support: full
    membership: [meshops.istio.istio]
    description: Use C(group/meshops.istio.istio) in C(module_defaults) to set options of all modules at once.
"""

    WRITES = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the cluster.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    support: full
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: This module only reads, in check mode as well.
  diff_mode:
    support: N/A
    description: This module changes nothing.
  idempotent:
    support: full
    description: This module changes nothing.
"""

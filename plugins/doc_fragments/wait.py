# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of how long is waited."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  wait_timeout:
    description:
      - Seconds without progress. Each pod more that is done, and each thing less to wait for, begins them anew, so that many workloads may
        take longer in all.
      - What is not done by then fails, and can be started again.
    type: int
    default: 600
  grace_time:
    description:
      - Seconds that something may fail and still come right by itself, for example a crash loop, a quota, or a node that is not there yet.
      - What cannot come right fails at once, as a refusal by an admission webhook or an image name that is none. So does what was just
        caused, which is a sidecar whose own containers cannot run.
    type: int
    default: 60
"""

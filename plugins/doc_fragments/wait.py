# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of how long is waited."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  wait_timeout:
    description:
      - Seconds without progress. Each thing more that is done begins them anew, so that many workloads may take longer in all.
      - What is not done by then fails, and can be started again.
    type: int
    default: 600
  grace_time:
    description:
      - Seconds that something may fail and still come right by itself, for example a crash loop, a quota, or a node that is not there yet.
      - What cannot come right (a refusal by an admission webhook, an image name that is none) fails at once.
    type: int
    default: 60
"""

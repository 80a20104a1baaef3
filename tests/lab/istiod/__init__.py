# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for istiod: what a control plane does for injection, so that a lab needs none of Istio's programs.

``decision`` and ``patch`` are pure and are held against what real istiods answered (tests/unit/test_standin.py).
"""

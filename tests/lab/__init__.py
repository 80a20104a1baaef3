# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes API server with a simulated node and a stand-in for istiod, for the tests and for the demo."""

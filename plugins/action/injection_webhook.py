# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the verb in the controller's process."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._verbs.injection_webhook import VERB
from ansible_collections.meshops.istio.plugins.plugin_utils._action import VerbAction


class ActionModule(VerbAction):
    verb = VERB

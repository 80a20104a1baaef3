# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validators: the webhook configurations that judge objects of Istio before they are stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT

ENTRY_SUFFIX = "validation.istio.io"
"""Of the name of each entry (Istio, charts base and istiod, 1.9 to 1.30)."""
DEFAULT_VALIDATOR = "istiod-default-validator"
FAIL = "Fail"


@dataclass(frozen=True, slots=True)
class Validator:
    """A ValidatingWebhookConfiguration of Istio."""

    name: str
    revision: str
    tag: str | None
    failure_policy: str
    """``Fail`` where one entry has that: what cannot be judged is refused. ``Ignore``: it is stored unjudged."""
    service: str | None
    """Whom it calls; None for a url."""
    namespace: str = ""
    port: int = 443
    path: str = ""
    url: str | None = None
    has_ca: bool = True

    @property
    def default(self) -> bool:
        """It judges what names no revision."""
        return self.name == DEFAULT_VALIDATOR or self.tag == DEFAULT

    @property
    def fails(self) -> bool:
        return self.failure_policy == FAIL

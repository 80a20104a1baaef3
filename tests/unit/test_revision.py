# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, versions and selectors: what is taken and what is not."""

from __future__ import annotations

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import parse


@pytest.mark.parametrize("name", ["default", "1.30.3", "Canary", "-x", "x-", "", "a" * 57, "a_b"])
def test_a_name_that_kubernetes_or_istio_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(MeshError):
        check_revision(name)


@pytest.mark.parametrize("name", ["1-30-3", "asm-195-2", "x", "a" * 56])
def test_a_good_name_is_taken(name: str) -> None:
    check_revision(name)


IMAGES = {
    "docker.io/istio/proxyv2:1.30.3": "1.30.3",
    "localhost:5000/proxyv2:1.30.3-distroless": "1.30.3",
    "gcr.io/x/proxyv2:1.19.5-asm.2": "1.19.5-asm.2",
    "proxyv2:latest": None,
    "localhost:5000/proxyv2": None,
    "proxyv2@sha256:abcd": None,
    "proxyv2:1.30.3@sha256:abcd": None,
}


@pytest.mark.parametrize(("image", "version"), IMAGES.items(), ids=IMAGES)
def test_the_version_is_read_off_the_tag_or_unknown(image: str, version: str | None) -> None:
    assert version_of_image(image) == version


LABELS = {"team": "pay", "env": "test"}
SELECTORS = {
    "": True,
    "team=pay": True,
    "team==pay,env in (test, prod)": True,
    "team!=pay": False,
    "nosuch!=x": True,
    "nosuch notin (x)": True,
    "env notin (test)": False,
    "!nosuch,team": True,
    "!team": False,
    "nosuch": False,
}


@pytest.mark.parametrize(("text", "matches"), SELECTORS.items(), ids=SELECTORS)
def test_selectors_mean_what_kubectl_means(text: str, matches: bool) -> None:
    assert parse(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["team in pay", "a=b=c", "=x", "a b", "in (x)"])
def test_a_selector_that_is_none_says_where(text: str) -> None:
    with pytest.raises(MeshError, match="is not a label selector"):
        parse(text)

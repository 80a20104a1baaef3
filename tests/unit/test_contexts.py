# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts as hosts: what each is called, what several kubeconfigs say together, and which contexts are one cluster."""

from __future__ import annotations

import base64
import re
import typing as t
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import split_host_pattern
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.istio.plugins.module_utils._kube.contexts import read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.contexts import (
    KubeContext,
    check_apart,
    chosen,
    host_name,
    idle,
    named,
    twins,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

CALLED = {
    "eu-1": "eu-1",
    "gke_shop-prod_europe-west1_pay": "gke_shop-prod_europe-west1_pay",
    "kubernetes-admin@kubernetes": "kubernetes-admin@kubernetes",
    "größe.例": "größe.例",
    "arn:aws:eks:eu-west-1:123456789012:cluster/pay": r"arn-aws-eks-eu-west-1-123456789012-cluster-pay-[0-9a-f]{6}",
    "default/api-eu-example-com:6443/kube:admin": r"default-api-eu-example-com-6443-kube-admin-[0-9a-f]{6}",
    "with a blank": r"with-a-blank-[0-9a-f]{6}",
    "[1:3]": r"1-3-[0-9a-f]{6}",
    "eu[a:c],!us": r"eu-a-c-us-[0-9a-f]{6}",
    "../../etc": r"etc-[0-9a-f]{6}",
    "@file": r"file-[0-9a-f]{6}",
    "-v": r"v-[0-9a-f]{6}",
    "{{ 7 * 7 }}": r"7-7-[0-9a-f]{6}",
    "***": r"context-[0-9a-f]{6}",
    "all": r"all-[0-9a-f]{6}",
    "localhost": r"localhost-[0-9a-f]{6}",
    "x" * 300: r"x{100}-[0-9a-f]{6}",
}


@pytest.mark.parametrize("context", CALLED, ids=lambda name: name[:50])
def test_what_a_host_is_called(context: str) -> None:
    assert re.fullmatch(CALLED[context], host_name(context))


@given(st.sets(st.text(min_size=1), min_size=2, max_size=2))
def test_a_name_is_the_contexts_own_and_means_one_host(contexts: set[str]) -> None:
    one, two = map(host_name, contexts)
    assert one != two
    for name in (one, two):
        assert split_host_pattern(name) == [name], "a pattern of Ansible is something else"
        assert not set(name) & set("*?[]:,&!~/ "), "nor is this one host"
        assert not name.startswith(("-", ".", "@", "~"))


# Several kubeconfigs


def _file(path: Path, leads: Mapping[str, Mapping[str, t.Any]], **more: object) -> str:
    """Each context leads to a cluster of its own name, whose fields are given; every user has a token."""
    config = {
        "clusters": [{"name": name, "cluster": dict(cluster)} for name, cluster in leads.items()],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in leads],
        "users": [{"name": name, "user": {"token": "secret"}} for name in leads],
    }
    path.write_text(yaml.safe_dump({**config, **more}))
    return str(path)


EU, US = {"server": "https://eu.example.com"}, {"server": "https://us.example.com"}


def test_files_are_merged_as_kubectl_does_it(tmp_path: Path) -> None:
    """The first wins. What it hides is told; what is the same in both hides nothing; a file that is not there does not count."""
    one = _file(tmp_path / "one", {"admin": EU, "same": EU})
    two = _file(tmp_path / "two", {"admin": US, "same": EU, "us": US})
    merged = read([one, str(tmp_path / "nothere"), two])
    assert {c.name: (c.server, c.file) for c in merged.contexts} == {
        "admin": ("https://eu.example.com:443", one),
        "same": ("https://eu.example.com:443", one),
        "us": ("https://us.example.com:443", two),
    }
    assert merged.files == (one, two)
    assert merged.hidden == (f'Cluster "admin" of {two} does not count: {one} has another one of that name.',)


FAULTS = {
    "a name that is a number": ({"contexts": [{"name": 1, "context": {}}]}, "the name of a context is no text: 1; quote it"),
    "an entry without a name": ({"clusters": [{"cluster": {}}]}, "a cluster has no name"),
    "two of one name": ({"users": [{"name": "a", "user": {}}] * 2}, 'it has two of users called "a"'),
    "no mapping at all": ([1, 2], "it holds no kubeconfig"),
    "no YAML": ("{token: secret", "it is no readable kubeconfig (ParserError)"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, case: str) -> None:
    content, why = FAULTS[case]
    path = tmp_path / "config"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with pytest.raises(MeshError) as told:
        read([str(path)])
    assert told.value.why == why
    assert (told.value.where, "secret" in told.value.text()) == (str(path), False)


def test_a_context_that_leads_nowhere_is_an_error_only_where_it_is_meant(tmp_path: Path) -> None:
    dangling = [{"name": name, "context": {"cluster": "gone", "user": "x"}} for name in ("old", "eu")]
    config = _file(tmp_path / "config", {"eu-1": EU})
    found = read([config, _file(tmp_path / "more", {}, contexts=dangling)]).contexts
    assert [c.name for c in chosen(found, ["*"], ["old", "eu"])] == ["eu-1"]
    with pytest.raises(MeshError, match="2 contexts cannot be used") as told:
        chosen(found, ["*"], [])
    assert 'there is no cluster "gone"' in told.value.text()


def test_patterns_are_a_shells_or_exactly_the_name() -> None:
    contexts = [_context(name) for name in ("eu-1", "eu-2", "us-1", "[1:3]", "1")]
    assert [c.name for c in chosen(contexts, ["eu-*", "[1:3]"], ["*-2"])] == ["eu-1", "[1:3]", "1"]
    assert idle(["eu-?", "EU-*", "asia-*"], contexts) == ("EU-*", "asia-*")
    with pytest.raises(MeshError, match="No context is left"):
        chosen(contexts, ["asia-*"], [])


# Which are one cluster

CA, OTHER_CA = (base64.b64encode(text).decode() for text in (b"one\n", b"other\n"))
ONE_CLUSTER: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], bool]] = {
    "the same address, written in another way": ({"server": "https://EU.example.com:443/"}, {"server": "https://u:p@eu.example.com"}, True),
    "a CA in one and none in the other": (EU | {"certificate-authority-data": CA}, EU, True),
    "one that is not checked": (EU | {"certificate-authority-data": CA}, EU | {"insecure-skip-tls-verify": True}, True),
    "the same CA, once as a file": (EU | {"certificate-authority-data": CA}, EU | {"certificate-authority": "ca.crt"}, True),
    "another CA: a tunnel leads to one at a time": (
        EU | {"certificate-authority-data": CA},
        EU | {"certificate-authority-data": OTHER_CA},
        False,
    ),
    "another port": (EU, {"server": "https://eu.example.com:6443"}, False),
    "another path, as Rancher has it": ({"server": "https://r/k8s/clusters/a"}, {"server": "https://r/k8s/clusters/b"}, False),
    "another proxy": (EU | {"proxy-url": "http://a"}, EU | {"proxy-url": "http://b"}, False),
    "another TLS name, as Teleport has it": (EU | {"tls-server-name": "a"}, EU | {"tls-server-name": "b"}, False),
}


@pytest.mark.parametrize("case", ONE_CLUSTER)
def test_which_contexts_are_one_cluster(tmp_path: Path, case: str) -> None:
    one, two, same = ONE_CLUSTER[case]
    (tmp_path / "ca.crt").write_bytes(b"one\n")
    contexts = read([_file(tmp_path / "config", {"a": one, "b": two})]).contexts
    assert bool(twins(contexts, {})) is same


def test_a_uid_that_was_asked_for_decides() -> None:
    contexts = [_context(name, "https://one.example.com:443") for name in ("a", "b")]
    check_apart(contexts, {"a": "1", "b": "2"})
    with pytest.raises(MeshError, match="the same cluster") as told:
        check_apart([_context("a"), _context("b")], {"a": "1", "b": "1"})
    assert (told.value.where, told.value.why) == ('"a" and "b"', "the UID of namespace kube-system is 1 there")
    with pytest.raises(MeshError, match="the same cluster") as told:
        check_apart(contexts, {"a": "1"})
    assert told.value.why == "they lead to https://one.example.com:443"


def test_two_that_would_be_one_host_are_named() -> None:
    odd = host_name("a b")
    assert set(named([_context("a b"), _context("c")], "eu-")) == {f"eu-{odd}", "eu-c"}
    with pytest.raises(MeshError, match="would be the same host"):
        named([_context("a b"), _context(odd)], "")


def _context(name: str, server: str = "") -> KubeContext:
    return KubeContext(name, "config", name, server or f"https://{name}")

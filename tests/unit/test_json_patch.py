# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A JSON patch is applied as RFC 6902 says, its appendix A taken as the table."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.istio.plugins.module_utils._kube.json_patch import apply
from tests.lab.istiod.patch import operations

DONE: dict[str, tuple[t.Any, list[dict[str, t.Any]], t.Any]] = {
    "A.1 adding an object member": ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    "A.2 adding an array element": (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 removing an object member": ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    "A.4 removing an array element": ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    "A.5 replacing a value": ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    "A.6 moving a value": (
        {"foo": {"bar": 1}, "qux": {}},
        [{"op": "move", "from": "/foo/bar", "path": "/qux/x"}],
        {"foo": {}, "qux": {"x": 1}},
    ),
    "A.7 moving an array element": (
        {"foo": ["all", "eat", "cows"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/2"}],
        {"foo": ["all", "cows", "eat"]},
    ),
    "A.8 testing a value": ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "qux"}], {"baz": "qux"}),
    "A.10 adding a nested member": (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"x": {}}}],
        {"foo": "bar", "child": {"x": {}}},
    ),
    "A.14 escapes": ({"/": 9, "~1": 10}, [{"op": "replace", "path": "/~01", "value": 1}, {"op": "remove", "path": "/~1"}], {"~1": 1}),
    "A.16 adding an array value at the end": (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc"]}],
        {"foo": ["bar", ["abc"]]},
    ),
    "adding what is there replaces it": ({"foo": 1}, [{"op": "add", "path": "/foo", "value": 2}], {"foo": 2}),
    "copying a value": ({"foo": [1]}, [{"op": "copy", "from": "/foo", "path": "/bar"}], {"foo": [1], "bar": [1]}),
    "the whole document": ({"foo": 1}, [{"op": "replace", "path": "", "value": [2]}], [2]),
    "one operation after the other": (
        {"a": []},
        [{"op": "add", "path": "/a/0", "value": "x"}, {"op": "add", "path": "/a/0", "value": "y"}, {"op": "remove", "path": "/a/1"}],
        {"a": ["y"]},
    ),
}

REFUSED: dict[str, tuple[t.Any, dict[str, t.Any]]] = {
    "A.9 testing another value": ({"baz": "qux"}, {"op": "test", "path": "/baz", "value": "bar"}),
    "A.12 adding to a target that is not there": ({"foo": "bar"}, {"op": "add", "path": "/baz/bat", "value": "qux"}),
    "removing what is not there": ({}, {"op": "remove", "path": "/foo"}),
    "replacing what is not there": ({}, {"op": "replace", "path": "/foo", "value": 1}),
    "an index beyond the end": ({"foo": []}, {"op": "add", "path": "/foo/1", "value": 1}),
    "an index that is none": ({"foo": [1]}, {"op": "replace", "path": "/foo/x", "value": 1}),
    "no such operation": ({}, {"op": "merge", "path": "/foo", "value": 1}),
    "no value": ({}, {"op": "add", "path": "/foo"}),
    "no pointer": ({"foo": 1}, {"op": "remove", "path": "foo"}),
}


@pytest.mark.parametrize(("document", "patch", "then"), DONE.values(), ids=DONE)
def test_applied(document: t.Any, patch: list[dict[str, t.Any]], then: t.Any) -> None:
    before = copy.deepcopy(document)
    assert apply(document, patch) == then
    assert document == before, "the document given stays as it is"


@pytest.mark.parametrize(("document", "operation"), REFUSED.values(), ids=REFUSED)
def test_refused(document: t.Any, operation: dict[str, t.Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        apply(document, [operation])


OBJECTS = st.dictionaries(
    st.text("a/~", max_size=2),
    st.recursive(st.integers() | st.lists(st.integers()), lambda below: st.dictionaries(st.text("a/~", max_size=2), below)),
)


@given(OBJECTS, OBJECTS)
def test_the_difference_of_two_objects_makes_one_of_the_other(before: dict[str, t.Any], after: dict[str, t.Any]) -> None:
    """The stand-in's own diff is another piece of work."""
    assert apply(before, operations(before, after)) == after

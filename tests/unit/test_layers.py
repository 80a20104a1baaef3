# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who imports whom, what the pure domain may touch, and that a verb's module, action, options and documentation agree.

The rules read source text, so each can be shown to fail on a text that breaks it.
"""

from __future__ import annotations

import ast
import importlib
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import argument_spec
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Verb

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
OURS = "ansible_collections.meshops.istio.plugins."

MESH, KUBE, RENDER = "module_utils._mesh", "module_utils._kube", "module_utils._render"
VERBS, RUNTIME, PLUGIN_UTILS = "module_utils._verbs", "module_utils._runtime", "plugin_utils"

MAY_IMPORT = {
    MESH: {MESH},
    KUBE: {KUBE, MESH},
    RENDER: {RENDER, MESH},
    VERBS: {VERBS, KUBE, RENDER, MESH},
    RUNTIME: {RUNTIME, VERBS, KUBE, RENDER, MESH},
    PLUGIN_UTILS: {PLUGIN_UTILS, RUNTIME, VERBS, KUBE, RENDER, MESH},
    "modules": {RUNTIME, VERBS},
    "action": {PLUGIN_UTILS, VERBS},
    "inventory": {RUNTIME, KUBE, MESH},
    "filter": {MESH},
    "doc_fragments": set[str](),
}
"""Downwards only. Each layer may import from itself where it is listed."""

PURE = {
    *("__future__", "abc", "bisect", "collections", "copy", "dataclasses", "datetime", "difflib", "enum", "fnmatch", "functools"),
    *("hashlib", "heapq", "ipaddress", "itertools", "json", "math", "operator", "re", "string", "textwrap", "types", "typing"),
}
"""All that the pure domain may import beside itself: neither ansible nor kubernetes, no clock, no I/O."""

IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "now", "utcnow", "today"}

KUBERNETES = {"kubernetes": {"config"}, "kubernetes.client": {"ApiClient", "Configuration"}}
"""What is not the typed API: the first touch of one costs 0.4 s, and validates what servers answer."""


@dataclass(frozen=True, slots=True)
class Import:
    """``from module import name``; no name for ``import module``."""

    module: str
    name: str | None
    line: int

    def under(self, package: str) -> bool:
        """Whether it is the package, or from inside it."""
        full = f"{self.module}.{self.name}" if self.name else self.module
        return f"{full}.".startswith(f"{package}.")

    def __str__(self) -> str:
        return f"line {self.line} imports {self.module}{f' ({self.name})' if self.name else ''}"


def imports(source: str, package: str) -> Iterator[Import]:
    """All of them, those inside functions and for types only as well; relative ones by the package they are written in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(module, alias.name, node.lineno) for alias in node.names)


def calls(source: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name, node.lineno


def layer(path: Path) -> str:
    """Like ``module_utils._mesh``, or ``modules``; a file outside every layer is a fault of its own."""
    parts = path.relative_to(PLUGINS).parts
    return ".".join(parts[:2]) if parts[0] == "module_utils" else parts[0]


def upwards(source: str, where: str) -> list[str]:
    """What a file of this layer imports of ours and may not."""
    faults = []
    for found in imports(source, OURS + where):
        if found.under("ansible_collections") and not any(found.under(OURS + allowed) for allowed in MAY_IMPORT[where]):
            faults.append(str(found))
    return faults


def impurities(source: str) -> list[str]:
    """What the pure domain may not do."""
    found = [str(one) for one in imports(source, OURS + MESH) if not one.under(OURS + MESH) and one.module.split(".")[0] not in PURE]
    return found + [f"line {line} calls {name}" for name, line in calls(source) if name in IMPURE_CALLS]


def typed_kubernetes(source: str) -> list[str]:
    """Imports of the client that lead to its typed APIs, models or dynamic client."""
    faults = []
    for found in imports(source, ""):
        if found.under("kubernetes") and not found.under("kubernetes.config") and found.name not in KUBERNETES.get(found.module, ()):
            faults.append(str(found))
    return faults


def not_shipped(source: str) -> list[str]:
    """What AnsiballZ does not carry to another host: of ansible it ships ``module_utils`` only."""
    return [str(one) for one in imports(source, "") if one.under("ansible") and not one.under("ansible.module_utils")]


SOURCES = {str(path.relative_to(PLUGINS)): path for path in sorted(PLUGINS.rglob("*.py"))}
every_file = pytest.mark.parametrize("path", SOURCES.values(), ids=SOURCES)


@every_file
def test_a_file_belongs_to_a_layer(path: Path) -> None:
    assert layer(path) in MAY_IMPORT


@every_file
def test_imports_go_downwards(path: Path) -> None:
    assert upwards(path.read_text(), layer(path)) == []


@every_file
def test_no_typed_kubernetes_api(path: Path) -> None:
    assert typed_kubernetes(path.read_text()) == []


def test_no_typed_kubernetes_api_in_the_tests_either() -> None:
    faults = {str(path): typed_kubernetes(path.read_text()) for path in (ROOT / "tests").rglob("*.py")}
    assert {path: found for path, found in faults.items() if found} == {}


@pytest.mark.parametrize("path", [path for path in SOURCES.values() if layer(path) == MESH], ids=lambda path: path.stem)
def test_the_domain_is_pure(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize("path", [path for path in SOURCES.values() if layer(path).startswith("module")], ids=lambda path: path.stem)
def test_modules_run_on_another_host(path: Path) -> None:
    assert not_shipped(path.read_text()) == []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (MESH, f"from {OURS}{KUBE}.cluster import Cluster"),
        (MESH, "from .._kube.cluster import Cluster"),
        (MESH, "from .. import _kube"),
        (KUBE, f"from {OURS}{VERBS}.verb import Verb"),
        (KUBE, f"from {OURS}{RENDER} import helm"),
        (RENDER, f"import {OURS}{KUBE}.cluster"),
        (VERBS, f"def late():\n    from {OURS}{RUNTIME}.run import perform"),
        (RUNTIME, f"from {OURS}{PLUGIN_UTILS}._action import VerbAction"),
        (PLUGIN_UTILS, f"from {OURS}action.mesh_info import ActionModule"),
        ("modules", f"from {OURS}{KUBE}.cluster import Cluster"),
        ("action", f"from {OURS}{RUNTIME}.run import perform"),
        (VERBS, "from ansible_collections.kubernetes.core.plugins.module_utils import k8s"),
        (VERBS, f"from {OURS}module_utils import _runtime"),
        ("doc_fragments", f"from {OURS}{MESH} import errors"),
    ],
)
def test_an_import_upwards_is_found(where: str, text: str) -> None:
    assert upwards(text, where)


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"import {name}"
            for name in ("ansible", "kubernetes", "time", "os", "os.path", "socket", "subprocess", "pathlib", "random", "yaml")
        ),
        "from ansible.module_utils.basic import AnsibleModule",
        "from time import monotonic",
        "if t.TYPE_CHECKING:\n    import asyncio",
        "open('/etc/hosts')",
        "print('here')",
        "datetime.now()",
        "datetime.date.today()",
    ],
)
def test_an_impure_domain_is_found(text: str) -> None:
    assert impurities(text)


@pytest.mark.parametrize(
    "text",
    [
        "import kubernetes",
        "import kubernetes.client",
        "from kubernetes import client",
        "from kubernetes import config, dynamic",
        "from kubernetes.client import CoreV1Api",
        "from kubernetes.client import ApiClient, V1Pod",
        "from kubernetes.client.models import V1Pod",
        "from kubernetes.client.api.core_v1_api import CoreV1Api",
        "from kubernetes.client import *",
        "from kubernetes.dynamic import DynamicClient",
        "import kubernetes.dynamic",
    ],
)
def test_a_typed_kubernetes_api_is_found(text: str) -> None:
    assert typed_kubernetes(text)


@pytest.mark.parametrize(
    "text", ["from ansible.plugins.action import ActionBase", "import ansible.constants", "from ansible import plugins"]
)
def test_what_is_not_shipped_is_found(text: str) -> None:
    assert not_shipped(text)


@pytest.mark.parametrize(
    "text",
    [
        "from kubernetes import config",
        "from kubernetes.client import ApiClient, Configuration",
        "from kubernetes.config.config_exception import ConfigException",
        f"from {OURS}{MESH}.errors import MeshError",
        "from ansible.module_utils.basic import AnsibleModule",
    ],
)
def test_what_is_allowed_is_not_found(text: str) -> None:
    assert (typed_kubernetes(text), not_shipped(text), upwards(text, VERBS)) == ([], [], [])


# A verb has a module, an action and a place in the action group


def _defines(path: Path, name: str) -> bool:
    """Whether the file assigns to it at the top level."""
    targets = [
        ast.unparse(target)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return name in targets


def _stems(folder: str) -> set[str]:
    return {path.stem for path in (PLUGINS / folder).glob("*.py") if path.stem != "__init__"}


NAMES = sorted(path.stem for path in (PLUGINS / "module_utils" / "_verbs").glob("*.py") if _defines(path, "VERB"))
every_verb = pytest.mark.parametrize("name", NAMES)


def _verb(name: str) -> Verb[t.Any]:
    verb = importlib.import_module(f"{OURS}{VERBS}.{name}").VERB
    assert isinstance(verb, Verb)
    return verb


def test_there_are_verbs() -> None:
    assert "mesh_info" in NAMES


def test_each_verb_has_a_module_an_action_and_a_place_in_the_group() -> None:
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["istio"]
    assert (_stems("modules"), _stems("action"), set(group)) == (set(NAMES), set(NAMES), set(NAMES))


@every_verb
def test_a_verb_is_called_as_its_file_and_both_sides_run_it(name: str) -> None:
    assert _verb(name).name == name
    wanted = (f"{OURS}{VERBS}.{name}", "VERB")
    for folder in ("modules", "action"):
        found = [(one.module, one.name) for one in imports((PLUGINS / folder / f"{name}.py").read_text(), OURS + folder)]
        assert [one for one in found if one[0].startswith(OURS + VERBS)] == [wanted]


# What is documented is what is accepted


def _constant(source: str, name: str) -> str:
    """A text that a module or a class of it holds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            return str(ast.literal_eval(node.value))
    raise AssertionError(f"there is no {name}")


def _fragment(name: str) -> dict[str, t.Any]:
    """``meshops.istio.attributes.writes`` is WRITES in attributes.py."""
    file, *part = name.removeprefix("meshops.istio.").split(".")
    source = (PLUGINS / "doc_fragments" / f"{file}.py").read_text()
    parsed: dict[str, t.Any] = yaml.safe_load(_constant(source, part[0].upper() if part else "DOCUMENTATION"))
    return parsed


def documented(name: str) -> dict[str, t.Any]:
    """The options of a module, with those of its fragments."""
    module = yaml.safe_load(_constant((PLUGINS / "modules" / f"{name}.py").read_text(), "DOCUMENTATION"))
    options: dict[str, t.Any] = {}
    for fragment in module.get("extends_documentation_fragment", []):
        options |= _fragment(fragment).get("options") or {}
    return options | (module.get("options") or {})


def differences(spec: Mapping[str, t.Any], docs: Mapping[str, t.Any], inside: str = "") -> list[str]:
    """One line for each thing that the two say differently."""
    found = [f"{inside}{name} is not documented" for name in sorted(set(spec) - set(docs))]
    found += [f"{inside}{name} is documented and not accepted" for name in sorted(set(docs) - set(spec))]
    for name in sorted(set(spec) & set(docs)):
        accepted, said = spec[name], docs[name]
        for what, unset in _FIELDS.items():
            one, other = accepted.get(what, unset), said.get(what, unset)
            if what in ("choices", "aliases"):
                one, other = list(one), list(other)
            if one != other or type(one) is not type(other):
                found.append(f"{inside}{name}: {what} is {one!r}, documented as {other!r}")
        variables = accepted["fallback"][1] if "fallback" in accepted else []
        text = " ".join(said["description"]) if isinstance(said["description"], list) else said["description"]
        found += [f"{inside}{name}: {one} is read and not documented" for one in variables if f"E({one})" not in text]
        found += differences(accepted.get("options") or {}, said.get("suboptions") or {}, f"{inside}{name}.")
    return found


_FIELDS: dict[str, t.Any] = {"type": "str", "required": False, "default": None, "choices": (), "elements": None, "aliases": ()}


@every_verb
def test_what_is_documented_is_what_is_accepted(name: str) -> None:
    found = differences(argument_spec(_verb(name)), documented(name))
    assert not found, "\n".join(found)


PLAIN: dict[str, t.Any] = {"type": "int", "default": 1}
SAID: dict[str, t.Any] = {"type": "int", "default": 1, "description": "A number."}


@pytest.mark.parametrize(
    ("spec", "docs"),
    [
        ({"a": PLAIN}, {}),
        ({}, {"a": SAID}),
        ({"a": PLAIN}, {"a": SAID | {"type": "str"}}),
        ({"a": PLAIN}, {"a": SAID | {"default": 2}}),
        ({"a": PLAIN}, {"a": SAID | {"default": True}}),
        ({"a": PLAIN}, {"a": SAID | {"required": True}}),
        ({"a": PLAIN | {"choices": [1, 2]}}, {"a": SAID | {"choices": [2]}}),
        ({"a": PLAIN | {"aliases": ["b"]}}, {"a": SAID}),
        ({"a": {"type": "list", "elements": "str"}}, {"a": {"type": "list", "elements": "int", "description": ""}}),
        ({"a": PLAIN | {"fallback": (None, ["SOME_VARIABLE"])}}, {"a": SAID}),
        ({"a": {"type": "dict", "options": {"b": PLAIN}}}, {"a": {"type": "dict", "suboptions": {}, "description": ""}}),
    ],
)
def test_a_difference_is_found(spec: dict[str, t.Any], docs: dict[str, t.Any]) -> None:
    assert differences(spec, docs)


def test_equal_is_equal() -> None:
    assert differences({"a": PLAIN, "b": {"type": "str"}}, {"a": SAID, "b": {"type": "str", "description": ["x"]}}) == []

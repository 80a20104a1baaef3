# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every place where a check is told to look away, in one short list: it grows only by a line here, with a reason."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
import typing as t
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.tools import tree

ALLOWED = Counter(
    {
        # Ansible wants a module's or plugin's documentation before its imports
        "pyproject.toml: ruff plugins/modules/* E402": 1,
        "pyproject.toml: ruff plugins/inventory/* E402": 1,
        # libraries without types of their own
        "pyproject.toml: mypy override ansible.*, kubernetes.*: follow_untyped_imports": 1,
        "pyproject.toml: mypy untyped calls of ansible": 1,
        "pyproject.toml: mypy untyped calls of kubernetes": 1,
        "pyproject.toml: mypy untyped calls of ansible_collections.meshops.istio.plugins.plugin_utils._action.VerbAction": 1,
        "pyproject.toml: mypy untyped calls of ansible_collections.meshops.istio.plugins.inventory.contexts.InventoryModule": 1,
        # run_command belongs to AnsibleModule, and a verb mostly runs without one
        "plugins/module_utils/_render/program.py: pylint": 1,
        # what is compared with real Istio runs only where there is one, and there what needs the stand-in does not
        "tests/cases/test_judge.py: skipif": 1,
        "tests/cases/conftest.py: skip": 1,
        # templates that are no YAML
        r"tests/tools/tree.py: no YAML tests/lab/charts/[^/]+/templates/.*\.yaml": 1,
        ".ansible-lint: exclude_paths tests/lab/charts/": 1,
    }
)

COMMENTS = {
    "noqa": r"#\s*noqa\b",
    "type: ignore": r"#\s*type:\s*ignore|#\s*mypy:",
    "pylint": r"#\s*pylint:",
    "ruff": r"#\s*ruff:|#\s*fmt:\s*(off|skip)",
    "yamllint": r"#\s*yamllint\b",
    "shellcheck": r"#\s*shellcheck\s+disable",
    "coverage": r"#\s*pragma:\s*no",
}
SKIPS = {"skip", "skipif", "xfail", "importorskip", "skipTest", "SkipTest", "expectedFailure"}
TEXTS = {".yml", ".yaml", ".toml", ".cfg", ".sh", ".j2", ".md", ""}


def in_python(source: str) -> Iterator[str]:
    """Comments to the tools, and skipped tests; what stands in a string is neither."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from in_text(token.string)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in SKIPS:
            yield node.attr
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in SKIPS)


def in_text(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (kind for kind, pattern in COMMENTS.items() if re.search(pattern, line))


def in_pyproject(settings: dict[str, t.Any]) -> Iterator[str]:
    lint = settings["tool"]["ruff"]["lint"]
    for table in ("per-file-ignores", "extend-per-file-ignores"):
        yield from (f"ruff {files} {rule}" for files, rules in lint.get(table, {}).items() for rule in rules)
    yield from (f"ruff ignores {rule}" for table in ("ignore", "extend-ignore") for rule in lint.get(table, []))
    yield from (f"ruff leaves out {path}" for table in ("exclude", "extend-exclude") for path in settings["tool"]["ruff"].get(table, []))
    mypy = settings["tool"]["mypy"]
    for override in mypy.get("overrides", []):
        modules = override["module"] if isinstance(override["module"], list) else [override["module"]]
        yield f"mypy override {', '.join(modules)}: {', '.join(sorted(set(override) - {'module'}))}"
    yield from (f"mypy untyped calls of {package}" for package in mypy.get("untyped_calls_exclude", []))
    known = {"strict", "explicit_package_bases", "mypy_path", "untyped_calls_exclude", "overrides"}
    yield from (f"mypy {option}" for option in sorted(set(mypy) - known))
    if not mypy.get("strict"):
        yield "mypy is not strict"


def in_ansible_lint(settings: dict[str, t.Any]) -> Iterator[str]:
    for option in ("exclude_paths", "skip_list", "warn_list", "mock_modules", "mock_roles"):
        yield from (f"{option} {value}" for value in settings.get(option, []))


def found() -> Counter[str]:
    everywhere: Counter[str] = Counter()
    for name in tree.files():
        path = tree.ROOT / name
        if re.fullmatch(r"tests/sanity/ignore-.*\.txt", name):
            everywhere.update(f"{name}: {line}" for line in path.read_text().splitlines() if line.strip())
        elif path.suffix == ".py":
            everywhere.update(f"{name}: {kind}" for kind in in_python(path.read_text()))
        elif path.is_file() and path.suffix in TEXTS:
            everywhere.update(f"{name}: {kind}" for kind in in_text(path.read_text()))
    everywhere.update(f"pyproject.toml: {one}" for one in in_pyproject(tomllib.loads(Path(tree.ROOT, "pyproject.toml").read_text())))
    everywhere.update(f".ansible-lint: {one}" for one in in_ansible_lint(yaml.safe_load(Path(tree.ROOT, ".ansible-lint").read_text())))
    everywhere[f"tests/tools/tree.py: no YAML {tree.NO_YAML}"] += 1
    return everywhere


def test_no_exception_beyond_the_list() -> None:
    assert found() == ALLOWED


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("import os  # noqa: F401", ["noqa"]),
        ("x: int = ''  # type: ignore[assignment]", ["type: ignore"]),
        ("x = 1  # pylint: disable=all", ["pylint"]),
        ("x = '# noqa'", []),
        ("@pytest.mark.skip\ndef test_x(): ...", ["skip"]),
        ("@pytest.mark.skipif(True, reason='')\ndef test_x(): ...", ["skipif"]),
        ("pytest.param(1, marks=pytest.mark.xfail)", ["xfail"]),
        ("pytest.importorskip('yaml')", ["importorskip"]),
        ("from pytest import skip", ["skip"]),
    ],
)
def test_an_exception_in_python_is_found(source: str, kinds: list[str]) -> None:
    assert list(in_python(source)) == kinds


def test_an_exception_in_a_text_is_found() -> None:
    assert list(in_text("a: b  # noqa: yaml\n# yamllint disable-line\n# shellcheck disable=SC2086\n")) == ["noqa", "yamllint", "shellcheck"]


def test_an_exception_in_pyproject_is_found() -> None:
    settings: dict[str, t.Any] = {
        "tool": {
            "ruff": {"extend-exclude": ["plugins"], "lint": {"ignore": ["E501"], "per-file-ignores": {"tests/*": ["F401", "B"]}}},
            "mypy": {"overrides": [{"module": "x", "ignore_errors": True}], "disable_error_code": ["misc"], "untyped_calls_exclude": ["y"]},
        }
    }
    assert set(in_pyproject(settings)) == {
        *("ruff tests/* F401", "ruff tests/* B", "ruff ignores E501", "ruff leaves out plugins"),
        *("mypy override x: ignore_errors", "mypy untyped calls of y", "mypy disable_error_code", "mypy is not strict"),
    }


def test_an_exception_in_ansible_lint_is_found() -> None:
    assert list(in_ansible_lint({"profile": "production", "skip_list": ["yaml"], "exclude_paths": ["roles/"]})) == [
        "exclude_paths roles/",
        "skip_list yaml",
    ]

# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents show is what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("role", ["plan", "canary_upgrade", "rollback", "complete"])
def test_the_play_that_a_role_shows_is_that_of_its_playbook(role: str) -> None:
    """A play without the ``module_defaults`` would take whatever cluster the environment names, for each host the same."""
    document = (CHECKOUT / "roles" / role / "README.md").read_text()
    (shown,) = yaml.safe_load(document.partition("```yaml\n")[2].partition("```")[0])
    (ours,) = yaml.safe_load((CHECKOUT / "playbooks" / f"{role}.yml").read_text())
    theirs = {"name", "hosts", "roles"}
    assert {key: value for key, value in shown.items() if key not in theirs} == {k: v for k, v in ours.items() if k not in theirs}
    assert [one["role"] for one in shown["roles"]] == [one["role"] for one in ours["roles"]]

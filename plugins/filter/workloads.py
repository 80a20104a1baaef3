# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Its documentation is beside it, in workloads.yml."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible.errors import AnsibleFilterError

from ansible_collections.meshops.istio.plugins.module_utils._mesh.chosen import Choice, Fact
from ansible_collections.meshops.istio.plugins.module_utils._mesh.chosen import workloads as chosen
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

Names = str | Iterable[str] | None


def workloads(
    found: object,
    standing: Names = None,
    *,
    namespaces: Names = None,
    kinds: Names = None,
    revision: str | None = None,
    gets: str | None = None,
) -> list[Fact]:
    try:
        return chosen(found, Choice(_names(standing), _names(namespaces), _names(kinds), revision, gets))
    except MeshError as problem:
        raise AnsibleFilterError(f"meshops.istio.workloads: {problem.as_ansible()['msg']}") from problem


def _names(value: Names) -> frozenset[str] | None:
    """One name is as good as a list of one."""
    if value is None:
        return None
    return frozenset([value] if isinstance(value, str) else value)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[Fact]]]:
        return {"workloads": workloads}

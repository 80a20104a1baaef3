# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ready manifests: files, or all of a folder, as ``kubectl apply -f`` takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Rendering, identity, parsed

_ENDINGS = (".yaml", ".yml", ".json")
_DO = "correct manifests (mesh_manifests): files, or folders with files that end in .yaml, .yml or .json"


@dataclass(frozen=True, slots=True)
class Manifests:
    paths: tuple[str, ...]

    def rendered(self) -> Rendering:
        objects = [item for path in self._files() for item in parsed(_text(path), path)]
        return Rendering(tuple(sorted(objects, key=identity)))

    def _files(self) -> Iterator[str]:
        for path in self.paths:
            if not os.path.isdir(path):
                yield path
                continue
            inside = sorted(name for name in os.listdir(path) if name.endswith(_ENDINGS))
            if not inside:
                raise MeshError("A folder holds no manifests.", where=path, do=_DO)
            yield from (os.path.join(path, name) for name in inside)


def check(manifests: Manifests) -> None:
    """Raises MeshError for what is not there."""
    missing = [path for path in manifests.paths if not os.path.exists(path)]
    if missing:
        raise MeshError("Some manifests do not exist.", where=", ".join(missing), do=_DO)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as problem:
        raise MeshError("A manifest cannot be read.", where=path, why=str(problem), do=_DO) from problem

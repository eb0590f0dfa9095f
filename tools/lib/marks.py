# SPDX-License-Identifier: GPL-2.0
"""Completion marks: a stage is done when its mark holds the digest of its inputs."""

import hashlib
import json
from pathlib import Path


class Mark:
    def __init__(self, path: Path, inputs):
        self._path = path
        text = json.dumps(inputs, sort_keys=True, default=str)
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def holds(self) -> bool:
        try:
            return self._path.read_text().strip() == self.digest
        except FileNotFoundError:
            return False

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)

    def set(self) -> None:
        """Written aside and renamed: a mark is there in whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        self.write_into(fresh)
        fresh.rename(self._path)

    def write_into(self, path: Path) -> None:
        """For a stage that is completed by renaming its whole directory."""
        path.write_text(self.digest + "\n")

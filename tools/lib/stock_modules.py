# SPDX-License-Identifier: GPL-2.0
"""Finds modules of the stock kernel, with what they depend on."""

import lzma
from pathlib import Path


def canonical(name):
    """`kvm-amd`, `kvm_amd` and `kernel/arch/x86/kvm/kvm-amd.ko.xz` are one module."""
    return Path(name).name.split(".ko")[0].replace("-", "_")


class StockModules:
    """The modules below a directory that has `modules.dep`."""

    def __init__(self, directory):
        self._directory = Path(directory)
        index = self._directory / "modules.dep"
        if not index.exists():
            raise FileNotFoundError(f"{index} is missing: run `make setup` first")
        self._depends = {}
        for line in index.read_text().splitlines():
            path, _, depends = line.partition(":")
            self._depends[canonical(path)] = (path, depends.split())

    def closure(self, name):
        """Returns the paths to load for `name`, in the order to load them in."""
        try:
            path, depends = self._depends[canonical(name)]
        except KeyError:
            raise FileNotFoundError(f"the stock kernel has no module {name!r} "
                                    f"(looked in {self._directory})") from None
        return [*reversed(depends), path]

    def read(self, path):
        """Returns a module's bytes, decompressed."""
        content = (self._directory / path).read_bytes()
        if path.endswith(".ko.xz"):
            return lzma.decompress(content)
        if path.endswith(".ko"):
            return content
        raise ValueError(f"{path}: only .ko and .ko.xz modules can be unpacked")

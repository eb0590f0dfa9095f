# SPDX-License-Identifier: GPL-2.0
"""Makes the initramfs of a test guest."""

import re
from pathlib import Path

import elf
import guest_programs
import project
from cpio import Archive
from stock_modules import StockModules, canonical

MODULES = "/lib/modules"

_SETTINGS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}


class Image:
    """The files of one guest: busybox, the agent, and what a test asks for."""

    def __init__(self, programs, files, modules):
        self._archive = Archive()
        self._stock = None
        # The kernel opens /dev/console for init before init can mount devtmpfs.
        self._archive.node("/dev/console", 5, 1)
        for directory in ("/root", "/mnt", "/var/tmp"):
            self._archive.directory(directory)
        for path, content in _SETTINGS.items():
            self._archive.file(path, content.encode())
        self._add_busybox()
        self._add_program("/init", guest_programs.built("agent"))
        self._add_program("/bin/hold-vm", guest_programs.built("hold_vm"))
        for path, source in (programs or {}).items():
            self._add_program(path, Path(source))
        for path, source in (files or {}).items():
            self._add_file(path, source)
        self.load_list = self._add_modules(modules)

    def write(self, path):
        with open(path, "wb") as output:
            self._archive.write(output)

    def _add_busybox(self):
        busybox = project.toolroot() / "usr/bin/busybox"
        listing = project.inside(["/usr/bin/busybox", "--list"], capture_output=True, text=True,
                                 check=True).stdout
        self._add_program("/bin/busybox", busybox)
        for applet in listing.split():
            if applet != "busybox":
                self._archive.link(f"/bin/{applet}", "busybox")

    def _add_program(self, path, source):
        self._archive.file(path, source.read_bytes(), 0o755)
        for library, real in elf.with_libraries(source, project.toolroot()):
            if library not in self._archive:
                self._archive.file(library, real.read_bytes(), 0o755)

    def _add_file(self, path, source):
        if isinstance(source, (bytes, str)):
            content = source.encode() if isinstance(source, str) else source
            self._archive.file(path, content, 0o755 if content.startswith(b"#!") else 0o644)
        else:
            self._archive.file(path, source.read_bytes(), source.stat().st_mode & 0o777)

    def _add_modules(self, modules):
        """Adds modules with all they depend on; returns [(path in the guest, arguments)].

        An entry names a stock module, or is the path of a project's module; either may be
        followed by arguments.
        """
        ordered = {}
        for entry in modules:
            source, _, arguments = str(entry).partition(" ")
            if "/" in source:
                content = Path(source).read_bytes()
                for needed in elf.module_depends(content):
                    if canonical(needed) not in ordered:
                        self._add_stock(needed, ordered)
                self._add_module(Path(source).name, content, arguments, ordered)
            else:
                self._add_stock(source, ordered, arguments)
        return list(ordered.values())

    def _add_stock(self, name, ordered, arguments=""):
        self._stock = self._stock or StockModules(project.kernel().modules)
        for path in self._stock.closure(name):
            if canonical(path) not in ordered or canonical(path) == canonical(name):
                own = arguments if canonical(path) == canonical(name) else ""
                file_name = re.sub(r"\.ko.*", ".ko", Path(path).name)
                self._add_module(file_name, self._stock.read(path), own, ordered)

    def _add_module(self, file_name, content, arguments, ordered):
        path = f"{MODULES}/{file_name}"
        self._archive.file(path, content)
        ordered[canonical(file_name)] = (path, arguments)

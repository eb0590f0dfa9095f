# SPDX-License-Identifier: GPL-2.0
"""Which kernels the package with sources builds for, and what it says of the others."""

import contextlib
import importlib.util
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import project
from progress import Failed

# Its name is that of a common package.
_spec = importlib.util.spec_from_file_location("dkms_build_script",
                                               project.TOP / "tools/package/dkms/build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)


class Source(unittest.TestCase):
    def check(self, **versions):
        installed = {name.replace("_", "-") + "-8.9": version
                     for name, version in versions.items()}
        with mock.patch.object(build, "version_of", installed.get):
            build.check_source("8.9", "8.9")

    def test_the_kernels_own(self):
        self.check(linux_source="8.9.2-1", linux_headers="8.9.2-1")

    def test_of_another_version(self):
        with self.assertRaisesRegex(Failed, r"install linux-source-8\.9=8\.9\.1-1, or"):
            self.check(linux_source="8.9.2-1", linux_headers="8.9.1-1")

    def test_not_there(self):
        with self.assertRaisesRegex(Failed, "linux-source-8.9 is not there"):
            self.check(linux_headers="8.9.1-1")

    def test_no_headers(self):
        with self.assertRaisesRegex(Failed, "linux-headers-8.9 is not installed"):
            self.check(linux_source="8.9.2-1")


class PassedOver(unittest.TestCase):
    """What DKMS makes of dkms.conf, which it sources."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self._folder = Path(folder.name)
        text = (project.TOP / "tools/package/dkms/mmu-notifier-rust-dkms.dkms").read_text()
        (self._folder / "dkms.conf").write_text(text.replace("@PATTERN@", r"8\.9|8\.10"))

    def _is_built(self, kernel, headers="8.9.2-1", source="8.9.2-1", **variables):
        """Whether it is for the kernel, and what it says; versions are those of the packages."""
        query = self._folder / "dpkg-query"
        query.write_text("#!/bin/sh\nfor name; do :; done\ncase $name in\n"
                         f"linux-source-8.9) printf '{source}' ;;\n"
                         f"linux-headers-{kernel}) printf '{headers}' ;;\n*) exit 1 ;;\nesac\n")
        query.chmod(0o755)
        words = {"kernelver": kernel, "PATH": f"{self._folder}:{os.environ['PATH']}"} | variables
        done = subprocess.run(
            ["bash", "-c", '. "$0" >/dev/null; [[ $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]]',
             self._folder / "dkms.conf"], env=words, capture_output=True, text=True)
        return done.returncode == 0, done.stderr

    def test_of_its_source(self):
        self.assertEqual((True, ""), self._is_built("8.9.2+deb13-amd64"))

    def test_of_another_version(self):
        built, said = self._is_built("8.9.1+deb13-amd64", headers="8.9.1-1")
        self.assertFalse(built)
        self.assertIn("apt install linux-source-8.9=8.9.1-1 &&", said)
        self.assertEqual((False, ""), self._is_built("8.9.1+deb13-amd64", headers="8.9.1-1",
                                                     action="status"))
        self.assertEqual((True, ""), self._is_built("8.9.1+deb13-amd64", headers="8.9.1-1",
                                                    KDIR="/ready"))

    def test_other_flavours(self):
        for kernel in ("8.9.2+deb13-rt-amd64", "8.9.2+deb13-cloud-amd64", "8.90.2+deb13-amd64",
                       "8.9.2-amd64", "7.0.2+deb13-amd64"):
            with self.subTest(kernel):
                self.assertEqual((False, ""), self._is_built(kernel))


class Preparing(unittest.TestCase):
    """From the kernel's sources to a build directory, with nothing built."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self._folder = Path(folder.name).resolve()
        (self._folder / ".config").write_text("CONFIG_RUST=y\n")
        (self._folder / "Module.symvers").write_text("0 _Rname vmlinux EXPORT_SYMBOL_GPL\n")
        self.enterContext(contextlib.chdir(self._folder))
        self.enterContext(mock.patch.object(build, "version_of", lambda _: "8.9.2-1"))
        self.enterContext(mock.patch.object(build.sys, "argv",
                                            ["build.py", "8.9.2+deb-amd64", ".", "built"]))
        self._free(4 << 30)
        self.enterContext(mock.patch.dict(os.environ))
        os.environ.pop("KDIR", None)
        self.ran = []

    def _free(self, size):
        self.enterContext(mock.patch.object(build.shutil, "disk_usage",
                                            lambda _: mock.Mock(free=size)))

    def _on_the_host(self, argv, **_):
        self.ran.append([str(word) for word in argv])
        return mock.Mock(stdout="post-link")

    def _build(self, module_build):
        with mock.patch.object(build.build_directory, "check_metadata"), \
                mock.patch.object(build.kbuild, "on_the_host", self._on_the_host), \
                mock.patch.object(build.module, "build", module_build):
            build.main()

    def test_unpacks_prepares_and_builds(self):
        module_build = mock.Mock()
        self._build(module_build)
        unpack, prepare, check = self.ran
        self.assertEqual(["tar", "-xf", "/usr/src/linux-source-8.9.tar.xz"], unpack[:3])
        self.assertIn("KERNELRELEASE=8.9.2+deb-amd64", prepare)
        self.assertEqual("klp", check[-1])
        kernel = module_build.call_args.args[0]
        self.assertEqual(self._folder / "kernel/objects", kernel.objdir)

    def test_a_failure_keeps_nothing(self):
        def fails(kernel, *_, **__):
            self.assertTrue((kernel.objdir / ".config").exists())
            raise build.kbuild.BuildFailed("no")

        with self.assertRaises(build.kbuild.BuildFailed):
            self._build(fails)
        self.assertFalse((self._folder / "kernel").exists())

    def test_no_room(self):
        self._free(2 << 30)
        with self.assertRaisesRegex(Failed, "2048 MB free, and .* make room there"):
            self._build(mock.Mock())
        self.assertEqual([], self.ran)


if __name__ == "__main__":
    unittest.main()

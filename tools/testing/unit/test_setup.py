# SPDX-License-Identifier: GPL-2.0
"""The set-up's decisions, and what project.inside promises."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import project
from marks import Mark
from progress import Failed
from remove import remove

sys.path[:0] = [str(project.TOP / "tools/setup"), str(project.TOP / "tools/build")]

import build_directory
import release


class Marks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "deeper" / "mark"

    def test_holds_for_the_same_inputs_only(self):
        self.assertFalse(Mark(self.path, ["a"]).holds())
        Mark(self.path, ["a"]).set()
        self.assertTrue(Mark(self.path, ["a"]).holds())
        self.assertFalse(Mark(self.path, ["a", "b"]).holds())

    def test_an_interrupted_write_is_no_mark(self):
        Mark(self.path, ["a"]).set()
        self.path.rename(self.path.with_name("mark.new"))
        self.assertFalse(Mark(self.path, ["a"]).holds())


def _offer(*kernels):
    """A package index with these (release, series, version of the image, of the source)."""
    lines = []
    for name, series, version, source in kernels:
        for package in release.packages(name, series):
            shown = source if package.startswith("linux-source") else version
            lines.append(f" {package} | {shown} | somewhere trixie-backports/main amd64 Packages")
    names = [line.split()[0] for line in lines] + [f"linux-image-{one[0]}" for one in kernels]

    def query(_program, command, *_names):
        return "\n".join(names if command == "pkgnames" else lines)
    return mock.patch.object(release, "_query", query)


class Releases(unittest.TestCase):
    def chosen(self, wanted, *kernels):
        with _offer(*kernels):
            return release._select(wanted, release._candidates())["release"]

    def test_newest_by_number(self):
        self.assertEqual(self.chosen("", ("8.10.2+deb13-amd64", "8.10", "8.10.2-1", "8.10.2-1"),
                                     ("8.9.11+deb13-amd64", "8.9", "8.9.11-1", "8.9.11-1")),
                         "8.10.2+deb13-amd64")

    def test_source_of_another_version_does_not_count(self):
        self.assertEqual(self.chosen("", ("8.9.3+deb13-amd64", "8.9", "8.9.3-1", "8.9.2-1"),
                                     ("8.9.2+deb13-amd64", "8.9", "8.9.2-1", "8.9.2-1")),
                         "8.9.2+deb13-amd64")

    def test_other_flavours_do_not_count(self):
        with self.assertRaises(Failed):
            self.chosen("", ("8.9.3+deb13-cloud-amd64", "8.9", "8.9.3-1", "8.9.3-1"),
                        ("8.9.3+deb13-rt-amd64", "8.9", "8.9.3-1", "8.9.3-1"))

    def test_series_and_full_release(self):
        offer = (("8.9.3+deb13-amd64", "8.9", "8.9.3-1", "8.9.3-1"),
                 ("8.10.2+deb13-amd64", "8.10", "8.10.2-1", "8.10.2-1"))
        self.assertEqual(self.chosen("8.9", *offer), "8.9.3+deb13-amd64")
        self.assertEqual(self.chosen("8.9.3+deb13-amd64", *offer), "8.9.3+deb13-amd64")

    def test_an_unknown_one_is_refused_with_what_there_is(self):
        with self.assertRaisesRegex(Failed, r"8\.9\.3\+deb13-amd64"):
            self.chosen("8.1", ("8.9.3+deb13-amd64", "8.9", "8.9.3-1", "8.9.3-1"))


class Metadata(unittest.TestCase):
    def check(self, stock, rebuilt):
        with tempfile.TemporaryDirectory() as folder:
            objdir = Path(folder)
            (objdir / "rust").mkdir()
            (objdir / "Module.symvers").write_text(
                "".join(f"0x00000000\t{name}\tvmlinux\tEXPORT_SYMBOL_GPL\t\n" for name in stock))
            (objdir / "rust/exports_core_generated.h").write_text(
                "".join(f"EXPORT_SYMBOL_RUST_GPL({name});\n" for name in rebuilt))
            build_directory.check_metadata(objdir, "8.9")

    def test_equal_names_fit(self):
        self.check(["kfree", "_RNv1", "_RNv2"], ["_RNv2", "_RNv1"])

    def test_another_compilers_names_do_not(self):
        with self.assertRaisesRegex(Failed, "do not fit"):
            self.check(["_RNv1", "_RNv2"], ["_RNv1", "_RNv3"])

    def test_a_kernel_without_rust_is_told_apart(self):
        with self.assertRaisesRegex(Failed, "without CONFIG_RUST"):
            self.check(["kfree"], ["_RNv1"])


class Inside(unittest.TestCase):
    def test_status_directory_and_streams(self):
        done = project.inside(["sh", "-c", "cat; pwd; exit 7"], cwd=project.TOP / "tools",
                              input="in\n", stdout=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stdout), (7, f"in\n{project.TOP}/tools\n"))

    def test_callers_environment_stays_outside(self):
        with mock.patch.dict(os.environ, {"ARCH": "wrong"}):
            done = project.inside(["sh", "-c", "echo $ARCH$GIVEN"], env={"GIVEN": "right"},
                                  stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.stdout, "right\n")

    def test_a_signal_reaches_the_command(self):
        process = project.inside_popen(["sh", "-c", "echo ready; exec sleep 1000"],
                                       stdout=subprocess.PIPE, text=True)
        with process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(), -signal.SIGTERM)

    def test_no_mount_is_seen_outside(self):
        process = project.inside_popen(["sh", "-c", "echo ready; read line"], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with process:
            process.stdout.readline()
            self.assertNotIn(str(project.toolroot()), Path("/proc/self/mountinfo").read_text())
            process.stdin.close()


class Remove(unittest.TestCase):
    def test_a_mount_that_stays_stops_it(self):
        with tempfile.TemporaryDirectory() as folder:
            inner = Path(folder) / "inner"
            inner.mkdir()
            with mock.patch("remove._mounts_below", return_value=[str(inner)]), \
                    mock.patch("subprocess.run", return_value=mock.Mock(returncode=32)) as run, \
                    self.assertRaises(Failed):
                remove(Path(folder))
            run.assert_called_once_with(["umount", str(inner)])

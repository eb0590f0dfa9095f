# SPDX-License-Identifier: GPL-2.0
"""The command's own tests, on the host: what it reads, how it judges and sorts."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest
from pathlib import Path

import guest_programs
import project

_SOURCES = project.TOP / "tools/cli"


class Command(unittest.TestCase):
    def test_passes(self):
        project.BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=project.BUILD) as folder:
            program = Path(folder) / "command"
            project.inside(["rustc", "--edition=2021", "-Coverflow-checks=on", "-Dwarnings",
                            "--test", _SOURCES / "main.rs", "-o", program], check=True)
            done = project.inside([program], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout)
        # Each that is written is in a file that the program is made of.
        written = sum(len(re.findall(r"^\s*#\[test\]", path.read_text(), re.MULTILINE))
                      for path in _SOURCES.glob("*.rs"))
        self.assertIn(f" {written} passed", done.stdout)


_FILES = {
    "mode": "mode accounting tracing\nnative 0 0\n",
    "accounting": "0\n",
    "totals": "name value\nprocesses 2\nwhole 2\nintervals 1\ncalls 317\ntime_ns 94230\n"
              "worst_ns 1900\nstuck 1\nstuck_reported 1\n",
    "stuck": "tid pid for_pid kind age_ns callback module waiting comm\n"
             "815 812 812 whole 12004000000 op_start some_driver 820,821 a vm\n",
    # A field that is not known yet stands before the last one.
    "subscriptions":
        "pid mm id kind start end age_ns calls time_ns worst_ns callback module new comm\n"
        "812 00000000a1b2c3d4 000000000badcafe whole - - 1204000000 7 91230 1877 kvm_start kvm 1 a vm\n"
        "813 00000000a1b2c3d5 0000000000001234 interval 0x7f0000000000 0x7f0000200000 - 310 3000 1900"
        " rdma_start rdma 2 verbs\n"
        "814 00000000a1b2c3d6 000000000badcaff whole - - 5 - - - gpu_start - 3 app\n",
}


class Top(unittest.TestCase):
    """Against files made up, on a terminal and without one."""

    def setUp(self):
        self._program = guest_programs.built("mmu-notifier")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self._folder = Path(folder.name)
        for name, content in _FILES.items():
            (self._folder / name).write_text(content)

    def _run(self, *arguments, name="mmu-notifier"):
        command = [name, *(["top"] if name == "mmu-notifier" else []), "--debugfs", self._folder]
        return subprocess.run([*command, *arguments], executable=self._program,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def test_json(self):
        done = self._run("--json", "--sort", "calls")
        self.assertEqual(0, done.returncode, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual("native", said["mode"]["mode"])
        self.assertEqual(317, said["totals"]["calls"])
        self.assertEqual([820, 821], said["stuck"][0]["waiting"])
        self.assertEqual([813, 812, 814], [one["pid"] for one in said["subscriptions"]])
        whole = said["subscriptions"][1]
        self.assertEqual(("a vm", 1, None, "000000000badcafe"),
                         (whole["comm"], whole["new"], whole["start"], whole["id"]))

    def test_once(self):
        done = self._run(name="mmu-notifier-top")
        self.assertEqual(0, done.returncode, done.stderr)
        lines = done.stdout.splitlines()
        self.assertTrue(lines[1].startswith("STUCK for 12s in op_start [some_driver]: a vm/815 "),
                        lines)
        self.assertEqual(["812", "813", "814"], [line.split()[0] for line in lines[3:]])

    def test_not_there(self):
        (self._folder / "totals").unlink()
        done = self._run("--once")
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("mmu-notifier enable", done.stderr)

    def test_terminal(self):
        with _Terminal(self._program, self._folder, 10, 60) as terminal:
            terminal.wait("STUCK for 12s")
            terminal.wait("sorted by time")
            self.assertEqual("1", (self._folder / "accounting").read_text())
            self.assertFalse(terminal.settings()[3] & termios.ECHO)
            terminal.press(b"c")
            terminal.wait("sorted by calls")
            # The next look finds another driver stuck.
            (self._folder / "stuck").write_text(_FILES["stuck"].replace("op_start", "other"))
            terminal.wait("in other [")
            terminal.resize(10, 12)
            terminal.wait("\x1b[7m    PID COMM\x1b")
            terminal.press(b"q")
            self._left_as_it_was(terminal, terminal.end())

    def test_signal(self):
        for which in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT:
            # Whoever started us may have had some ignored.
            with self.subTest(which), _Terminal(
                    self._program, self._folder, 10, 60,
                    lambda number=which: signal.signal(number, signal.SIG_DFL)) as terminal:
                terminal.wait("STUCK")
                terminal.signal(which)
                self._left_as_it_was(terminal, terminal.end())

    def test_ignored_signal(self):
        """As nohup has it."""
        with _Terminal(self._program, self._folder, 10, 60,
                       lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as terminal:
            terminal.wait("STUCK")
            terminal.signal(signal.SIGHUP)
            terminal.press(b"c")
            terminal.wait("sorted by calls")
            terminal.press(b"q")
            self._left_as_it_was(terminal, terminal.end())

    def test_keys_of_many_bytes(self):
        with _Terminal(self._program, self._folder, 10, 60) as terminal:
            terminal.wait("sorted by time")
            # An arrow, and all that comes with it at once.
            terminal.press(b"\x1b[Acq")
            self._left_as_it_was(terminal, terminal.end())
            self.assertIn("sorted by calls", terminal.said)

    def test_counts_again(self):
        accounting = self._folder / "accounting"
        with _Terminal(self._program, self._folder, 10, 60) as terminal:
            terminal.wait("STUCK")
            # Another one that watched ends.
            accounting.write_text("0\n")
            terminal.wait_until(lambda: accounting.read_text() == "1")
            accounting.unlink()
            accounting.mkdir()
            terminal.wait("not counted: Is a directory")
            accounting.rmdir()
            accounting.write_text("0\n")
            terminal.wait_until(lambda: accounting.read_text() == "1")
            terminal.press(b"q")
            self._left_as_it_was(terminal, terminal.end())

    def test_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([self._program, "top", "--json", "--debugfs", self._folder],
                                  stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                  text=True)
        self.assertEqual(1, done.returncode)
        self.assertIn("cannot write: No space left", done.stderr)

    def test_help(self):
        done = self._run("--help", name="mmu-notifier-top")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("usage: mmu-notifier status", done.stdout)

    def test_stopped(self):
        with _Terminal(self._program, self._folder, 10, 60) as terminal:
            terminal.wait("STUCK")
            terminal.signal(signal.SIGTSTP)
            terminal.wait_stopped()
            self.assertEqual(terminal.before, terminal.settings())
            terminal.signal(signal.SIGCONT)
            terminal.wait("\x1b[?1049h")
            terminal.wait("STUCK")
            terminal.press(b"q")
            self._left_as_it_was(terminal, terminal.end())

    def test_goes_away(self):
        with _Terminal(self._program, self._folder, 10, 60) as terminal:
            terminal.wait("STUCK")
            (self._folder / "stuck").unlink()
            self._left_as_it_was(terminal, terminal.end(), status=1)

    def _left_as_it_was(self, terminal, end, status=0):
        self.assertEqual(status, end)
        self.assertEqual(terminal.before, terminal.settings())
        self.assertIn("\x1b[?25h\x1b[?1049l", terminal.said)
        self.assertEqual("0", (self._folder / "accounting").read_text().strip())


class _Terminal:
    """The program on a terminal of its own."""

    def __init__(self, program, folder, rows, columns, prepare=None):
        self.said = ""
        self._master, self._slave = pty.openpty()
        self.resize(rows, columns)
        self.before = self.settings()
        self._process = subprocess.Popen([program, "top", "--debugfs", folder], stdin=self._slave,
                                         stdout=self._slave, stderr=self._slave,
                                         preexec_fn=prepare)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._master)
        os.close(self._slave)

    def settings(self):
        return termios.tcgetattr(self._slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def press(self, key):
        os.write(self._master, key)

    def signal(self, which):
        self._process.send_signal(which)

    def wait(self, text):
        """Waits until it shows a text, after what was waited for before."""
        deadline = time.monotonic() + 30
        seen = ""
        while text not in seen:
            assert time.monotonic() < deadline, f"does not show {text!r} but {seen[-600:]!r}"
            seen += self._read(1)

    def wait_until(self, holds):
        """Waits until something holds, while the program goes on showing what it shows."""
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, "does not come to be"
            self._read(0.1)

    def wait_stopped(self):
        """Waits until it has stopped itself, as the terminal's Ctrl-Z wants it."""
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def end(self):
        """Waits for its end; returns the status."""
        deadline = time.monotonic() + 30
        while self._process.poll() is None:
            assert time.monotonic() < deadline, "does not end"
            self._read(0.1)
        self._read(0)
        return self._process.returncode

    def _read(self, patience):
        if not select.select([self._master], [], [], patience)[0]:
            return ""
        text = os.read(self._master, 65536).decode(errors="replace")
        self.said += text
        return text

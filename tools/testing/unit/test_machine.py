# SPDX-License-Identifier: GPL-2.0
"""A machine that hangs is ended, and one that died is noticed."""

import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import channel
import machine
import project
import qemu
from guest import Guest
from guest_job import GuestDied, GuestError

# Stand-ins for QEMU: both say that the agent is ready; the first then takes nothing any more, the
# second takes all and does nothing.
_READY = r"printf 'A\0\0\0\0\0\0\0\0'; "
_DEAF = _READY + "exec sleep 1000"
_IDLE = _READY + "cat > /dev/null"
_MORE_THAN_A_PIPE_HOLDS = bytes(1 << 20)


def _on_the_host(argv, **kwargs):
    return subprocess.Popen(argv, **kwargs)


class Hanging(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = Path(scratch.name)
        self.enterContext(mock.patch.object(machine, "_POWER_OFF_TIMEOUT", 0.1))
        kernel = SimpleNamespace(vmlinuz="vmlinuz", patience=1)
        self.enterContext(mock.patch.object(project, "kernel", return_value=kernel))
        self.enterContext(mock.patch.object(project, "inside_popen", _on_the_host))

    def boot(self, script):
        with mock.patch.object(qemu, "command", lambda *_, **__: ["sh", "-c", script]):
            vm = machine.Machine("test", self.directory)
            self.addCleanup(vm.end)
            vm.boot("initramfs", 30)
        return vm

    def test_send(self):
        vm = self.boot(_DEAF)
        with self.assertRaises(GuestDied):
            vm.send(channel.INPUT, 1, _MORE_THAN_A_PIPE_HOLDS, timeout=0.1)
        self.assertIn("took no command", vm.log())

    def test_end(self):
        vm = self.boot(_IDLE)
        vm.end()
        self.assertIn("did not switch off", vm.log())

    def test_end_while_a_command_is_not_taken(self):
        vm = self.boot(_DEAF)
        sender = threading.Thread(target=self._send_in_vain, args=[vm])
        sender.start()
        vm.end()
        sender.join()

    def test_no_garbled_record_ends_the_reading(self):
        vm = self.boot(r"printf 'E\0\0\0\0\1\0\0\0x'; " + _IDLE)
        self.assertIn("not a record of the kernel log: 'x'", vm.log())
        self.assertTrue(vm.alive)

    def test_reader_that_fails_is_the_end_of_the_machine(self):
        with mock.patch.object(threading, "excepthook"), \
                mock.patch.object(machine.GuestLog, "record", side_effect=RuntimeError):
            with self.assertRaises(GuestDied):
                self.boot(r"printf 'E\0\0\0\0\1\0\0\0x'; " + _IDLE)

    def _send_in_vain(self, vm):
        with self.assertRaises(GuestDied):
            vm.send(channel.INPUT, 1, _MORE_THAN_A_PIPE_HOLDS)

    def test_kill_all_wakes_those_who_wait(self):
        vm = self.boot(_IDLE)
        job = vm.start("for ever")
        waking = threading.Timer(0.1, machine.kill_all)
        waking.start()
        with self.assertRaises(GuestError):
            job.wait(1000)
        waking.join()
        self.assertTrue(vm.died_early)

    def test_who_has_not_ended_has_told_of_failures(self):
        vm = self.boot(_IDLE)
        for number, kind, payload in ((1, channel.OUTPUT, b"ok 1 a\nnot ok 2 b\n# not ok\n"),
                                      (2, channel.OUTPUT, b"not ok 1 of one that has ended\n"),
                                      (2, channel.ENDED, bytes(12))):
            if number > len(vm._jobs):
                vm.start("a program")
            with vm.changed:
                vm._take(kind, number, payload)
        self.assertEqual(vm.failures_so_far(), ["not ok 2 b"])


class TakenAway(unittest.TestCase):
    """Of what a guest said that was taken away in its midst, nothing torn counts."""

    def unexpected(self, log, *failures):
        vm = Guest("test")
        vm._machine = SimpleNamespace(log=lambda: log, failures_so_far=lambda: list(failures))
        return vm.unexpected(["expected"])

    def test_complaint_and_failure(self):
        self.assertEqual(self.unexpected("[    1.000001] WARNING: at x", "not ok 1 y"),
                         ["[    1.000001] WARNING: at x", "not ok 1 y"])

    def test_report_of_a_race_that_has_not_ended(self):
        self.assertEqual(self.unexpected("[    1.000001] BUG: KCSAN: data-race in a / b\n"), [])


class Dying(unittest.TestCase):
    """An expected complaint hides nothing but itself."""

    def complaints(self, log, allowed):
        vm = Guest("test")
        vm._machine = SimpleNamespace(ready=True, alive=False, stuck=False, died_early=True,
                                      log=lambda: log)
        return vm.complaints(allowed)

    def test_after_an_expected_warning(self):
        self.assertEqual(self.complaints("[    1.000001] WARNING: at x", ["at x"]),
                         ["test: the guest was gone before its time"])

    def test_by_an_expected_panic(self):
        self.assertEqual(self.complaints("[    1.000001] Kernel panic - x", ["panic"]), [])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0
"""The kernel log of one guest: what the agent streams, and what only the console got."""

import kernel_log

_CONSOLE_TAIL = 40


class GuestLog:
    """Collects the log and writes it to dmesg.log as it comes."""

    def __init__(self, log_dir):
        self.console_path = log_dir / "console.log"
        self._path = log_dir / "dmesg.log"
        self._file = None
        self._pieces = []
        self._next_record = 0

    def open(self):
        self.console_path.unlink(missing_ok=True)
        self._file = open(self._path, "w", encoding="utf-8")

    def close(self):
        self._file.close()

    def text(self):
        return "".join(self._pieces)

    def record(self, record):
        """Takes one record of /dev/kmsg; a gap in their numbers is noted."""
        try:
            sequence, text = kernel_log.from_kmsg(record)
        except ValueError:
            self.remark(f"not a record of the kernel log: {record!r}")
            return
        lost = sequence - self._next_record
        if lost > 0:
            self.remark(f"{lost} records lost")
        self._next_record = sequence + 1
        self._add(text)

    def remark(self, text):
        """Adds a complaint of our own."""
        self._add(f"[log] {text}\n")

    def add_late_console(self):
        """Adds what the agent had no more time to send. The guest must be gone."""
        stamps = (kernel_log.timestamp(text) for text in reversed(self._pieces))
        last = next((stamp for stamp in stamps if stamp is not None), -1.0)
        self._add("".join(line for line in self.console().splitlines(keepends=True)
                          if (kernel_log.timestamp(line) or -1.0) > last))

    def console(self):
        """Returns what the serial console got so far."""
        if not self.console_path.exists():
            return ""
        return self.console_path.read_text(errors="replace")

    def console_tail(self):
        return "\n".join(self.console().splitlines()[-_CONSOLE_TAIL:])

    def _add(self, text):
        self._pieces.append(text)
        self._file.write(text)
        self._file.flush()

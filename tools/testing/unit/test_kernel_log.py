# SPDX-License-Identifier: GPL-2.0
"""The judge of kernel logs: what it must find, and what it must let pass."""

import unittest

import kernel_log

COMPLAINTS = """
WARNING: mm/mmu_notifier.c:342 at mn_hlist_release+0x5a/0x130, CPU#1: exit/812
WARNING: CPU: 1 PID: 812 at mm/mmu_notifier.c:342 mn_hlist_release+0x5a/0x130
WARNING: possible circular locking dependency detected
WARNING: suspicious RCU usage
WARNING: bad unlock balance detected!
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: unable to handle page fault for address: ffffffffc0a00000
BUG: sleeping function called from invalid context at mm/vma.c:1
BUG: scheduling while atomic: swapper/1/0/0x00000002
BUG: Bad page state in process probe  pfn:11f0a
BUG: Bad rss-counter state mm:00000000c1f1c3a4 type:MM_ANONPAGES val:1
BUG kmalloc-128 (Not tainted): Right Redzone overwritten
BUG: KASAN: slab-use-after-free in mn_itree_release+0x1f/0x90
BUG: KFENCE: use-after-free read in mn_hlist_release+0x1f/0x90
BUG: KCSAN: data-race in mmu_interval_read_begin / mn_itree_inv_end
UBSAN: array-index-out-of-bounds in kernel/livepatch/core.c:1:2
Oops: int3: 0000 [#1] SMP NOPTI
Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000
general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]
kernel BUG at mm/mmu_notifier.c:280!
Kernel panic - not syncing: Fatal exception in interrupt
INFO: task insmod:123 blocked for more than 60 seconds.
INFO: task insmod:123 blocked in I/O wait for more than 60 seconds.
INFO: task insmod:123 <writer> blocked on an rw-semaphore likely owned by task x:9 <reader>
rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... } 26 jiffies s: 9
rcu-tasks: INFO: rcu_tasks detected stalls on tasks:
rcu: rcu_preempt kthread timer wakeup didn't happen for 5999 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5)
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: rcu_preempt kthread starved for 5250 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [probe:77]
watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1
list_add corruption. next->prev should be prev (ffff), but was 0000. (next=ffff).
list_del corruption, ffff888->next is LIST_POISON1 (dead000000000100)
slab probe_cache: Slab cache still has objects when called from probe_exit+0x10/0x20
kmem_cache_destroy probe: Slab cache still has objects
refcount_t: underflow; use-after-free.
ODEBUG: free active (active state 0) object: ffff type: rcu_head hint: 0x0
INFO: trying to register non-static key.
probe: page allocation failure: order:9, mode:0xdc0(GFP_KERNEL|__GFP_ZERO)
livepatch: failed to enable patch 'mmu_notifier_rust'
livepatch: pre-patch callback failed for object 'vmlinux'
livepatch: forcing remaining tasks to the patched state
livepatch: symbol 'mmu_notifier_put' not found in symbol table
------------[ ftrace bug ]------------
Memory cgroup out of memory: Killed process 77 (stress) total-vm:32768kB, anon-rss:9000kB
Out of memory: Killed process 77 (stress) total-vm:32768kB, anon-rss:9000kB
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
Call Trace:
[log] 3 records lost
""".strip().splitlines()

BENIGN = """
Command line: console=ttyS0 panic=-1 sysctl.kernel.hung_task_warnings=-1
Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on
mmu_notifier_rust: loading out-of-tree module taints kernel.
mmu_notifier_rust: module verification failed: signature and/or required key missing
livepatch: enabling patch 'mmu_notifier_rust'
livepatch: 'mmu_notifier_rust': starting patching transition
livepatch: 'mmu_notifier_rust': patching complete
livepatch: signaling remaining tasks
livepatch: 'mmu_notifier_rust': starting unpatching transition
probe[123]: segfault at 0 ip 0000000000401136 sp 00007ffc error 6 in probe[401000+1000]
traps: probe[123] general protection fault ip:401136 sp:7ffc error:0 in probe[401000+1000]
clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable
workqueue: do_cache_clean hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND
Memory failure: 0x11f0a: recovery action for dirty LRU page: Recovered
rcu: Hierarchical RCU implementation.
rcu: 	Max phase no-delay instances is 400.
x86/fpu: Enabled xstate features 0x7, context size is 832 bytes, using 'standard' format.
Bluetooth: unlocked
BUGS is the name of a process
""".strip().splitlines()


def stamped(text, second=1):
    return f"[{second:5}.000001] {text}"


class Complaints(unittest.TestCase):
    def test_each_complaint_is_found(self):
        for text in COMPLAINTS:
            with self.subTest(text):
                self.assertEqual(kernel_log.complaints(stamped(text)), [stamped(text)])

    def test_found_whatever_stands_in_front(self):
        for prefix in ("<4>[    1.000001] ", "[    1.000001][   T12] ", ""):
            self.assertEqual(len(kernel_log.complaints(f"{prefix}BUG: x")), 1, prefix)

    def test_benign_lines_pass(self):
        for text in BENIGN:
            with self.subTest(text):
                self.assertEqual(kernel_log.complaints(stamped(text)), [])

    def test_backtrace_belongs_to_its_complaint(self):
        log = "\n".join([stamped("WARNING: one"), stamped("Call Trace:"), stamped("Call Trace:")])
        self.assertEqual(kernel_log.complaints(log), [stamped("WARNING: one")])

    def test_backtrace_that_was_asked_for_passes(self):
        for asked in ("sysrq: Show Blocked State",
                      "stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0",
                      "oom_reaper: unable to reap pid:77 (stress)"):
            log = "\n".join([stamped(asked), stamped("Call Trace:")])
            self.assertEqual(kernel_log.complaints(log), [])

    def test_long_report_is_one(self):
        log = "\n".join([stamped("sysrq: Show Blocked State"),
                         *([stamped("Call Trace:")] + [stamped(" f+0x1/0x2")] * 60) * 3])
        self.assertEqual(kernel_log.complaints(log), [])

    def test_later_backtrace_is_a_complaint(self):
        log = "\n".join([stamped("WARNING: one")] + [stamped("quiet")] * 200
                        + [stamped("Call Trace:", 9)])
        self.assertEqual(kernel_log.complaints(log),
                         [stamped("WARNING: one"), stamped("Call Trace:", 9)])


class Judge(unittest.TestCase):
    LOG = "\n".join([stamped("WARNING: at driver.c:1"), stamped("BUG: other", 2)])

    def test_nothing_allowed(self):
        self.assertEqual(len(kernel_log.judge(self.LOG).failures()), 2)

    def test_allowed_complaint_passes_the_other_stays(self):
        self.assertEqual(kernel_log.judge(self.LOG, ["driver"]).failures(),
                         [stamped("BUG: other", 2)])

    def test_expected_complaint_that_does_not_come_fails(self):
        failures = kernel_log.judge("", ["driver"]).failures()
        self.assertEqual(len(failures), 1)
        self.assertIn("never came", failures[0])

    def test_pattern_is_not_satisfied_by_a_benign_line(self):
        self.assertEqual(kernel_log.judge(stamped("driver loaded"), ["driver"]).missing,
                         ["driver"])


class Records(unittest.TestCase):
    def test_record_becomes_a_line(self):
        self.assertEqual(kernel_log.from_kmsg("4,77,1234567,-;text here\n SUBSYSTEM=x\n"),
                         (77, "[    1.234567] text here\n"))

    def test_escaped_newline_becomes_a_line_of_its_own(self):
        _, text = kernel_log.from_kmsg("4,1,5000000,-;a\\x0aBUG: b")
        self.assertEqual(len(kernel_log.complaints(text)), 1)

    def test_timestamp(self):
        self.assertEqual(kernel_log.timestamp("[   12.500000] x"), 12.5)
        self.assertIsNone(kernel_log.timestamp("no stamp"))


class Taint(unittest.TestCase):
    def test_only_bits_of_complaints_count(self):
        out_of_tree, unsigned, livepatch = 1 << 12, 1 << 13, 1 << 15
        self.assertEqual(kernel_log.taint_complaints(out_of_tree | unsigned | livepatch), [])
        self.assertEqual(kernel_log.taint_complaints(1 << 9), ["W (warning)"])

    def test_bit_needs_a_complaint_of_its_kind(self):
        warning, bad_page = 1 << 9, 1 << 5
        said = [stamped("WARNING: mm/mmu_notifier.c:342 at x")]
        self.assertEqual(kernel_log.taint_complaints(warning, said), [])
        self.assertEqual(kernel_log.taint_complaints(warning | bad_page, said), ["B (bad page)"])


if __name__ == "__main__":
    unittest.main()

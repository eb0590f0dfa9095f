# SPDX-License-Identifier: GPL-2.0
"""Which of upstream's programs are run, with what arguments, and what each needs and must reach."""

from dataclasses import dataclass, replace

# Where the mm selftests are: some look for themselves, or make files, in the current folder.
MM = "/bin/mm"
# A file system with large folios.
DISK = "/tmp/disk"
# A control group with little memory, and one that has all it wants.
LIMITED = "/sys/fs/cgroup/limited"
OPEN = "/sys/fs/cgroup/open"

_START, _END = "invalidate_range_start", "invalidate_range_end"
# What every program with subscribers attached is told of.
_ALWAYS = ("release", _START, _END, "invalidate")


@dataclass(frozen=True)
class Program:
    """A run of a program; `name` tells it from other runs of the same."""

    name: str
    command: str
    # In `make check`, or only in `make upstream`.
    short: bool = True
    huge_pages: int = 0
    # Hooks, or events of a start as "start.MIGRATE", that its subscribers must be called for.
    calls: tuple = ()
    # Gets subscribers that count; otherwise it has its own.
    attached: bool = True
    # What it does can be between a start and its end while exit empties the list.
    races_with_exit: bool = False
    # Why it may fail once on any core: it is run three times on each, and must pass once on both.
    unsteady: str = ""
    # (test, why it fails in this guest, whichever core serves)
    fails: tuple = ()
    # What of its tests' names is another each time.
    varies: str = ""
    # Ends before its children, one of whom goes on in its place.
    forks_away: bool = False
    directory: str = "/tmp"
    # In the shell that becomes the program.
    before: str = ""
    timeout: int = 600
    # The command where all takes many times as long, "" if it is not run there.
    slow_command: str | None = None

    @property
    def program(self):
        """Its name among those that are built."""
        return self.command.split()[0].removeprefix("./").removeprefix("/bin/")

    @property
    def attempts(self):
        return 3 if self.unsteady else 1


def _mm(command, huge_pages=0, calls="", name="", **more):
    return Program(name or command.partition(" ")[0], f"./{command}", huge_pages=huge_pages,
                   calls=_ALWAYS + tuple(calls.split()), directory=MM, **more)


def _long(command, *arguments, **more):
    return _mm(command, *arguments, short=False, timeout=1800, **more)


_SCANS = "it counts what ksmd has merged after two scans, the first of which may be an old one"


def _ksm(arguments, name, **more):
    # Its own limit of two minutes is short on a busy machine.
    return _mm(f"ksm_tests {arguments} -l 1000", name=f"ksm_tests.{name}", **more)


RDMA_CALLBACK = "rxe_ib_invalidate_range"

MM_RUNS = (
    _mm("madv_populate", 0, "start.CLEAR"),
    _mm("process_madv", 0, "start.CLEAR"),
    _mm("mseal_test", 0, "start.UNMAP start.PROTECTION_VMA"),
    _mm("merge", 0, "start.UNMAP start.PROTECTION_PAGE"),
    _mm("mkdirty", 32, "start.CLEAR"),
    # Its child may have released its list when it is reaped: then nobody is called.
    _mm("mrelease_test", races_with_exit=True),
    _mm("rmap", 0, "start.CLEAR start.PROTECTION_PAGE"),
    _mm("prctl_thp_disable", 0, "start.CLEAR start.PROTECTION_VMA"),
    _mm("pfnmap", 0, "start.PROTECTION_PAGE"),
    _mm("memory-failure", 64, "start.CLEAR"),
    _mm("guard-regions", 0, "start.CLEAR start.UNMAP start.PROTECTION_VMA"),
    _mm("pagemap_ioctl", 64, "start.CLEAR start.PROTECTION_VMA", varies=r" Extra pages \d.*"),
    _mm("protection_keys", 64, "start.PROTECTION_VMA", forks_away=True),
    _mm("pkey_sighandler_tests", 0, "start.PROTECTION_VMA"),
    _mm("ksm_functional_tests", 0, "start.CLEAR"),
    _ksm("-M -p 10", "merge", unsteady=_SCANS),
    _ksm("-U", "unmerge", unsteady=_SCANS),
    _ksm("-Z -p 10 -z 0", "zero_pages_0", unsteady=_SCANS),
    _ksm("-Z -p 10 -z 1", "zero_pages_1", unsteady=_SCANS),
    _ksm("-N -m 1", "numa_1", unsteady=_SCANS),
    _ksm("-N -m 0", "numa_0", unsteady=_SCANS),
    _ksm("-P -s 20", "time", calls="start.CLEAR", short=False, timeout=1800),
    _ksm("-H -s 20", "time_huge", calls="start.CLEAR", short=False, timeout=1800),
    _mm("uffd-wp-mremap", 64, "start.UNMAP start.PROTECTION_VMA"),
    _mm("khugepaged all:shmem", name="khugepaged.shmem", calls="start.CLEAR"),
    _mm("gup_longterm", 128, "start.PROTECTION_VMA"),
    _mm("gup_test -u -n 1", name="gup_test.fast"),
    _mm("gup_test -L -n 512", name="gup_test.longterm"),
    _mm("gup_test -ct -F 0x1 0 19 0x1000", name="gup_test.dump"),
    _mm("hugetlb-madvise", 160, "start.CLEAR"),
    _mm("hugetlb-mremap", 160, "start.UNMAP"),
    _mm("hugetlb-mmap", 160),
    _mm("hugetlb-shm", 160),
    _mm("hugetlb_dio", 64, "start.UNMAP"),
    _mm("hugetlb-soft-offline", 64),
    _mm("hugetlb_madv_vs_map", 64, "start.CLEAR start.UNMAP"),
    _mm("mlock2-tests", 0, "start.UNMAP"),
    _mm("mlock-random-test", 0, "start.UNMAP"),
    _mm("map_fixed_noreplace", 0, "start.UNMAP"),
    _mm("map_populate", 0, "start.PROTECTION_PAGE"),
    _mm("mdwe_test", 0, "start.PROTECTION_PAGE"),
    _mm("mremap_dontunmap", 0, "start.UNMAP"),
    _mm("mremap_test", 0, "start.UNMAP"),
    _mm("droppable"),
    _mm("memfd_secret", 0, "start.PROTECTION_PAGE"),
    # Subscribes by itself: its memory regions on demand are intervals.
    Program("rdma_odp", "rdma_odp", attached=False, calls=(RDMA_CALLBACK,)),
    # A million starts.
    _long("hugetlb_fault_after_madv", 64, "start.CLEAR"),
    _long("soft-dirty", 0, "start.SOFT_DIRTY"),
    _long("cow", 128, "start.CLEAR start.UNMAP start.PROTECTION_PAGE"),
    _long("uffd-unit-tests", 128, "start.CLEAR"),
    _long("uffd-stress anon 20 16", name="uffd-stress.anon"),
    _long("uffd-stress shmem 20 16", name="uffd-stress.shmem"),
    _long("uffd-stress hugetlb 128 32", 128, name="uffd-stress.hugetlb"),
    _long("khugepaged all:anon", name="khugepaged.anon", calls="start.CLEAR"),
    _long(f"khugepaged all:file {DISK}", name="khugepaged.file", calls="start.CLEAR"),
    _long(f"split_huge_page_test {DISK}", name="split_huge_page_test", calls="start.CLEAR"),
    _long("folio_split_race_test", 0, "start.CLEAR"),
    _long("transhuge-stress -d 20", name="transhuge-stress", calls="start.CLEAR"),
    _long("compaction_test"),
    _long("migration", 32),
    _long("hugetlb-read-hwpoison", 64),
    _long("va_high_addr_switch"),
    _long("thuge-gen", 64),
)

HMM_RUNS = (
    # A benchmark in it has a limit of its own.
    Program("hmm-tests", "hmm-tests", huge_pages=256, attached=False,
            slow_command="hmm-tests -T benchmark_thp_migration"),
)


def _kvm(command, name="", **more):
    # The whole path: the programs read their own ELF file by it.
    return Program(name or command.partition(" ")[0], f"/bin/{command}", huge_pages=512,
                   attached=False, timeout=900, **more)


def _limited(command, name, aging):
    """With less memory than it uses, so that its pages age and go, found by either LRU."""
    return _kvm(command, f"{name}.limited_{aging}", short=False,
                before=f"echo {aging} > /sys/kernel/mm/lru_gen/enabled && "
                       f"echo $$ > {LIMITED}/cgroup.procs")


KVM_RUNS = (
    _kvm("kvm_page_table_test -b 64M"),
    _kvm("kvm_page_table_test -b 64M -s anonymous_thp", "kvm_page_table_test.thp"),
    _kvm("kvm_page_table_test -b 64M -s shmem", "kvm_page_table_test.shmem"),
    _kvm("kvm_page_table_test -b 64M -s anonymous_hugetlb_2mb", "kvm_page_table_test.hugetlb"),
    _kvm("demand_paging_test -b 4M -u MISSING", "demand_paging_test.missing"),
    _kvm("demand_paging_test -b 4M -u MINOR -s shmem", "demand_paging_test.minor"),
    _kvm("demand_paging_test -b 64M -s anonymous_thp", "demand_paging_test.thp"),
    _kvm("memslot_modification_stress_test", slow_command=""),
    # Ten thousands of slots, which is no test of the notifiers.
    _kvm("set_memory_region_test", slow_command=""),
    # The least that it can be told: one slot of 1 GiB. Huge pages spare it 256 thousand faults,
    # and leave those in which the write protection of each 4 KiB is checked.
    _kvm("mmu_stress_test -c 1 -m 1 -s 1 -H", "mmu_stress_test", slow_command=""),
    _kvm("kvm_page_table_test -b 64M -s shared_hugetlb", "kvm_page_table_test.shared_hugetlb",
         short=False),
    _kvm("access_tracking_perf_test -b 32M -v 1 -w 1", "access_tracking_perf_test", short=False,
         before=f"echo y > /sys/kernel/mm/lru_gen/enabled && echo $$ > {OPEN}/cgroup.procs"),
    _kvm("x86/save_restore_pf_stress_test", "save_restore_pf_stress_test", short=False),
    *(_limited(f"kvm_page_table_test -b 128M{source}", f"kvm_page_table_test{name}", aging)
      for aging in "ny" for name, source in (
          ("", ""), (".shmem", " -s shmem"), (".thp", " -s anonymous_thp"))),
    _limited("dirty_log_perf_test -b 128M -i 2 -v 1", "dirty_log_perf_test", "n"),
)


def chosen(runs, whole=False, names=()):
    """The runs of those names, or all of them, or the short ones."""
    return [run for run in runs if (run.name in names if names else whole or run.short)]


def slow(runs):
    """The runs as they are where all takes many times as long."""
    return [run if run.slow_command is None else replace(run, command=run.slow_command)
            for run in runs if run.slow_command != ""]

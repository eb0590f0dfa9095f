# SPDX-License-Identifier: GPL-2.0
"""What a debug kernel complains of that is no finding about the core.

Each entry names the C code that it comes from, which is the same with either core.
"""

# handle_userfault() in mm/userfaultfd.c, with DEBUG_VM, of a fault by hmm_range_fault() in mm/hmm.c:
# that cannot try again, and fails where userfaultfd protects the page. The torture tests do it.
_HMM_AND_USERFAULTFD = r"FAULT_FLAG_ALLOW_RETRY missing"
# split_huge_pages_write() in mm/huge_memory.c, the file in debugfs, with DEBUG_VM: it does not ask
# whether a folio can be split in that way; one that is being swapped cannot.
_SPLIT_BY_DEBUGFS = r"WARNING: mm/huge_memory\.c:\d+ at __folio_split\+"

# mem_cgroup_migrate() in mm/memcontrol.c, with DEBUG_VM, of pages without a control group that
# dmirror_device_evict_chunk() in lib/test_hmm.c moves when a process with its device dies.
_EVICTED_BY_TEST_HMM = r"WARNING: mm/memcontrol\.c:\d+ at mem_cgroup_migrate\+"

KNOWN = dict.fromkeys(("debug", "kcsan"), (_HMM_AND_USERFAULTFD, _SPLIT_BY_DEBUGFS,
                                           _EVICTED_BY_TEST_HMM))

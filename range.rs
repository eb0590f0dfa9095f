// SPDX-License-Identifier: GPL-2.0

//! The range that the VM is about to invalidate.
//!
//! C header: `include/linux/mmu_notifier.h`.

use kernel::{
    bindings,
    ffi::c_ulong, //
};

/// A `struct mmu_notifier_range` for the length of one call from the VM.
///
/// # Invariants
///
/// The pointee is valid for `'a`, and nobody writes to it meanwhile: callbacks get it const. The
/// subscriptions of its `mm` are set up: the VM calls out of line for no other.
#[derive(Clone, Copy)]
pub(crate) struct Range<'a>(&'a bindings::mmu_notifier_range);

impl<'a> Range<'a> {
    /// Takes the range that the VM passed.
    ///
    /// # Safety
    ///
    /// `ptr` must satisfy the type invariants.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: *const bindings::mmu_notifier_range) -> Self {
        // INVARIANT: By this function's own requirements.
        // SAFETY: By this function's own requirements.
        Self(unsafe { &*ptr })
    }

    /// The range of everything, when an address space is released.
    pub(crate) fn released(mm: *mut bindings::mm_struct) -> bindings::mmu_notifier_range {
        bindings::mmu_notifier_range {
            mm,
            start: 0,
            end: c_ulong::MAX,
            flags: bindings::MMU_NOTIFIER_RANGE_BLOCKABLE,
            event: bindings::mmu_notifier_event_MMU_NOTIFY_RELEASE,
            owner: core::ptr::null_mut(),
        }
    }

    /// As C callbacks take it.
    #[inline]
    pub(crate) fn as_ptr(self) -> *const bindings::mmu_notifier_range {
        self.0
    }

    /// The address space that the range lies in.
    #[inline]
    pub(crate) fn mm(self) -> *mut bindings::mm_struct {
        self.0.mm
    }

    /// First address.
    #[inline]
    pub(crate) fn start(self) -> c_ulong {
        self.0.start
    }

    /// Last address: interval trees hold closed intervals, ranges are half open.
    #[inline]
    pub(crate) fn last(self) -> c_ulong {
        self.0.end.wrapping_sub(1)
    }

    /// Whether callbacks may sleep.
    #[inline]
    pub(crate) fn blockable(self) -> bool {
        self.0.flags & bindings::MMU_NOTIFIER_RANGE_BLOCKABLE != 0
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[kernel::macros::kunit_tests(mmu_notifier_range)]
mod tests {
    use super::*;
    use core::ptr::null_mut;

    fn range(start: c_ulong, end: c_ulong, flags: u32) -> bindings::mmu_notifier_range {
        bindings::mmu_notifier_range {
            mm: null_mut(),
            start,
            end,
            flags,
            event: bindings::mmu_notifier_event_MMU_NOTIFY_CLEAR,
            owner: null_mut(),
        }
    }

    #[test]
    fn ends_before_its_end() {
        for (start, end, last) in [
            (0, 0x1000, 0xfff),
            (0x1000, 0x1001, 0x1000),
            (0x1000, c_ulong::MAX, c_ulong::MAX - 1),
            (c_ulong::MAX, 0, c_ulong::MAX),
        ] {
            let raw = range(start, end, 0);
            // SAFETY: It lives until the end of this turn.
            let range = unsafe { Range::from_raw(&raw) };
            assert_eq!(range.start(), start);
            assert_eq!(range.last(), last);
            assert!(core::ptr::eq(range.as_ptr(), &raw));
        }
    }

    #[test]
    fn may_sleep_by_one_flag() {
        let blockable = bindings::MMU_NOTIFIER_RANGE_BLOCKABLE;
        for (flags, may) in [
            (0, false),
            (!blockable, false),
            (blockable, true),
            (!0, true),
        ] {
            let raw = range(0, 1, flags);
            // SAFETY: It lives until the end of this turn.
            assert_eq!(unsafe { Range::from_raw(&raw) }.blockable(), may);
        }
    }

    #[test]
    fn a_release_is_of_everything() {
        let raw = Range::released(null_mut());
        // SAFETY: It lives until the end.
        let range = unsafe { Range::from_raw(&raw) };
        assert!(range.blockable());
        assert!(raw.event == bindings::mmu_notifier_event_MMU_NOTIFY_RELEASE);
        assert_eq!(range.start(), 0);
        assert_eq!(range.last(), c_ulong::MAX - 1);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The sequence of the interval side's collision-retry protocol.
//!
//! The number is odd while an invalidation that concerns at least one interval subscription runs,
//! even otherwise. It only grows, and wraps; equality is all that anyone asks of two of them.

use kernel::ffi::c_ulong;

/// An invalidate sequence number.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Seq(c_ulong);

impl Seq {
    /// What a new `mm` starts with: even, and more than one step above zero so that
    /// [`Seq::never_begun`] of it is not zero.
    pub(crate) const FIRST: Self = Self(2);

    /// Wraps a number that came from C.
    pub(crate) const fn from_raw(raw: c_ulong) -> Self {
        Self(raw)
    }

    /// The number as C stores it.
    pub(crate) const fn raw(self) -> c_ulong {
        self.0
    }

    /// Whether the interval tree is closed to changes.
    pub(crate) const fn is_invalidating(self) -> bool {
        self.0 & 1 == 1
    }

    /// The sequence once an invalidation has met a subscription.
    #[must_use]
    pub(crate) const fn begun(self) -> Self {
        Self(self.0 | 1)
    }

    /// The sequence once the last invalidation has ended.
    #[must_use]
    pub(crate) const fn ended(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// For a subscription that enters while nothing is being invalidated: odd, not the current
    /// number, and the last one that the sequence will come round to.
    #[must_use]
    pub(crate) const fn never_begun(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[kernel::macros::kunit_tests(mmu_notifier_seq)]
mod tests {
    use super::*;

    #[test]
    fn begins_and_ends_in_turns() {
        let first = Seq::FIRST;
        assert!(!first.is_invalidating());
        let begun = first.begun();
        assert!(begun.is_invalidating());
        assert!(begun != first);
        // The second of two that run does not begin it again.
        assert!(begun.begun() == begun);
        let ended = begun.ended();
        assert!(!ended.is_invalidating());
        assert!(ended != first);
        assert_eq!(ended.raw(), first.raw() + 2);
    }

    #[test]
    fn wraps_and_stays_in_turns() {
        let last = Seq::from_raw(c_ulong::MAX - 1);
        assert!(!last.is_invalidating());
        assert_eq!(last.begun().raw(), c_ulong::MAX);
        assert_eq!(last.begun().ended().raw(), 0);
        assert!(!last.begun().ended().is_invalidating());
        assert_eq!(Seq::from_raw(0).begun().raw(), 1);
    }

    #[test]
    fn never_begun_is_the_last_to_come() {
        for raw in [0, 2, 4, c_ulong::MAX - 1] {
            let now = Seq::from_raw(raw);
            let never = now.never_begun();
            assert!(never.is_invalidating());
            assert!(never != now);
            assert!(never != now.begun());
            assert_eq!(never.ended().raw(), raw);
        }
        assert!(Seq::FIRST.never_begun().raw() != 0);
    }
}

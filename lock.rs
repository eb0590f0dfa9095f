// SPDX-License-Identifier: GPL-2.0

//! One lock of an address space, in a word: imports nothing but `core`.

use core::{
    cell::Cell,
    cmp::Ordering,
    fmt,
    ptr::NonNull, //
};

/// The classes, in the order in which they nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    HugetlbMapping,
    Mapping,
    AnonVma,
}

/// The low bits of a pointer that hold the class.
const CLASS_BITS: u32 = 2;
const CLASS: usize = (1 << CLASS_BITS) - 1;

/// A lock and its class.
///
/// The order is that in which locks nest: by class, then by address.
///
/// # Invariants
///
/// The low bits of the pointer, zero by alignment, are those of the class.
pub(crate) struct Lock<T>(NonNull<T>);

impl<T> Lock<T> {
    /// Names a lock.
    pub(crate) fn new(class: Class, lock: NonNull<T>) -> Self {
        const { assert!(align_of::<T>() > CLASS) };
        // INVARIANT: An aligned pointer has zeroes there.
        Self(lock.map_addr(|address| address | class as usize))
    }

    /// The lock itself.
    pub(crate) fn as_ptr(self) -> *mut T {
        self.0.as_ptr().map_addr(|address| address & !CLASS)
    }

    fn is_private(self) -> bool {
        self.0.addr().get() & CLASS == Class::AnonVma as usize
    }

    fn rank(self) -> usize {
        self.0.addr().get().rotate_right(CLASS_BITS)
    }
}

impl<T> Clone for Lock<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lock<T> {}

impl<T> PartialEq for Lock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Lock<T> {}

impl<T> PartialOrd for Lock<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Lock<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Moves the locks of anon_vmas before those of mappings.
///
/// Every process that maps a library shares the latter; what comes last is held for less long.
pub(crate) fn private_first<T>(locks: &mut [Lock<T>]) {
    let locks = Cell::from_mut(locks).as_slice_of_cells();
    // Stays behind `lock` by the mappings met so far.
    let mut places = locks.iter();
    for lock in locks {
        if lock.get().is_private() {
            if let Some(place) = places.next() {
                lock.set(place.replace(lock.get()));
            }
        }
    }
}

#[cfg(any(test, CONFIG_MMU_NOTIFIER_KUNIT_TEST))]
#[cfg_attr(
    CONFIG_MMU_NOTIFIER_KUNIT_TEST,
    kernel::macros::kunit_tests(mmu_notifier_lock)
)]
mod tests {
    use super::*;

    const CLASSES: [Class; 3] = [Class::HugetlbMapping, Class::Mapping, Class::AnonVma];
    /// Of the largest set, which is on the stack.
    const MANY: usize = 60;

    fn lock(class: Class, address: usize) -> Lock<u64> {
        // SAFETY: Of no address here.
        Lock::new(class, unsafe {
            NonNull::new_unchecked(address as *mut u64)
        })
    }

    /// What locks are made of: all classes, few and extreme addresses, some of them twice.
    fn many(mut seed: u32) -> [(Class, usize); MANY] {
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
            (seed >> 16) as usize % below
        };
        [(); MANY].map(|()| {
            let address = 8 * (1 + random(8));
            let high = [0, 1 << 63, usize::MAX & !0xffff][random(3)];
            (CLASSES[random(3)], address | high)
        })
    }

    #[test]
    fn gives_the_pointer_back() {
        for class in CLASSES {
            for address in [8, 0x1000, 1 << 63, usize::MAX - 7] {
                assert_eq!(lock(class, address).as_ptr() as usize, address);
            }
        }
    }

    #[test]
    fn orders_by_class_and_then_by_address() {
        let set = many(1);
        for (class, address) in set {
            for (other_class, other) in set {
                let want = (class as usize, address).cmp(&(other_class as usize, other));
                let (a, b) = (lock(class, address), lock(other_class, other));
                assert!(a.cmp(&b) == want);
                assert!((a == b) == want.is_eq());
            }
        }
    }

    #[test]
    fn orders_classes_as_they_nest() {
        // At the same and at opposite addresses.
        for (low, high) in [
            (0x1000, 0x1000),
            (0x1000, usize::MAX - 7),
            (usize::MAX - 7, 0x1000),
        ] {
            assert!(lock(Class::HugetlbMapping, low) < lock(Class::Mapping, high));
            assert!(lock(Class::Mapping, low) < lock(Class::AnonVma, high));
        }
    }

    #[test]
    fn parts_without_loss() {
        for count in 0..MANY {
            let mut locks = many(2 + count as u32).map(|(class, address)| lock(class, address));
            let (locks, _) = locks.split_at_mut(count);
            let mut want = many(2 + count as u32).map(|(class, address)| lock(class, address));
            let (want, _) = want.split_at_mut(count);
            private_first(locks);
            assert!(locks.is_sorted_by_key(|lock| !lock.is_private()));
            locks.sort_unstable();
            want.sort_unstable();
            assert!(locks == want);
        }
    }

    #[test]
    fn parts_with_the_private_ones_as_they_were() {
        let (mapping, hugetlb) = (Class::Mapping, Class::HugetlbMapping);
        let private = |address| lock(Class::AnonVma, address);
        let mut locks = [
            lock(mapping, 8),
            private(24),
            lock(hugetlb, 16),
            private(8),
            private(24),
        ];
        private_first(&mut locks);
        assert!(locks[..3] == [private(24), private(8), private(24)]);
    }
}

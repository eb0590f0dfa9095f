// SPDX-License-Identifier: GPL-2.0

//! The next few in order of a set too large to hold: imports nothing but `core`.

use core::{
    cmp::Ordering,
    mem::swap, //
};

/// The `N` smallest, without repeats, of what was offered and lies beyond a bound.
///
/// Going through a set once for each batch of `N` visits it in order in bounded memory.
///
/// # Invariants
///
/// `items[..len]` is strictly ascending, and above `after`.
pub(crate) struct Smallest<T, const N: usize> {
    after: Option<T>,
    items: [Option<T>; N],
    len: usize,
}

impl<T: Copy + Ord, const N: usize> Smallest<T, N> {
    /// Starts with the smallest of all.
    pub(crate) const fn new() -> Self {
        // INVARIANT: Empty.
        Self {
            after: None,
            items: [None; N],
            len: 0,
        }
    }

    /// Starts the next batch, of what is larger than all in this one.
    pub(crate) fn advance(&mut self) {
        self.after = self.iter().last().or(self.after);
        // INVARIANT: Empty.
        self.len = 0;
    }

    /// Whether nothing was left for this batch.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Considers an item.
    pub(crate) fn offer(&mut self, item: T) {
        if self.after.is_some_and(|after| item <= after) {
            return;
        }
        if self.len == N && self.items.last().is_some_and(|&last| last <= Some(item)) {
            return;
        }
        // INVARIANT: The item goes where the order puts it, and each larger one a place further;
        // if the batch was full, the largest falls off the end.
        let mut carried = Some(item);
        for kept in self.items.iter_mut().take(self.len) {
            match (*kept).cmp(&carried) {
                Ordering::Less => {}
                Ordering::Equal => return,
                Ordering::Greater => swap(kept, &mut carried),
            }
        }
        if let Some(free) = self.items.get_mut(self.len) {
            *free = carried;
            self.len = self.len.wrapping_add(1);
        }
    }

    /// The batch in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items.iter().take(self.len).flatten().copied()
    }
}

#[cfg(any(test, CONFIG_MMU_NOTIFIER_KUNIT_TEST))]
#[cfg_attr(
    CONFIG_MMU_NOTIFIER_KUNIT_TEST,
    kernel::macros::kunit_tests(mmu_notifier_smallest)
)]
mod tests {
    use super::*;

    /// Items are less than this, so that a set is a word.
    const ITEMS: u32 = 64;
    const LEN: usize = 100;

    fn random(seed: &mut u32) -> u32 {
        *seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
        *seed >> 16
    }

    /// Whether batches of `N` visit each item of `offers` once and in order, and how many there
    /// are.
    fn visits<const N: usize>(offers: &[u32]) -> Option<usize> {
        let mut left = offers.iter().fold(0u64, |set, item| set | 1 << item);
        let mut batch = Smallest::<u32, N>::new();
        let mut batches = 0;
        loop {
            offers.iter().for_each(|&item| batch.offer(item));
            if batch.is_empty() {
                return (left == 0).then_some(batches);
            }
            batches += 1;
            let before = left.count_ones();
            for item in batch.iter() {
                if left.trailing_zeros() != item {
                    return None;
                }
                left &= left - 1;
            }
            // Each is full but the last.
            if left != 0 && before - left.count_ones() != N as u32 {
                return None;
            }
            batch.advance();
        }
    }

    /// As [`visits`], for sets of every length; and with no more batches than are needed.
    fn visits_all<const N: usize>() -> bool {
        let mut seed = 1;
        (0..LEN).all(|len| {
            let mut offers = [0; LEN];
            offers.fill_with(|| random(&mut seed) % ITEMS);
            let offers = &offers[..len];
            let items = offers
                .iter()
                .fold(0u64, |set, item| set | 1 << item)
                .count_ones();
            visits::<N>(offers) == Some((items as usize).div_ceil(N))
        })
    }

    #[test]
    fn visits_each_once_in_order_in_batches_of_a_few() {
        assert!(visits_all::<1>());
        assert!(visits_all::<2>());
        assert!(visits_all::<3>());
        assert!(visits_all::<4>());
        assert!(visits_all::<5>());
        assert!(visits_all::<6>());
        assert!(visits_all::<7>());
        assert!(visits_all::<8>());
        assert!(visits_all::<9>());
        assert!(visits_all::<10>());
        assert!(visits_all::<11>());
        assert!(visits_all::<12>());
        assert!(visits_all::<13>());
        assert!(visits_all::<14>());
        assert!(visits_all::<15>());
        assert!(visits_all::<16>());
    }

    #[test]
    fn visits_each_once_in_order_in_batches_of_many() {
        assert!(visits_all::<31>());
        assert!(visits_all::<32>());
        assert!(visits_all::<63>());
        assert!(visits_all::<64>());
        assert!(visits_all::<65>());
    }

    #[test]
    fn any_order_of_offers_will_do() {
        // All permutations of five, by Heap's algorithm.
        let (mut items, mut turns, mut i) = ([3, 9, 27, 40, 63], [0; 5], 0);
        assert!(visits::<2>(&items) == Some(3));
        while i < items.len() {
            if turns[i] < i {
                items.swap(if i % 2 == 0 { 0 } else { turns[i] }, i);
                assert!(visits::<1>(&items) == Some(5));
                assert!(visits::<2>(&items) == Some(3));
                assert!(visits::<4>(&items) == Some(2));
                assert!(visits::<5>(&items) == Some(1));
                turns[i] += 1;
                i = 0;
            } else {
                turns[i] = 0;
                i += 1;
            }
        }
    }

    #[test]
    fn goes_on_after_what_has_been_visited() {
        let mut batch = Smallest::<u32, 2>::new();
        batch.advance();
        assert!(batch.is_empty());
        [5, 1, 3].iter().for_each(|&item| batch.offer(item));
        assert!(batch.iter().eq([1, 3]));
        batch.advance();
        [1, 3].iter().for_each(|&item| batch.offer(item));
        assert!(batch.is_empty());
        // An empty batch does not start again.
        batch.advance();
        [3, 4, 5, 6].iter().for_each(|&item| batch.offer(item));
        assert!(batch.iter().eq([4, 5]));
    }
}

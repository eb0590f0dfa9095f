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

#[cfg(test)]
mod tests {
    use super::*;

    fn all_in_order<const N: usize>(set: &[u32]) -> Vec<u32> {
        let mut seen = Vec::new();
        let mut batch = Smallest::<u32, N>::new();
        loop {
            set.iter().for_each(|&item| batch.offer(item));
            if batch.is_empty() {
                return seen;
            }
            seen.extend(batch.iter());
            batch.advance();
        }
    }

    #[test]
    fn visits_each_once_in_order_for_every_batch_size() {
        let mut x = 1u32;
        for len in 0..200 {
            let set: Vec<u32> = (0..len)
                .map(|_| {
                    x = x.wrapping_mul(1664525).wrapping_add(1013904223);
                    (x >> 16) % 97
                })
                .collect();
            let mut want = set.clone();
            want.sort();
            want.dedup();
            assert_eq!(all_in_order::<1>(&set), want);
            assert_eq!(all_in_order::<2>(&set), want);
            assert_eq!(all_in_order::<7>(&set), want);
            assert_eq!(all_in_order::<64>(&set), want);
            assert_eq!(all_in_order::<128>(&set), want);
        }
    }
}

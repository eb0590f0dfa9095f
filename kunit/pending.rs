// SPDX-License-Identifier: GPL-2.0

//! Which pass frees what was put.

// Callbacks of drivers: as the core calls them.
#![allow(clippy::missing_safety_doc)]

use core::cell::UnsafeCell;
use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KBox, //
    },
    prelude::*, //
};

use super::*;
use crate::fixture::{
    Notes,
    Space, //
};

/// A subscription that was put, which notes its number when it is freed.
#[repr(C)]
struct Put<'a> {
    notifier: UnsafeCell<Notifier>,
    number: u32,
    notes: &'a Notes,
}

unsafe extern "C" fn free_notifier(notifier: *mut Notifier) {
    // SAFETY: Called for what this file has put.
    let put = unsafe { &*notifier.cast::<Put<'_>>() };
    put.notes.add(put.number);
}

static OPS: bindings::mmu_notifier_ops = bindings::mmu_notifier_ops {
    free_notifier: Some(free_notifier),
    ..pin_init::zeroed()
};

impl<'a> Put<'a> {
    /// One that `pass` has taken, in front of those of `pending`.
    fn taken(
        pending: &mut Pending,
        pass: usize,
        space: &Space,
        number: u32,
        notes: &'a Notes,
    ) -> Result<KBox<Self>> {
        // SAFETY: Plain data.
        let mut notifier: Notifier = unsafe { core::mem::zeroed() };
        notifier.mm = space.raw();
        notifier.ops = &OPS;
        mm::pin(space.mm());
        let put = KBox::new(
            Self {
                notifier: UnsafeCell::new(notifier),
                number,
                notes,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: It is in its box until it has been freed.
        unsafe {
            let head = NonNull::new_unchecked(&raw mut (*put.notifier.get()).rcu);
            stamp(head).write(pass);
            (*head.as_ptr()).next = pending.first;
            pending.first = head.as_ptr();
        }
        Ok(put)
    }
}

#[kernel::macros::kunit_tests(mmu_notifier_pending)]
mod cases {
    use super::*;

    #[test]
    fn what_nobody_reads_is_freed() -> Result {
        let (space, notes, mut pending) = (Space::new()?, Notes::new(), Pending::new());
        let pins = mm::count(space.mm());
        assert!(pending.is_empty());
        assert!(pending.free_ready(|_, _| true).is_none());
        let _first = Put::taken(&mut pending, 7, &space, 1, &notes)?;
        let _other = Put::taken(&mut pending, 8, &space, 2, &notes)?;
        assert!(!pending.is_empty());
        assert_eq!(mm::count(space.mm()), pins + 2);
        assert!(pending.free_ready(|_, _| false).is_none());
        assert!(notes.are(&[2, 1]));
        assert!(pending.is_empty());
        assert_eq!(mm::count(space.mm()), pins);
        Ok(())
    }

    #[test]
    fn a_reader_keeps_what_is_of_its_own_address_space() -> Result {
        let (notes, mut pending) = (Notes::new(), Pending::new());
        let (quiet, read) = (Space::new()?, Space::new()?);
        let _puts = [
            Put::taken(&mut pending, 3, &quiet, 1, &notes)?,
            Put::taken(&mut pending, 4, &read, 2, &notes)?,
            Put::taken(&mut pending, 5, &quiet, 3, &notes)?,
            Put::taken(&mut pending, 6, &read, 4, &notes)?,
            Put::taken(&mut pending, 7, &quiet, 5, &notes)?,
        ];
        let key = Key::list_of(read.raw());
        // First, last and middle ones go; what stays is what it was.
        assert!(pending.free_ready(|of, _| of == key) == Some(4));
        assert!(notes.are(&[5, 3, 1]));
        assert!(pending.free_ready(|of, _| of == key) == Some(4));
        assert!(notes.are(&[]));
        assert!(pending.free_ready(|_, _| false).is_none());
        assert!(notes.are(&[4, 2]));
        Ok(())
    }

    #[test]
    fn a_reader_keeps_what_was_taken_after_it_came() -> Result {
        let (space, notes, mut pending) = (Space::new()?, Notes::new(), Pending::new());
        let _puts = [
            Put::taken(&mut pending, 3, &space, 1, &notes)?,
            Put::taken(&mut pending, 4, &space, 2, &notes)?,
            Put::taken(&mut pending, 5, &space, 3, &notes)?,
        ];
        for (came, kept, freed) in [
            (3, Some(3), &[][..]),
            (4, Some(4), &[1]),
            (6, None, &[3, 2]),
        ] {
            assert!(pending.free_ready(|_, pass| pass >= came) == kept);
            assert!(notes.are(freed));
        }
        assert!(pending.is_empty());
        Ok(())
    }
}

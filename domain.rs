// SPDX-License-Identifier: GPL-2.0

//! The grace-period domain of one address space: readers walk its list, writers wait for them.
//!
//! Readers are in a slot of [`crate::slots`], and a waiter looks for those of its own address
//! space only. Two things have it wait for the kernel's own domain as well:
//!
//! - While the module is compatible, tasks in C read and wait by the kernel's domain alone. Readers
//!   of this crate enter it then beside their slot, so that C's waiters wait for them; waiters of
//!   this crate wait for both. A reader looks at the mode once it is in its slot: whoever changes
//!   the mode and looks at the slots then misses nobody, see [`crate::monitor`].
//! - A reader that finds every slot of the machine taken enters the kernel's domain instead, and
//!   is counted. It takes hundreds of callbacks that are asleep at once. Nothing that was put is
//!   freed meanwhile.

use core::{
    ffi::c_void,
    ptr, //
};
use kernel::{
    bindings,
    ffi::{
        c_long,
        c_ulong, //
    },
    processor::cpu_relax,
    sync::atomic::{
        ordering::{
            Acquire,
            Full,
            Release, //
        },
        Atomic, //
    },
    task::might_sleep,
    types::NotThreadSafe, //
};

use crate::{
    ffi,
    mode,
    observe::{
        self,
        Wait, //
    },
    slots::{
        self,
        Claim,
        Key,
        Slot, //
    },
    srcu,
    ticks::HZ,
    waiting::Waiting, //
};

/// How often a waiter looks before it sleeps. Most callbacks are shorter than a tick.
const LOOKS: usize = 200;

/// How many readers are in the kernel's domain for want of a slot.
static CROWDED: Atomic<usize> = Atomic::<usize>::new(0);

/// Whether a reader may be in the kernel's domain and in no slot.
///
/// If not, those who were have left, with all that they did. The caller needs a full barrier
/// before, as for [`slots::for_each`].
pub(crate) fn is_crowded() -> bool {
    CROWDED.load(Acquire) != 0
}

/// Tells lockdep, which knows nothing of slots, what SRCU would.
macro_rules! tell_lockdep {
    ($what:ident) => {
        #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
        // SAFETY: No preconditions; each acquire has its release.
        unsafe {
            crate::ffi::$what()
        };
    };
}

/// Tells lockdep that the caller may wait for a section of any domain.
///
/// There is one map for all domains: callbacks of two address spaces that each waited for the
/// other's would wait for ever.
#[inline(always)]
pub(crate) fn assert_may_wait() {
    tell_lockdep!(mmn_domain_sync);
}

/// The domain of an address space.
#[derive(Clone, Copy)]
pub(crate) struct Domain(Key);

impl Domain {
    /// The domain of the list of subscriptions to `mm`.
    #[inline(always)]
    pub(crate) fn of(mm: *mut bindings::mm_struct) -> Self {
        Self(Key::list_of(mm))
    }

    /// Enters a read-side critical section; it ends when the guard is dropped.
    ///
    /// The address space must be pinned for as long.
    ///
    /// Context: any but NMI. The section may sleep if its surroundings may.
    #[inline(always)]
    pub(crate) fn read(self) -> Section {
        tell_lockdep!(mmn_domain_acquire);
        let section = match Claim::first(self.0) {
            // INVARIANT: The slot is somewhere.
            Some(slot) if mode::is_native() => Section {
                slot,
                global: None,
                _not_send: NotThreadSafe,
            },
            slot => self.read_another_way(slot),
        };
        // It may call nothing, and is not to be blamed for what another has called.
        section.note(ptr::null());
        section
    }

    /// Enters a section, if the first slot is free and nothing else has to be heeded: neither
    /// [`crate::mode`] nor [`crate::observe`].
    ///
    /// The slot still says what another has called: to call [`Section::note`] is the caller's.
    ///
    /// Pins and context: as for [`Domain::read`].
    #[inline(always)]
    pub(crate) fn read_plain(self) -> Option<Section> {
        let slot = Claim::first(self.0)?;
        if !mode::is_plain() {
            return None;
        }
        tell_lockdep!(mmn_domain_acquire);
        // INVARIANT: The slot is somewhere.
        Some(Section {
            slot,
            global: None,
            _not_send: NotThreadSafe,
        })
    }

    /// Enters a section for which a slot is not enough, or has to be looked for.
    #[cold]
    #[inline(never)]
    fn read_another_way(self, slot: Option<Claim>) -> Section {
        let slot = slot.unwrap_or_else(|| Claim::another(self.0));
        if slot.is_nowhere() {
            CROWDED.fetch_add(1, Full);
        }
        let global = slot.is_nowhere() || !mode::is_native();
        // INVARIANT: Just entered.
        Section {
            slot,
            global: global.then(|| srcu::Global::get().enter()),
            _not_send: NotThreadSafe,
        }
    }

    /// Waits until every section of this domain that had begun before this call has ended.
    ///
    /// Context: sleeps. Must not be called within a section of this domain.
    #[inline(never)]
    pub(crate) fn synchronize(self) -> GracePeriod {
        might_sleep();
        assert_may_wait();
        // Pairs with the claim of a slot, with `CROWDED`'s increment, and with a change of mode.
        ffi::smp_mb();
        slots::for_each(|_, slot| self.wait_for(slot));
        // The mode is looked at after all unlinking: a reader in C that begins once it has changed
        // does not find what was unlinked.
        if is_crowded() || !mode::is_native() {
            srcu::Global::get().synchronize();
        }
        GracePeriod(())
    }

    /// As [`Domain::synchronize`], and tells observers.
    #[cold]
    #[inline(never)]
    pub(crate) fn synchronize_observed(self) -> GracePeriod {
        let _told = Wait::begin(self.0);
        self.synchronize()
    }

    /// Waits until the reader that is in a slot now, if it is one of this domain, has left.
    fn wait_for(self, slot: Slot) {
        let Some(reader) = slot.occupant().filter(|reader| reader.key == self.0) else {
            return;
        };
        for _ in 0..LOOKS {
            if !slot.is_still_of(reader) {
                return;
            }
            cpu_relax();
        }
        let _seen = Waiting::announce(self.0);
        if observe::is_on() {
            observe::tell_of_reader(slot, reader);
        }
        let mut waited: c_ulong = 0;
        while slot.is_still_of(reader) {
            // An eighth of what it has taken so far, and a tenth of a second at most.
            let pause = (waited / 8).clamp(1, HZ / 10);
            // SAFETY: May sleep, by this function's context.
            unsafe { bindings::schedule_timeout_uninterruptible(pause as c_long) };
            waited = waited.wrapping_add(pause);
        }
    }
}

/// Proof that a grace period has elapsed since it was asked for.
#[must_use = "what was unlinked before the grace period may be released now"]
pub(crate) struct GracePeriod(());

/// A read-side critical section of a [`Domain`].
///
/// # Invariants
///
/// `global` is a section of the kernel's domain that the current task is in until drop; it is there
/// if `slot` is nowhere.
#[must_use = "the section ends when the guard is dropped"]
pub(crate) struct Section {
    slot: Claim,
    global: Option<srcu::Index>,
    _not_send: NotThreadSafe,
}

impl Section {
    /// Says which callback is about to be called, for the eyes of the watchdog.
    #[inline(always)]
    pub(crate) fn note(&self, callback: *const c_void) {
        self.slot.note(callback);
    }
}

impl Drop for Section {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(index) = self.global {
            // SAFETY: By the type invariant.
            unsafe { leave_global(index, self.slot.is_nowhere()) };
        }
        tell_lockdep!(mmn_domain_release);
        // And then the slot is given back.
    }
}

/// Leaves the kernel's domain.
///
/// # Safety
///
/// As for [`srcu::Global::leave`].
#[cold]
#[inline(never)]
unsafe fn leave_global(index: srcu::Index, crowded: bool) {
    // SAFETY: By this function's own requirements.
    unsafe { srcu::Global::get().leave(index) };
    if crowded {
        CROWDED.fetch_sub(1, Release);
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[path = "kunit/domain.rs"]
mod tests;

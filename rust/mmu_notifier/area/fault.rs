// SPDX-License-Identifier: GPL-2.0

//! Faults in a mapping of an area.

use kernel::{
    bindings,
    prelude::*, //
};

use crate::{
    mirror::Fault,
    page::{
        Access,
        PAGE_SIZE, //
    },
};

use super::{
    records::{
        Entered,
        Room, //
    },
    slot::Watch,
    Area,
    AreaOps, //
};

/// What came of an attempt to enter a page with the mmap lock held.
pub(super) enum Attempt {
    /// It is entered.
    Entered,
    /// The source must be asked, which the mmap lock forbids.
    Absent,
    /// There is none to enter, for the reason given.
    Failed(Error),
}

impl<T: AreaOps> Area<T> {
    /// Enters the page at `offset` if the mirror has it.
    ///
    /// # Safety
    ///
    /// Must be called in a fault at `offset` in `vma`, the area's mapping, under its mmap lock.
    #[inline]
    pub(super) unsafe fn enter(
        &self,
        vma: *mut bindings::vm_area_struct,
        offset: usize,
        access: Access,
    ) -> Attempt {
        let shared = &self.shared;
        match shared.place.watch() {
            Watch::On => {}
            Watch::Pending => return Attempt::Absent,
            Watch::Failed => return Attempt::Failed(EFAULT),
        }
        let addr = shared.place.addresses().start + offset;
        // An invalidation may wait for the mirror's lock, and memory for an invalidation: so what
        // is needed under the lock is allocated here. The page tables stay: the mmap lock is held.
        // SAFETY: `vma` is alive; with no function, this allocates page tables and does no more.
        let tables = unsafe {
            bindings::apply_to_page_range(
                (*vma).vm_mm,
                addr,
                PAGE_SIZE,
                None,
                core::ptr::null_mut(),
            )
        };
        let room = match kernel::error::to_result(tables).and_then(|()| Room::new()) {
            Ok(room) => room,
            Err(error) => return Attempt::Failed(error),
        };

        let mut mirror = self.mirror.lock();
        let Some(frame) = mirror.get(shared.source.start + offset, access) else {
            return Attempt::Absent;
        };
        let mut records = shared.records.lock();
        match records.enter(offset, room) {
            Entered::New => shared.ops.entered(),
            Entered::Known => {}
            Entered::Refused => return Attempt::Absent,
        }
        drop(records);
        // SAFETY: By this function's own requirements; the watch is on.
        unsafe { shared.place.enter(vma) };
        // SAFETY: `vma` is alive and its flags do not change under the mmap lock. It maps page
        // frames only, shared. The frame is the source's while the mirror's lock is held, and an
        // invalidation that takes the lock later finds the record.
        let result = unsafe {
            let mut flags = (*vma).__bindgen_anon_2.vm_flags;
            if access == Access::Read {
                flags &= !kernel::mm::virt::flags::WRITE;
            }
            let protection = bindings::vm_get_page_prot(flags);
            bindings::vmf_insert_pfn_prot(vma, addr, frame.pfn(), protection)
        };
        match result {
            bindings::vm_fault_reason_VM_FAULT_NOPAGE => Attempt::Entered,
            _ => Attempt::Failed(EFAULT),
        }
    }

    /// Has the mirror look the page at `offset` up.
    ///
    /// Success says that it is worth to try again, no more.
    ///
    /// Context: sleeps; must not hold an mmap lock.
    #[inline]
    pub(super) fn resolve(&self, offset: usize, access: Access) -> Result {
        let shared = &self.shared;
        shared.place.wait_for_watch();
        if shared.place.watch() == Watch::Failed || shared.records.lock().is_revoked() {
            return Err(EFAULT);
        }
        match self.mirror.fault(shared.source.start + offset, access) {
            Ok(()) | Err(Fault::Collided | Fault::Failed(EINTR)) => Ok(()),
            Err(Fault::Failed(error)) => Err(error),
        }
    }
}

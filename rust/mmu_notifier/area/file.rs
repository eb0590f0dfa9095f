// SPDX-License-Identifier: GPL-2.0

//! The file that an area is mapped by, and what the VM calls on the mapping.

use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    mm::virt::flags,
    module::this_module,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

use crate::{
    ffi,
    interval::IntervalSubscription,
    page::Access, //
};

use super::{
    fault::Attempt,
    slot::Watcher,
    Area,
    AreaOps, //
};

/// The subscription to the process that maps.
type Watch<T> = Pin<KBox<IntervalSubscription<Watcher<<T as AreaOps>::OwnerModule>>>>;

/// What the file keeps.
pub(super) struct Private<T: AreaOps> {
    pub(super) area: Arc<Area<T>>,
    /// Until the file goes, which is after its mapping.
    pub(super) watch: SetOnce<Watch<T>>,
}

/// A reference on the file of an area.
///
/// # Invariants
///
/// Holds a count of the file, whose private data is a [`Private`] in a `KBox`.
pub(super) struct AreaFile<T: AreaOps>(*mut bindings::file, PhantomData<Private<T>>);

impl<T: AreaOps> AreaFile<T> {
    /// Makes a file that maps `area`.
    #[inline]
    pub(super) fn new(area: Arc<Area<T>>, access: Access) -> Result<Self> {
        let private = KBox::into_raw(KBox::new(
            Private {
                area,
                watch: SetOnce::new(),
            },
            GFP_KERNEL,
        )?);
        let mode = match access {
            Access::Read => bindings::O_RDONLY,
            Access::Write => bindings::O_RDWR,
        };
        // SAFETY: The operations are constant, and are those for the private data.
        let file = from_err_ptr(unsafe {
            ffi::mmu_notifier_helper_anon_file(
                c"[area]".as_char_ptr(),
                Self::FILE_OPERATIONS,
                private.cast(),
                mode as c_int,
            )
        });
        match file {
            // INVARIANT: The count is the one that it was made with.
            Ok(file) => Ok(AreaFile(file, PhantomData)),
            Err(error) => {
                // SAFETY: Made above, and nobody has taken it.
                drop(unsafe { KBox::from_raw(private) });
                Err(error)
            }
        }
    }

    #[inline]
    pub(super) fn private(&self) -> &Private<T> {
        // SAFETY: By the type invariants; the private data stays as long as the file.
        unsafe { &*(*self.0).private_data.cast() }
    }

    /// Maps it into the current process; returns the address.
    #[inline]
    pub(super) fn map(&self, at: Option<usize>, len: usize, access: Access) -> Result<usize> {
        const PROT_READ: c_ulong = 1;
        const PROT_WRITE: c_ulong = 2;
        const MAP_SHARED: c_ulong = 1;
        const MAP_FIXED: c_ulong = 16;

        let fixed = if at.is_some() { MAP_FIXED } else { 0 };
        let write = match access {
            Access::Read => 0,
            Access::Write => PROT_WRITE,
        };
        // SAFETY: The file is alive; all else is checked as for `mmap(2)`.
        let addr = unsafe {
            bindings::vm_mmap(
                self.0,
                at.unwrap_or(0),
                len,
                PROT_READ | write,
                MAP_SHARED | fixed,
                0,
            )
        };
        from_err_ptr(addr as *mut c_void).map(|_| addr)
    }

    const FILE_OPERATIONS: &'static bindings::file_operations = &bindings::file_operations {
        owner: this_module::<T::OwnerModule>().as_ptr(),
        mmap: Some(Self::mmap),
        release: Some(Self::release),
        ..pin_init::zeroed()
    };

    const VM_OPERATIONS: &'static bindings::vm_operations_struct =
        &bindings::vm_operations_struct {
            close: Some(Self::close),
            may_split: Some(Self::may_split),
            mremap: Some(Self::mremap),
            fault: Some(Self::fault),
            pfn_mkwrite: Some(Self::pfn_mkwrite),
            ..pin_init::zeroed()
        };

    /// # Safety
    ///
    /// For the VFS: `file` must be one of this type, `vma` must be being set up.
    unsafe extern "C" fn mmap(
        file: *mut bindings::file,
        vma: *mut bindings::vm_area_struct,
    ) -> c_int {
        // The entries are page frames that nobody counts, so there is nothing to copy, dump, expand
        // or pin. `VM_IO` makes `VM_DONTCOPY` permanent.
        const FLAGS: bindings::vm_flags_t =
            flags::IO | flags::PFNMAP | flags::DONTEXPAND | flags::DONTDUMP | flags::DONTCOPY;

        // SAFETY: By this function's own requirements; the private data is as `new` has made it.
        let (private, addresses) = unsafe {
            let bounds = &(*vma).__bindgen_anon_1.__bindgen_anon_1;
            (
                &*(*file).private_data.cast::<Private<T>>(),
                bounds.vm_start..bounds.vm_end,
            )
        };
        if let Err(error) = private
            .area
            .shared
            .place
            .place(addresses, ptr::from_ref(private).cast())
        {
            return error.to_errno();
        }
        // SAFETY: As above; nobody else has seen the VMA.
        unsafe {
            (*vma).__bindgen_anon_2.vm_flags |= FLAGS;
            (*vma).vm_ops = Self::VM_OPERATIONS;
            (*vma).vm_private_data = (*file).private_data;
        }
        0
    }

    /// # Safety
    ///
    /// For the VFS: `file` must be one of this type that nobody uses any more.
    unsafe extern "C" fn release(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The private data was made by `KBox::into_raw`, and the file owns it.
        drop(unsafe { KBox::<Private<T>>::from_raw((*file).private_data.cast()) });
        0
    }

    /// # Safety
    ///
    /// `vma` must map a file of this type, and be alive.
    unsafe fn of_vma<'a>(vma: *mut bindings::vm_area_struct) -> Option<(&'a Area<T>, usize)> {
        // SAFETY: By this function's own requirements; the mapping keeps the file.
        let private = unsafe { &*(*vma).vm_private_data.cast::<Private<T>>() };
        // SAFETY: `vma` is alive; it does not move.
        let start = unsafe { (*vma).__bindgen_anon_1.__bindgen_anon_1.vm_start };
        // `mremap()` copies the mapping before it asks, and then takes the copy away.
        let mapped = private.area.shared.place.addresses();
        (start == mapped.start).then_some((&*private.area, start))
    }

    /// # Safety
    ///
    /// For the VM: `vma` must map a file of this type, and be about to go.
    unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By this function's own requirements.
        if let Some((area, _)) = unsafe { Self::of_vma(vma) } {
            area.close();
        }
    }

    /// An area is mapped and unmapped whole.
    ///
    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn may_split(_: *mut bindings::vm_area_struct, _: c_ulong) -> c_int {
        EINVAL.to_errno()
    }

    /// An area stays where it is.
    ///
    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn mremap(_: *mut bindings::vm_area_struct) -> c_int {
        EINVAL.to_errno()
    }

    /// # Safety
    ///
    /// For the VM: `vmf` must be a fault in a mapping of a file of this type.
    unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        use bindings::{
            fault_flag_FAULT_FLAG_WRITE as FAULT_FLAG_WRITE,
            vm_fault_reason_VM_FAULT_NOPAGE as VM_FAULT_NOPAGE,
            vm_fault_reason_VM_FAULT_SIGBUS as VM_FAULT_SIGBUS, //
        };

        // SAFETY: By this function's own requirements.
        let (vma, addr, how) = unsafe {
            let at = &(*vmf).__bindgen_anon_1;
            (at.vma, at.address & !(PAGE_SIZE - 1), (*vmf).flags)
        };
        // SAFETY: The VM holds the mapping's mmap lock, so `vma` is alive.
        let Some((area, start)) = (unsafe { Self::of_vma(vma) }) else {
            return VM_FAULT_SIGBUS;
        };
        let access = match how & FAULT_FLAG_WRITE {
            0 => Access::Read,
            _ => Access::Write,
        };
        let offset = addr - start;
        // SAFETY: This is a fault there. It holds the mmap lock and not only the lock of the VMA,
        // as the VM does for any file mapping without `map_pages`.
        match unsafe { area.enter(vma, offset, access) } {
            Attempt::Entered => VM_FAULT_NOPAGE,
            Attempt::Failed(error) => failure(error),
            // SAFETY: As above.
            Attempt::Absent => unsafe { Self::resolve(vmf, vma, addr, offset, access) },
        }
    }

    /// Resolves a fault without the mmap lock, where the VM lets it go.
    ///
    /// # Safety
    ///
    /// As for `fault`; `vma`, `addr` and `offset` must be those of the fault.
    unsafe fn resolve(
        vmf: *mut bindings::vm_fault,
        vma: *mut bindings::vm_area_struct,
        addr: usize,
        offset: usize,
        access: Access,
    ) -> bindings::vm_fault_t {
        use bindings::{
            fault_flag_FAULT_FLAG_ALLOW_RETRY as FAULT_FLAG_ALLOW_RETRY,
            fault_flag_FAULT_FLAG_RETRY_NOWAIT as FAULT_FLAG_RETRY_NOWAIT,
            vm_fault_reason_VM_FAULT_RETRY as VM_FAULT_RETRY,
            vm_fault_reason_VM_FAULT_SIGBUS as VM_FAULT_SIGBUS, //
        };

        // SAFETY: By this function's own requirements.
        let how = unsafe { (*vmf).flags };
        if how & FAULT_FLAG_ALLOW_RETRY == 0 {
            // To look into the source under this mmap lock can deadlock with a fault there that
            // looks into this process.
            return VM_FAULT_SIGBUS;
        }
        if how & FAULT_FLAG_RETRY_NOWAIT != 0 {
            return VM_FAULT_RETRY;
        }
        // SAFETY: `vma` is alive until the lock goes; whoever faults keeps the address space.
        let (mm, raw) = unsafe { ((*vma).vm_mm, (*vma).vm_file) };
        // SAFETY: The mapping has the file.
        unsafe { bindings::get_file(raw) };
        // INVARIANT: The count has just been taken.
        let file = AreaFile::<T>(raw, PhantomData);
        // SAFETY: The fault holds it, and `FAULT_FLAG_ALLOW_RETRY` allows it to go.
        unsafe { bindings::mmap_read_unlock(mm) };
        let Err(error) = file.private().area.resolve(offset, access) else {
            return VM_FAULT_RETRY;
        };
        // To fail, the fault must have the lock again, and it must still be this mapping's.
        // SAFETY: As above; no lock is held.
        unsafe { bindings::mmap_read_lock(mm) };
        // SAFETY: Under the lock a mapping that is found is alive. One with the file is the area's,
        // which is mapped once.
        let still = unsafe {
            let now = bindings::vma_lookup(mm, addr);
            now == vma && (*now).vm_file == raw
        };
        if still {
            return failure(error);
        }
        // SAFETY: Taken above.
        unsafe { bindings::mmap_read_unlock(mm) };
        VM_FAULT_RETRY
    }

    /// A write to a page that was entered to read: it leaves, and the next fault enters it to
    /// write. To change the entry in place would race with an invalidation.
    ///
    /// # Safety
    ///
    /// As for `fault`.
    unsafe extern "C" fn pfn_mkwrite(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: By this function's own requirements.
        unsafe {
            let at = &(*vmf).__bindgen_anon_1;
            bindings::zap_special_vma_range(at.vma, at.address & !(PAGE_SIZE - 1), PAGE_SIZE);
        }
        bindings::vm_fault_reason_VM_FAULT_NOPAGE
    }
}

impl<T: AreaOps> Drop for AreaFile<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the count is ours to give back.
        unsafe { bindings::fput(self.0) };
    }
}

/// How a fault ends that cannot be resolved.
#[inline]
fn failure(error: Error) -> bindings::vm_fault_t {
    match error {
        ENOMEM => bindings::vm_fault_reason_VM_FAULT_OOM,
        _ => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
    }
}

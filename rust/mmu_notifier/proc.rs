// SPDX-License-Identifier: GPL-2.0

//! Read-only files under `/proc`, for drivers whose users look for them there.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

use crate::ffi;

/// What a file under `/proc` says.
pub trait Show: Send + Sync + 'static {
    /// Writes all of it.
    ///
    /// Context: of the reading process; sleeps.
    fn show(&self, file: &SeqFile);
}

/// An entry under `/proc`; its drop removes it, and waits until nobody reads it.
///
/// # Invariants
///
/// The entry exists, and so does its parent.
struct Entry(NonNull<bindings::proc_dir_entry>);

// SAFETY: An entry is not tied to a task.
unsafe impl Send for Entry {}
// SAFETY: Nothing is done through a shared reference but to name it as a parent, which the C code
// has a lock for.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { ffi::mmu_notifier_helper_proc_remove(self.0.as_ptr()) };
    }
}

/// A folder in `/proc`.
pub struct ProcFolder(Entry);

impl ProcFolder {
    /// Makes the folder `name`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, which is also what the kernel says for a name that is taken.
    #[inline]
    pub fn new(name: &CStr) -> Result<Arc<Self>> {
        // SAFETY: The name is copied.
        let entry = unsafe { ffi::mmu_notifier_helper_proc_folder(name.as_char_ptr()) };
        let entry = NonNull::new(entry).ok_or(ENOMEM)?;
        // INVARIANT: Just made, in the root, which stays.
        Ok(Arc::new(ProcFolder(Entry(entry)), GFP_KERNEL)?)
    }
}

/// A file in a [`ProcFolder`], readable by all.
///
/// Context of the drop: sleeps until nobody reads it.
pub struct ProcFile<T: Show> {
    // Goes first: until it is gone, readers use the rest.
    _entry: Entry,
    _folder: Arc<ProcFolder>,
    _text: Arc<T>,
}

impl<T: Show> ProcFile<T> {
    /// Makes the file `name`, which must not be taken.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline]
    pub fn new(folder: Arc<ProcFolder>, name: &CStr, text: Arc<T>) -> Result<Self> {
        // SAFETY: The name is copied; `show` gets what it must, which is kept until the entry is
        // gone.
        let entry = NonNull::new(unsafe {
            ffi::mmu_notifier_helper_proc_file(
                name.as_char_ptr(),
                folder.0 .0.as_ptr(),
                Some(show::<T>),
                ptr::from_ref(&*text).cast_mut().cast(),
            )
        });
        Ok(ProcFile {
            // INVARIANT: Just made; the folder is kept beside it.
            _entry: Entry(entry.ok_or(ENOMEM)?),
            _folder: folder,
            _text: text,
        })
    }
}

/// # Safety
///
/// For `seq_file`: `file` must be one whose entry was made with a `T` as its data.
unsafe extern "C" fn show<T: Show>(file: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: By this function's own requirements; the entry cannot go before this returns.
    let text = unsafe { &*(*file).private.cast::<T>() };
    // SAFETY: It is this call's alone.
    text.show(unsafe { SeqFile::from_raw(file) });
    0
}

// SPDX-License-Identifier: GPL-2.0

//! Keeps the code of callbacks loaded.

use kernel::{
    module::this_module,
    prelude::*,
    ModuleMetadata, //
};

use crate::ffi;

/// A reference on a module.
///
/// # Invariants
///
/// Holds one count of `try_module_get()`.
pub(crate) struct ModuleRef(&'static ThisModule);

impl ModuleRef {
    /// Keeps the module `M` from being unloaded.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it is being unloaded already.
    #[inline]
    pub(crate) fn get<M: ModuleMetadata>() -> Result<Self> {
        let module = this_module::<M>();
        // SAFETY: The module is loaded: this is its code.
        if unsafe { ffi::mmu_notifier_helper_module_get(module.as_ptr()) } {
            // INVARIANT: Just taken.
            Ok(ModuleRef(module))
        } else {
            Err(ENODEV)
        }
    }
}

impl Drop for ModuleRef {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants there is a count to give back.
        unsafe { ffi::mmu_notifier_helper_module_put(self.0.as_ptr()) };
    }
}

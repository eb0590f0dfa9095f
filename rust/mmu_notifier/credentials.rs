// SPDX-License-Identifier: GPL-2.0

//! Who may use an object of another process, by the rules of System V IPC.

use kernel::{
    bindings,
    task::{
        Kuid,
        Task, //
    }, //
};

/// The owner of an object, and what others may do with it.
pub struct IpcOwner {
    uid: Kuid,
    gid: bindings::kgid_t,
    /// `rwxrwxrwx`, of which only read and write count.
    mode: u16,
}

impl IpcOwner {
    /// An object that the current process makes: it belongs to its effective user and group.
    #[inline]
    pub fn current(mode: u16) -> Self {
        // SAFETY: The credentials that the current task acts with are its own, and stay while it
        // does not change them.
        let gid = unsafe { (*(*Task::current_raw()).cred).egid };
        IpcOwner {
            uid: Kuid::current_euid(),
            gid,
            mode,
        }
    }

    /// Whether the current process may read the object, and also write it if `write`.
    ///
    /// Of the mode's three parts one counts, even where another would allow more: the owner's for
    /// the same effective user, the group's for members, else the others'. `CAP_IPC_OWNER` allows
    /// everything.
    ///
    /// Context: of a process.
    #[inline]
    pub fn allows_current(&self, write: bool) -> bool {
        let granted = if self.uid == Kuid::current_euid() {
            self.mode >> 6
        } else if self.current_is_member() {
            self.mode >> 3
        } else {
            self.mode
        };
        let wanted = if write { 0o6 } else { 0o4 };
        if granted & wanted == wanted {
            return true;
        }
        // SAFETY: May be called by any process.
        unsafe { bindings::capable(bindings::CAP_IPC_OWNER as i32) }
    }

    #[inline]
    fn current_is_member(&self) -> bool {
        // SAFETY: May be called by any process.
        unsafe { bindings::in_group_p(self.gid) != 0 }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The registered processes, and what all of them share.

use kernel::{
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::{
        Arc,
        Mutex, //
    },
    task::Pid, //
};
use mmu_notifier::proc::{
    ProcFile,
    ProcFolder, //
};

use crate::{
    abi,
    counters::Global,
    ids::{
        tgid_of,
        Ids, //
    },
    link::Link,
    process::Process,
    segment::Segment,
};

/// What every part of the driver needs.
pub(crate) struct Node {
    pub(crate) link: Link,
    pub(crate) ids: Ids,
    pub(crate) global: Arc<Global>,
    pub(crate) folder: Arc<ProcFolder>,
}

/// The processes that have the device open.
///
/// Locks: `opening`, then `known`. Neither is held while something is torn down.
#[pin_data]
pub(crate) struct Registry {
    node: Arc<Node>,
    _file: ProcFile<Global>,
    #[pin]
    known: Mutex<Known>,
    /// One at a time registers, so that names under `/proc` are not taken twice.
    #[pin]
    opening: Mutex<()>,
}

struct Known {
    processes: RBTree<Pid, Registered>,
}

struct Registered {
    process: Arc<Process>,
    opens: usize,
}

impl Known {
    /// Takes a process out, unless another has its number by now.
    fn remove(&mut self, process: &Process) {
        let known = self.processes.get(&process.tgid);
        if known.is_some_and(|known| core::ptr::eq(&*known.process, process)) {
            self.processes.remove(&process.tgid);
        }
    }
}

impl Registry {
    pub(crate) fn new(link: Link) -> Result<Arc<Self>> {
        let folder = ProcFolder::new(c"xpmem")?;
        let global = Arc::new(Global::new(), GFP_KERNEL)?;
        let file = ProcFile::new(folder.clone(), c"global_pages", global.clone())?;
        let node = Node {
            link,
            ids: Ids::new(),
            global,
            folder,
        };
        let node = Arc::new(node, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Registry {
                node,
                _file: file,
                known <- new_mutex!(Known {
                    processes: RBTree::new(),
                }),
                opening <- new_mutex!(()),
            }),
            GFP_KERNEL,
        )
    }

    /// Registers the current process, or counts it once more.
    pub(crate) fn open(&self) -> Result<Arc<Process>> {
        let current = current!();
        let mm = current.mm().ok_or(ESRCH)?;
        let tgid = current.tgid();

        let opening = self.opening.lock();
        let mut known = self.known.lock();
        let mut stale = None;
        if let Some(registered) = known.processes.get_mut(&tgid) {
            if registered.process.has(mm) {
                registered.opens += 1;
                return Ok(registered.process.clone());
            }
            // It has executed another program, or is gone while a child has its file open.
            stale = Some(registered.process.clone());
        }
        if let Some(stale) = &stale {
            known.remove(stale);
        }
        drop(known);

        if let Some(stale) = &stale {
            stale.hide();
        }
        let process = Process::new(&self.node, mm, tgid);
        let registered = process.and_then(|process| {
            let registered = Registered {
                process: process.clone(),
                opens: 1,
            };
            let node = RBTreeNode::new(tgid, registered, GFP_KERNEL)?;
            self.known.lock().processes.insert(node);
            Ok(process)
        });
        drop(opening);
        if let Some(stale) = stale {
            stale.retire();
        }
        registered
    }

    /// Undoes one `open`.
    pub(crate) fn close(&self, process: &Process) {
        let opening = self.opening.lock();
        let mut known = self.known.lock();
        let registered = known.processes.get_mut(&process.tgid);
        // Else another has taken its place, and it is retired.
        if let Some(registered) = registered.filter(|one| core::ptr::eq(&*one.process, process)) {
            registered.opens -= 1;
            if registered.opens != 0 {
                return;
            }
            known.remove(process);
        }
        drop(known);
        process.hide();
        drop(opening);
        process.retire();
    }

    /// The current process.
    ///
    /// # Errors
    ///
    /// [`abi::ERRNO_NOPROC`] if it has not opened the device itself.
    pub(crate) fn current(&self) -> Result<Arc<Process>> {
        let current = current!();
        let process = self.find(current.tgid());
        current
            .mm()
            .and_then(|mm| process.filter(|process| process.has(mm)))
            .ok_or(Error::from_errno(-abi::ERRNO_NOPROC))
    }

    /// The segment with this id, of any process.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the id is not positive; `ENOENT`.
    pub(crate) fn segment(&self, segid: i64) -> Result<Arc<Segment>> {
        let process = self.find(tgid_of(segid)?).ok_or(ENOENT)?;
        process.segment(segid)
    }

    /// Checks that an id that only its owner may use is the current process's.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not positive; `EACCES` if `exists` finds it in another process, `ENOENT`
    /// if there is no such id.
    pub(crate) fn check_owner(
        &self,
        own: &Process,
        id: i64,
        exists: impl FnOnce(&Process) -> bool,
    ) -> Result {
        let tgid = tgid_of(id)?;
        if tgid == own.tgid {
            return Ok(());
        }
        match self.find(tgid) {
            Some(other) if exists(&other) => Err(EACCES),
            _ => Err(ENOENT),
        }
    }

    fn find(&self, tgid: Pid) -> Option<Arc<Process>> {
        let known = self.known.lock();
        let registered = known.processes.get(&tgid)?;
        Some(registered.process.clone())
    }
}

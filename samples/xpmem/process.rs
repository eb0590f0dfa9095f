// SPDX-License-Identifier: GPL-2.0

//! A process that has opened the device: what it exports, may attach and has attached.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    mm::{
        Mm,
        MmWithUser, //
    },
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    str::CString,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    task::Pid, //
};
use mmu_notifier::{
    credentials::IpcOwner,
    proc::ProcFile,
    Access, //
};

use crate::{
    abi,
    attachment::{
        overlap,
        Attachment,
        Attachments,
        Remote, //
    },
    counters::Pages,
    registry::Node,
    segment::{
        Permit,
        Segment, //
    },
};

/// A registered process, by its thread group and address space.
///
/// Locks: `attaching`, then the mmap lock, then `objects`, then a segment's.
#[pin_data]
pub(crate) struct Process {
    pub(crate) tgid: Pid,
    mm: ARef<Mm>,
    node: Arc<Node>,
    pages: Arc<Pages>,
    #[pin]
    objects: Mutex<Objects>,
    /// One at a time attaches or detaches.
    #[pin]
    attaching: Mutex<()>,
    #[pin]
    file: Mutex<Option<ProcFile<Pages>>>,
}

/// How many segments and permits a process can have.
const OBJECTS_MAX: usize = 1 << 16;

struct Objects {
    /// How many segments and permits there are.
    count: usize,
    segments: RBTree<i64, Arc<Segment>>,
    permits: RBTree<i64, Arc<Permit>>,
    attachments: Attachments,
}

impl Objects {
    /// Makes room for a segment or a permit.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the process has too many.
    fn count_one(&mut self) -> Result {
        if self.count == OBJECTS_MAX {
            return Err(EBUSY);
        }
        self.count += 1;
        Ok(())
    }
}

impl Process {
    /// The current process, whose address space is `mm`.
    ///
    /// Its name in the folder must not be taken.
    pub(crate) fn new(node: &Arc<Node>, mm: &MmWithUser, tgid: Pid) -> Result<Arc<Self>> {
        let pages = Arc::new(Pages::new(), GFP_KERNEL)?;
        let name = CString::try_from_fmt(fmt!("{tgid}"))?;
        let file = ProcFile::new(node.folder.clone(), &name, pages.clone())?;
        Arc::pin_init(
            pin_init!(Process {
                tgid,
                mm: ARef::from(&**mm),
                node: node.clone(),
                pages,
                objects <- new_mutex!(Objects {
                    count: 0,
                    segments: RBTree::new(),
                    permits: RBTree::new(),
                    attachments: Attachments::new(),
                }),
                attaching <- new_mutex!(()),
                file <- new_mutex!(Some(file)),
            }),
            GFP_KERNEL,
        )
    }

    /// Whether it is the one with this address space: a later process can have the same number, and
    /// the same process another address space after `execve(2)`.
    pub(crate) fn has(&self, mm: &Mm) -> bool {
        self.mm.as_raw() == mm.as_raw()
    }

    /// `XPMEM_CMD_MAKE`.
    pub(crate) fn make(&self, wanted: &abi::Make) -> Result<i64> {
        let owner = IpcOwner::current(wanted.mode);
        let id = self.node.ids.next(self.tgid);
        let mm = self.mm.clone();
        let pages = self.pages.clone();
        let segment = Segment::new(id, mm, wanted.start, wanted.size, owner, pages)?;
        let node = RBTreeNode::new(id, segment, GFP_KERNEL_ACCOUNT)?;
        let mut objects = self.objects.lock();
        objects.count_one()?;
        objects.segments.insert(node);
        Ok(id)
    }

    /// `XPMEM_CMD_REMOVE`; the id must be one of this process.
    pub(crate) fn remove(&self, segid: i64) -> Result {
        let mut objects = self.objects.lock();
        let segment = objects.segments.remove(&segid).ok_or(ENOENT)?;
        objects.count -= 1;
        drop(objects);
        segment.remove();
        Ok(())
    }

    /// The segment with this id.
    pub(crate) fn segment(&self, segid: i64) -> Result<Arc<Segment>> {
        let segment = self.objects.lock().segments.get(&segid).cloned();
        segment.filter(|segment| segment.is_there()).ok_or(ENOENT)
    }

    /// `XPMEM_CMD_GET`, for a segment of any process.
    pub(crate) fn get(&self, segment: Arc<Segment>, write: bool) -> Result<i64> {
        if !segment.owner.allows_current(write) {
            return Err(EACCES);
        }
        let id = self.node.ids.next(self.tgid);
        let permit = Permit { id, segment, write };
        let node = RBTreeNode::new(
            id,
            Arc::new(permit, GFP_KERNEL_ACCOUNT)?,
            GFP_KERNEL_ACCOUNT,
        )?;
        let mut objects = self.objects.lock();
        objects.count_one()?;
        objects.permits.insert(node);
        Ok(id)
    }

    /// Whether there is a permit with this id.
    pub(crate) fn has_permit(&self, apid: i64) -> bool {
        self.objects.lock().permits.get(&apid).is_some()
    }

    /// `XPMEM_CMD_RELEASE`, by the process itself.
    pub(crate) fn release(&self, apid: i64) -> Result {
        let mut objects = self.objects.lock();
        let permit = objects.permits.remove(&apid).ok_or(ENOENT)?;
        objects.count -= 1;
        drop(objects);
        let attaching = self.attaching.lock();
        // Unmapping takes the attachment out of the list.
        while let Some(attachment) = self.find(|one| one.ops().permit.id == apid) {
            attachment.unmap().unwrap_or_else(|_| attachment.revoke());
            self.forget(&attachment);
        }
        drop(attaching);
        drop(permit);
        Ok(())
    }

    /// `XPMEM_CMD_ATTACH`, by the process itself; returns the address.
    pub(crate) fn attach(self: &Arc<Self>, wanted: &abi::Attach) -> Result<usize> {
        let permit = self.objects.lock().permits.get(&wanted.apid).cloned();
        let permit = permit.ok_or(ENOENT)?;
        let segment = &permit.segment;
        let end = wanted.offset.checked_add(wanted.size).ok_or(EINVAL)?;
        if !segment.is_there() {
            return Err(ENOENT);
        }
        if end > segment.size {
            return Err(EINVAL);
        }
        let source = segment.start + wanted.offset..segment.start + end;
        let at = wanted.at.map(|at| at..at + wanted.size);
        if at
            .as_ref()
            .is_some_and(|at| self.has(&segment.mm) && overlap(at, &source))
        {
            return Err(EINVAL);
        }
        let access = if permit.write {
            Access::Write
        } else {
            Access::Read
        };

        let exporter = segment.mm.mmget_not_zero().ok_or(ENOENT)?;
        let remote = Remote {
            attacher: self.clone(),
            permit: permit.clone(),
            node: self.node.clone(),
        };
        let attachment = Attachment::new(&exporter, source, remote)?;
        drop(exporter);

        let _attaching = self.attaching.lock();
        if let Some(at) = &at {
            if self.find(|one| overlap(&one.addresses(), at)).is_some() {
                return Err(EINVAL);
            }
        }
        // Before it is mapped: it can be unmapped at once.
        self.add(&attachment)
            .and_then(|()| segment.add(&attachment))
            .and_then(|()| attachment.map(wanted.at, access))
            .inspect_err(|_| {
                segment.forget(&attachment);
                self.forget(&attachment);
            })
    }

    /// `XPMEM_CMD_DETACH`, by the process itself.
    pub(crate) fn detach(&self, addr: usize) -> Result {
        let _attaching = self.attaching.lock();
        let attachment = self.find(|one| one.addresses().contains(&addr));
        attachment.ok_or(EINVAL)?.unmap()
    }

    /// Forgets an attachment, if it is known.
    ///
    /// Context: as `AreaOps::closed`.
    pub(crate) fn forget(&self, attachment: &Attachment) {
        let forgotten = self.objects.lock().attachments.remove(attachment);
        drop(forgotten);
    }

    /// Takes the process's file away, so that its name is free.
    pub(crate) fn hide(&self) {
        let file = self.file.lock().take();
        drop(file);
    }

    /// Takes everything back: nobody has the process registered any more.
    ///
    /// Context: sleeps.
    pub(crate) fn retire(&self) {
        self.hide();
        let segments = core::mem::take(&mut self.objects.lock().segments);
        for segment in segments.values() {
            segment.remove();
        }
        let attaching = self.attaching.lock();
        let mut objects = self.objects.lock();
        let attachments = objects.attachments.close();
        let permits = core::mem::take(&mut objects.permits);
        drop(objects);
        let current = current!();
        let is_ours = current.mm().is_some_and(|mm| self.has(mm));
        for attachment in &attachments {
            let unmapped = if is_ours {
                attachment.unmap()
            } else {
                Err(ESRCH)
            };
            unmapped.unwrap_or_else(|_| attachment.revoke());
        }
        drop(attaching);
        drop(permits);
    }

    fn add(&self, attachment: &Arc<Attachment>) -> Result {
        let mut objects = self.objects.lock();
        // It can have been released while the attachment was made.
        objects
            .permits
            .get(&attachment.ops().permit.id)
            .ok_or(ENOENT)?;
        objects.attachments.add(attachment)
    }

    fn find(&self, like: impl Fn(&Attachment) -> bool) -> Option<Arc<Attachment>> {
        let objects = self.objects.lock();
        let found = objects.attachments.iter().find(|one| like(one));
        found.cloned()
    }
}

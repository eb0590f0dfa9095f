// SPDX-License-Identifier: GPL-2.0

//! What a process exports, and the permits of others to attach it.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    mm::Mm,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};
use mmu_notifier::credentials::IpcOwner;

use crate::{
    attachment::{
        Attachment,
        Attachments, //
    },
    counters::Pages,
};

/// A range of an address space that others can attach.
#[pin_data]
pub(crate) struct Segment {
    pub(crate) id: i64,
    pub(crate) mm: ARef<Mm>,
    pub(crate) start: usize,
    pub(crate) size: usize,
    pub(crate) owner: IpcOwner,
    /// Of the exporter.
    pub(crate) pages: Arc<Pages>,
    #[pin]
    attachments: Mutex<Attachments>,
}

impl Segment {
    pub(crate) fn new(
        id: i64,
        mm: ARef<Mm>,
        start: usize,
        size: usize,
        owner: IpcOwner,
        pages: Arc<Pages>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Segment {
                id,
                mm,
                start,
                size,
                owner,
                pages,
                attachments <- new_mutex!(Attachments::new()),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Whether the exporter lives and has not taken the segment back.
    pub(crate) fn is_there(&self) -> bool {
        self.mm.mmget_not_zero().is_some() && self.attachments.lock().is_open()
    }

    /// # Errors
    ///
    /// `ENOENT` if the segment is taken back; `ENOMEM`.
    pub(crate) fn add(&self, attachment: &Arc<Attachment>) -> Result {
        self.attachments.lock().add(attachment)
    }

    /// Forgets an attachment, if it is known.
    ///
    /// Context: as `AreaOps::closed`.
    pub(crate) fn forget(&self, attachment: &Attachment) {
        let forgotten = self.attachments.lock().remove(attachment);
        drop(forgotten);
    }

    /// Takes the segment back, and the attachments with it.
    ///
    /// Context: sleeps.
    pub(crate) fn remove(&self) {
        let attachments = self.attachments.lock().close();
        for attachment in &attachments {
            attachment.revoke();
        }
    }
}

/// The right to attach a segment.
pub(crate) struct Permit {
    pub(crate) id: i64,
    pub(crate) segment: Arc<Segment>,
    pub(crate) write: bool,
}

// SPDX-License-Identifier: GPL-2.0

//! Parts of a segment that are mapped, as if on another node, behind a link.

use core::ops::Range;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use mmu_notifier::area::{
    Area,
    AreaOps,
    Zap, //
};

use crate::{
    counters,
    process::Process,
    registry::Node,
    segment::{
        Permit,
        Segment, //
    },
};

/// A part of a segment in the address space of an attacher.
pub(crate) type Attachment = Area<Remote>;

/// What an attachment belongs to.
///
/// The process and the segment know their attachments in turn; [`AreaOps::closed`] ends that.
pub(crate) struct Remote {
    pub(crate) attacher: Arc<Process>,
    pub(crate) permit: Arc<Permit>,
    pub(crate) node: Arc<Node>,
}

impl Remote {
    fn segment(&self) -> &Segment {
        &self.permit.segment
    }
}

#[vtable]
impl AreaOps for Remote {
    fn tear_down(&self, zap: &mut Zap<'_>) {
        self.node.link.request(|| zap.run());
    }

    fn entered(&self) {
        counters::entered(&self.node.global, &self.segment().pages);
    }

    fn left(&self, pages: usize) {
        counters::left(&self.node.global, &self.segment().pages, pages);
    }

    fn closed(area: &Attachment) {
        let this = area.ops();
        this.segment().forget(area);
        this.attacher.forget(area);
    }
}

/// A list of attachments, until it is closed.
pub(crate) struct Attachments(Option<KVec<Arc<Attachment>>>);

impl Attachments {
    pub(crate) fn new() -> Self {
        Attachments(Some(KVec::new()))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Attachment>> {
        self.0.iter().flatten()
    }

    /// # Errors
    ///
    /// `ENOENT` if the list is closed; `ENOMEM`.
    pub(crate) fn add(&mut self, attachment: &Arc<Attachment>) -> Result {
        let list = self.0.as_mut().ok_or(ENOENT)?;
        list.push(attachment.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Takes an attachment out, for the caller to drop without the lock.
    pub(crate) fn remove(&mut self, attachment: &Attachment) -> Option<Arc<Attachment>> {
        let list = self.0.as_mut()?;
        let index = list
            .iter()
            .position(|known| core::ptr::eq(&**known, attachment))?;
        list.remove(index).ok()
    }

    /// Closes the list and takes all attachments out.
    pub(crate) fn close(&mut self) -> KVec<Arc<Attachment>> {
        self.0.take().unwrap_or_default()
    }
}

/// Whether two ranges have an address in common.
pub(crate) fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

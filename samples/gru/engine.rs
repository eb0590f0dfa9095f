// SPDX-License-Identifier: GPL-2.0

//! Works on memory through a TLB.
//!
//! What is read goes through buffers of the engine's own: source and destination need not both be
//! in the TLB at once, and no user memory is touched under its lock but through translations.

use kernel::prelude::*;
use mmu_notifier::PAGE_SIZE;

use crate::{
    instruction::{
        Instruction,
        WORD, //
    },
    tlb::{
        left_in_page,
        Tlb, //
    },
};

/// Carries out instructions on one TLB.
pub(crate) struct Engine<'a> {
    tlb: &'a dyn Tlb,
    /// A page each.
    data: KVec<u8>,
    indexes: KVec<u8>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(tlb: &'a dyn Tlb) -> Result<Self> {
        Ok(Engine {
            tlb,
            data: KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?,
            indexes: KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?,
        })
    }

    /// Carries out an instruction.
    ///
    /// Context: sleeps.
    pub(crate) fn execute(&mut self, instruction: Instruction) -> Result {
        match instruction {
            Instruction::Copy { dst, src, length } if dst > src && dst - src < length => {
                self.copy_descending(dst, src, length)
            }
            Instruction::Copy { dst, src, length } => self.copy_ascending(dst, src, length),
            Instruction::Fill { dst, length, value } => self.fill(dst, length, value),
            Instruction::Gather {
                dst,
                src,
                index,
                length,
            } => self.gather(dst, src, index, length),
        }
    }

    /// Copies what lies in one page on either side.
    fn copy_piece(&mut self, dst: usize, src: usize, length: usize) -> Result {
        let data = &mut self.data[..length];
        self.tlb.read(src, data)?;
        self.tlb.write(dst, data)
    }

    fn copy_ascending(&mut self, dst: usize, src: usize, length: usize) -> Result {
        let mut done = 0;
        while done < length {
            let (dst, src) = (dst + done, src + done);
            let piece = (length - done)
                .min(left_in_page(dst))
                .min(left_in_page(src));
            self.copy_piece(dst, src, piece)?;
            done += piece;
        }
        Ok(())
    }

    fn copy_descending(&mut self, dst: usize, src: usize, length: usize) -> Result {
        let before_in_page = |end: usize| (end - 1) % PAGE_SIZE + 1;
        let mut left = length;
        while left > 0 {
            let piece = left
                .min(before_in_page(dst + left))
                .min(before_in_page(src + left));
            left -= piece;
            self.copy_piece(dst + left, src + left, piece)?;
        }
        Ok(())
    }

    fn fill(&mut self, dst: usize, length: usize, value: u64) -> Result {
        let word = value.to_ne_bytes();
        let mut done = 0;
        while done < length {
            let piece = (length - done).min(left_in_page(dst + done));
            let data = &mut self.data[..piece];
            for (byte, value) in data.iter_mut().zip(word.iter().cycle().skip(done % WORD)) {
                *byte = *value;
            }
            self.tlb.write(dst + done, data)?;
            done += piece;
        }
        Ok(())
    }

    fn gather(&mut self, dst: usize, src: usize, index: usize, length: usize) -> Result {
        let mut done = 0;
        while done < length {
            let (dst, index) = (dst + done, index + done);
            let piece = (length - done)
                .min(left_in_page(dst))
                .min(left_in_page(index));
            let data = &mut self.data[..piece];
            let indexes = &mut self.indexes[..piece];
            self.tlb.read(index, indexes)?;
            for (word, index) in data.chunks_exact_mut(WORD).zip(indexes.chunks_exact(WORD)) {
                self.tlb.read(element(src, index)?, word)?;
            }
            self.tlb.write(dst, data)?;
            done += piece;
        }
        Ok(())
    }
}

/// The address of an array's element, from the index as it stands in memory.
fn element(array: usize, index: &[u8]) -> Result<usize> {
    let index = u64::from_ne_bytes(index.try_into().map_err(|_| EINVAL)?) as usize;
    index
        .checked_mul(WORD)
        .and_then(|offset| array.checked_add(offset))
        .ok_or(EINVAL)
}

// SPDX-License-Identifier: GPL-2.0

//! What an instruction asks for, as far as it makes sense.

use kernel::{
    prelude::*,
    uaccess::UserSliceReader, //
};

/// Bytes of `struct gru_instruction`.
pub(crate) const SIZE: usize = 40;
/// Where its status is.
pub(crate) const STATUS: usize = 4;
/// Bytes of a word.
pub(crate) const WORD: usize = size_of::<u64>();

const LENGTH_MAX: usize = 1 << 30;

const OP_COPY: u32 = 1;
const OP_FILL: u32 = 2;
const OP_GATHER: u32 = 3;

/// `struct gru_instruction` as it was read.
pub(crate) struct Raw {
    op: u32,
    dst: usize,
    src: usize,
    length: usize,
    value: u64,
}

impl Raw {
    pub(crate) fn read(reader: &mut UserSliceReader) -> Result<Self> {
        let [op, _status]: [u32; 2] = reader.read()?;
        let [dst, src, length, value]: [u64; 4] = reader.read()?;
        Ok(Raw {
            op,
            dst: dst as usize,
            src: src as usize,
            length: length as usize,
            value,
        })
    }
}

/// An instruction whose arrays do not run past the end of the address space.
pub(crate) enum Instruction {
    Copy {
        dst: usize,
        src: usize,
        length: usize,
    },
    Fill {
        dst: usize,
        length: usize,
        value: u64,
    },
    /// All are multiples of [`WORD`].
    Gather {
        dst: usize,
        src: usize,
        index: usize,
        length: usize,
    },
}

impl TryFrom<Raw> for Instruction {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        match raw.op {
            OP_COPY if raw.value == 0 => {
                array(raw.src, raw.length)?;
                array(raw.dst, raw.length)?;
                Ok(Instruction::Copy {
                    dst: raw.dst,
                    src: raw.src,
                    length: raw.length,
                })
            }
            OP_FILL if raw.src == 0 && raw.length % WORD == 0 => {
                array(raw.dst, raw.length)?;
                Ok(Instruction::Fill {
                    dst: raw.dst,
                    length: raw.length,
                    value: raw.value,
                })
            }
            OP_GATHER => {
                let index = raw.value as usize;
                let length = raw.length.checked_mul(WORD).ok_or(EINVAL)?;
                array(index, length)?;
                array(raw.dst, length)?;
                if (raw.dst | raw.src | index) % WORD != 0 {
                    return Err(EINVAL);
                }
                Ok(Instruction::Gather {
                    dst: raw.dst,
                    src: raw.src,
                    index,
                    length,
                })
            }
            _ => Err(EINVAL),
        }
    }
}

/// Accepts an array of reasonable length that ends before the addresses do.
fn array(start: usize, length: usize) -> Result {
    let fits = start.checked_add(length).is_some();
    if fits && length != 0 && length <= LENGTH_MAX {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

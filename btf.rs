// SPDX-License-Identifier: GPL-2.0

//! Reads the layout of a structure out of raw BTF, the kernel's own description of its types.
//!
//! A reader for whatever is in memory: every access is checked, nothing is allocated, nothing
//! panics, and each step consumes input. What it does not know it refuses, since the length of an
//! unknown record, and with it the place of all that follow, is unknown too.
//!
//! Imports `core` alone, so that the tests below run on any machine:
//! `rustc --edition 2021 --test btf.rs`.

/// Why a blob cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Error {
    /// Not BTF, or not of this machine's byte order.
    Magic,
    /// A version of the format other than 1.
    Version(u8),
    /// Something ends beyond the end of what holds it.
    Truncated,
    /// A record of a kind that this reader does not know.
    Kind(u32),
    /// No structure of that name.
    Missing,
    /// More than one structure of that name.
    Ambiguous,
    /// A member's type has no size, or none that can be found.
    Unsized,
}

const MAGIC: u16 = 0xeb9f;

// The kinds of records, by what follows their first three words.
const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FWD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const FLOAT: u32 = 16;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// A record is three words, and then what its kind says.
const RECORD: usize = 12;
/// A member is three words: name, type, offset.
const MEMBER: usize = 12;
/// More typedefs and qualifiers in a row than any sane type has.
const MAX_DEPTH: usize = 16;

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    let chunk = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*chunk))
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let chunk = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*chunk))
}

/// The part of `bytes` that two words at `at` describe: its offset and its length.
fn section<'a>(header: &[u8], at: usize, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let offset = word(header, at)? as usize;
    let length = word(header, at.checked_add(4)?)? as usize;
    bytes.get(offset..)?.get(..length)
}

/// A blob of BTF.
#[derive(Clone, Copy)]
pub(crate) struct Btf<'a> {
    records: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Btf<'a> {
    /// Finds the sections of a blob; it need not be aligned.
    pub(crate) fn new(blob: &'a [u8]) -> Result<Self, Error> {
        if half(blob, 0).ok_or(Error::Truncated)? != MAGIC {
            return Err(Error::Magic);
        }
        let version = *blob.get(2).ok_or(Error::Truncated)?;
        if version != 1 {
            return Err(Error::Version(version));
        }
        Self::sections(blob).ok_or(Error::Truncated)
    }

    fn sections(blob: &'a [u8]) -> Option<Self> {
        let length = word(blob, 4)? as usize;
        let (header, body) = blob.split_at_checked(length)?;
        Some(Self {
            records: section(header, 8, body)?,
            strings: section(header, 16, body)?,
        })
    }

    fn records(&self) -> Records<'a> {
        Records { rest: self.records }
    }

    fn string(&self, offset: u32) -> Result<&'a [u8], Error> {
        let tail = self.strings.get(offset as usize..);
        tail.and_then(|tail| tail.split(|&byte| byte == 0).next())
            .ok_or(Error::Truncated)
    }

    /// The one structure called `name`.
    pub(crate) fn structure(&self, name: &str) -> Result<Structure<'a>, Error> {
        let mut found = Err(Error::Missing);
        for record in self.records() {
            let record = record?;
            if record.kind != STRUCT || self.string(record.name)? != name.as_bytes() {
                continue;
            }
            if found.is_ok() {
                return Err(Error::Ambiguous);
            }
            found = Ok(Structure { btf: *self, record });
        }
        found
    }

    /// The sizes in bytes of the types `ids`, all in one go: a type is found by reading every
    /// record before it.
    pub(crate) fn sizes<const N: usize>(&self, ids: [u32; N]) -> Result<[u32; N], Error> {
        let mut wanted = ids.map(Some);
        let mut sizes = [0; N];
        // Void has no record.
        for _ in 0..MAX_DEPTH {
            for (id, record) in (1..=u32::MAX).zip(self.records()) {
                let record = record?;
                for (wanted, size) in wanted.iter_mut().zip(&mut sizes) {
                    if *wanted == Some(id) {
                        *wanted = record.alias();
                        if wanted.is_none() {
                            *size = record.size().ok_or(Error::Unsized)?;
                        }
                    }
                }
            }
            if wanted.iter().all(Option::is_none) {
                return Ok(sizes);
            }
        }
        Err(Error::Unsized)
    }
}

/// One type.
#[derive(Clone, Copy)]
struct Record<'a> {
    name: u32,
    kind: u32,
    /// Of a structure: offsets hold the width of bit-fields too.
    flag: bool,
    /// A size in bytes or another type, depending on the kind.
    value: u32,
    extra: &'a [u8],
}

impl Record<'_> {
    /// The type that this is but another name or a qualification for.
    fn alias(&self) -> Option<u32> {
        match self.kind {
            TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => Some(self.value),
            _ => None,
        }
    }

    fn size(&self) -> Option<u32> {
        match self.kind {
            INT | STRUCT | UNION | ENUM | FLOAT | ENUM64 => Some(self.value),
            PTR => Some(size_of::<*const ()>() as u32),
            _ => None,
        }
    }
}

/// Walks the records from type 1 on; ends after an error.
struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    fn take(&mut self) -> Result<Record<'a>, Error> {
        let (head, rest) = self.rest.split_at_checked(RECORD).ok_or(Error::Truncated)?;
        let [name, info, value] = [0, 4, 8].map(|at| word(head, at).unwrap_or(0));
        let kind = info >> 24 & 0x7f;
        let count = (info & 0xff_ffff) as usize;
        let length = match kind {
            INT | VAR | DECL_TAG => 4,
            PTR | FWD | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
            ARRAY => 12,
            STRUCT | UNION => count.saturating_mul(MEMBER),
            ENUM | FUNC_PROTO => count.saturating_mul(8),
            DATASEC | ENUM64 => count.saturating_mul(12),
            _ => return Err(Error::Kind(kind)),
        };
        let (extra, rest) = rest.split_at_checked(length).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(Record {
            name,
            kind,
            flag: info >> 31 != 0,
            value,
            extra,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.take();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

/// A structure.
pub(crate) struct Structure<'a> {
    btf: Btf<'a>,
    record: Record<'a>,
}

/// A member of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) type_id: u32,
    /// From the structure's beginning, in bits.
    pub(crate) bit_offset: u32,
    /// Zero unless it is a bit-field.
    pub(crate) bits: u32,
}

impl<'a> Structure<'a> {
    /// Its size in bytes.
    pub(crate) fn size(&self) -> u32 {
        self.record.value
    }

    /// Its members in their order.
    pub(crate) fn members(&self) -> impl Iterator<Item = Result<Member<'a>, Error>> {
        let (btf, flag) = (self.btf, self.record.flag);
        self.record.extra.chunks_exact(MEMBER).map(move |chunk| {
            let [name, type_id, offset] = [0, 4, 8].map(|at| word(chunk, at).unwrap_or(0));
            Ok(Member {
                name: btf.string(name)?,
                type_id,
                bit_offset: if flag { offset & 0xff_ffff } else { offset },
                bits: if flag { offset >> 24 } else { 0 },
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, vec::Vec};

    /// Builds blobs, well-formed or not.
    #[derive(Default)]
    struct Builder {
        records: Vec<u8>,
        strings: Vec<u8>,
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    impl Builder {
        fn string(&mut self, text: &str) -> u32 {
            let offset = self.strings.len() as u32;
            self.strings.extend(text.bytes().chain([0]));
            offset
        }

        fn add(&mut self, name: &str, info: u32, value: u32, extra: &[u32]) {
            let name = self.string(name);
            self.records.extend(words(&[name, info, value]));
            self.records.extend(words(extra));
        }

        fn blob(&self) -> Vec<u8> {
            let (records, strings) = (self.records.len() as u32, self.strings.len() as u32);
            let mut blob = Vec::from(MAGIC.to_ne_bytes());
            blob.extend([1, 0]);
            blob.extend(words(&[24, 0, records, records, strings]));
            blob.extend(&self.records);
            blob.extend(&self.strings);
            blob
        }
    }

    /// `typedef unsigned long count_t; struct pair { count_t first; void *second; };`, with a
    /// record of every other kind before them.
    fn sample() -> Builder {
        let mut builder = Builder::default();
        builder.string("");
        builder.add("long", INT << 24, 8, &[64]);
        builder.add("", ARRAY << 24, 0, &[1, 1, 4]);
        builder.add("union", UNION << 24 | 1, 8, &[0, 1, 0]);
        builder.add("enum", ENUM << 24 | 2, 4, &[0, 0, 0, 1]);
        builder.add("pair", FWD << 24, 0, &[]);
        builder.add("", VOLATILE << 24, 1, &[]);
        builder.add("", CONST << 24, 1, &[]);
        builder.add("", RESTRICT << 24, 1, &[]);
        builder.add("f", FUNC << 24, 10, &[]);
        builder.add("", FUNC_PROTO << 24 | 1, 0, &[0, 1]);
        builder.add("v", VAR << 24, 1, &[0]);
        builder.add("s", DATASEC << 24 | 1, 8, &[11, 0, 8]);
        builder.add("d", FLOAT << 24, 8, &[]);
        builder.add("tag", DECL_TAG << 24, 1, &[0]);
        builder.add("tag", TYPE_TAG << 24, 1, &[]);
        builder.add("e64", ENUM64 << 24 | 1, 8, &[0, 0, 0]);
        builder.add("count_t", TYPEDEF << 24, 20, &[]);
        builder.add("", PTR << 24, 0, &[]);
        let (first, second) = (builder.string("first"), builder.string("second"));
        builder.add(
            "pair",
            STRUCT << 24 | 2,
            16,
            &[first, 17, 0, second, 18, 64],
        );
        builder.add("unsigned long", INT << 24, 8, &[64]);
        builder
    }

    /// All that can be asked of a blob.
    fn exercise(blob: &[u8], name: &str) -> Result<u32, Error> {
        let btf = Btf::new(blob)?;
        let structure = btf.structure(name)?;
        let mut ids = [0; 16];
        for (id, member) in ids.iter_mut().zip(structure.members()) {
            *id = member?.type_id;
        }
        let _ = btf.sizes(ids);
        Ok(structure.size())
    }

    #[test]
    fn reads_a_structure() {
        let blob = sample().blob();
        let btf = Btf::new(&blob).unwrap();
        let pair = btf.structure("pair").unwrap();
        assert_eq!(pair.size(), 16);
        let members: Vec<_> = pair.members().map(Result::unwrap).collect();
        assert_eq!(
            members,
            [(b"first".as_slice(), 17, 0), (b"second", 18, 64)].map(
                |(name, type_id, bit_offset)| {
                    Member {
                        name,
                        type_id,
                        bit_offset,
                        bits: 0,
                    }
                }
            )
        );
        // The typedef leads to a later record.
        assert_eq!(btf.sizes([17, 18, 19]), Ok([8, 8, 16]));
    }

    #[test]
    fn reads_bit_fields() {
        let mut builder = Builder::default();
        builder.add("flags", 1 << 31 | STRUCT << 24 | 1, 4, &[0, 1, 3 << 24 | 5]);
        let blob = builder.blob();
        let flags = Btf::new(&blob).unwrap().structure("flags").unwrap();
        let member = flags.members().next().unwrap().unwrap();
        assert_eq!((member.bit_offset, member.bits), (5, 3));
    }

    #[test]
    fn refuses_what_is_not_btf() {
        let mut blob = sample().blob();
        blob[2] = 2;
        assert_eq!(Btf::new(&blob).err(), Some(Error::Version(2)));
        blob[..2].reverse();
        assert_eq!(Btf::new(&blob).err(), Some(Error::Magic));
        assert_eq!(Btf::new(&[]).err(), Some(Error::Truncated));
    }

    #[test]
    fn refuses_unknown_kinds() {
        for kind in [0, 20, 0x7f] {
            let mut builder = sample();
            builder.add("new", kind << 24, 0, &[]);
            assert_eq!(exercise(&builder.blob(), "pair"), Err(Error::Kind(kind)));
        }
    }

    #[test]
    fn refuses_missing_and_ambiguous_names() {
        let mut builder = sample();
        assert_eq!(exercise(&builder.blob(), "count_t"), Err(Error::Missing));
        assert_eq!(exercise(&builder.blob(), "pai"), Err(Error::Missing));
        builder.add("pair", STRUCT << 24, 0, &[]);
        assert_eq!(exercise(&builder.blob(), "pair"), Err(Error::Ambiguous));
    }

    #[test]
    fn refuses_types_without_a_size() {
        let mut builder = sample();
        builder.add("loop", TYPEDEF << 24, 21, &[]);
        let blob = builder.blob();
        let btf = Btf::new(&blob).unwrap();
        // Void, a function, a typedef of itself, nothing.
        for id in [0, 9, 21, 22, u32::MAX] {
            assert_eq!(btf.sizes([id]), Err(Error::Unsized), "type {id}");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let blob = sample().blob();
        for length in 0..blob.len() {
            assert!(exercise(&blob[..length], "pair").is_err(), "{length} bytes");
        }
    }

    /// A generator good enough to spread mutations; the seed is fixed, so a failure repeats.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (self.0 >> 33) as usize % limit
        }
    }

    /// Each value that a byte can have, everywhere; then many at a time.
    #[test]
    fn corruption_never_panics() {
        let blob = sample().blob();
        for at in 0..blob.len() {
            for value in 0..=u8::MAX {
                let mut blob = blob.clone();
                blob[at] = value;
                let _ = exercise(&blob, "pair");
            }
        }
        let mut random = Random(1);
        for _ in 0..200_000 {
            let mut blob = blob.clone();
            for _ in 0..1 + random.below(16) {
                let at = random.below(blob.len());
                blob[at] = random.below(256) as u8;
            }
            blob.truncate(random.below(2 * blob.len()).max(24));
            let _ = exercise(&blob, "pair");
        }
    }

    /// With `BTF=` naming a kernel's blob (/sys/kernel/btf/vmlinux): as it is, cut, and corrupted
    /// in its header and all over.
    #[test]
    fn a_real_blob() {
        const NAME: &str = "mmu_notifier_subscriptions";
        let Ok(path) = env::var("BTF") else {
            return;
        };
        let blob = fs::read(path).unwrap();
        let size = exercise(&blob, NAME).unwrap();
        assert!(size > 0);
        // Sections follow each other without a gap, but something unread may come last.
        let end = {
            let btf = Btf::new(&blob).unwrap();
            btf.strings.as_ptr_range().end as usize - blob.as_ptr() as usize
        };
        let mut random = Random(2);
        for _ in 0..100 {
            let length = random.below(end);
            assert!(exercise(&blob[..length], NAME).is_err(), "{length} bytes");
        }
        for round in 0..200 {
            let mut blob = blob.clone();
            let limit = if round % 2 == 0 { 32 } else { blob.len() };
            for _ in 0..1 + random.below(64) {
                let at = random.below(limit);
                blob[at] = random.below(256) as u8;
            }
            let _ = exercise(&blob, NAME);
        }
    }
}

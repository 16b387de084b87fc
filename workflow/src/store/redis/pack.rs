//! The bytes that scripts and their twins exchange: numbers of fixed width, highest byte first, and counted strings.
//!
//! Lua reads and writes them with `struct`. Owns the widths and their bounds. Called by the twins in
//! [`super::scripts`] and by [`super::stored`].

use crate::journal::wire::Damaged;
use crate::words::id::{InstanceId, SessionId};
use crate::words::time::Timestamp;

/// The largest number of six bytes that is still exact, signed or not.
const SIX_BYTES_MAX: i64 = (1 << 47) - 1;

/// Writes a packed command or field.
#[derive(Debug, Default)]
pub(super) struct Packer {
    bytes: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(192) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(super) fn byte(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    pub(super) fn flag(&mut self, value: bool) -> &mut Self {
        self.byte(u8::from(value))
    }

    /// Three bytes. Counts are bounded by limits far below.
    pub(super) fn three(&mut self, value: usize) -> &mut Self {
        let value = u32::try_from(value).expect("a count is bounded");
        assert!(value < 1 << 24, "a count is bounded");
        self.raw(&value.to_be_bytes()[1..])
    }

    pub(super) fn four(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Five bytes, for durations: those that are allowed take no more.
    pub(super) fn five(&mut self, value: u64) -> &mut Self {
        self.raw(&value.min((1 << 40) - 1).to_be_bytes()[3..])
    }

    /// Six bytes; what is larger is cut to the largest, 4,459 years of milliseconds.
    pub(super) fn six(&mut self, value: u64) -> &mut Self {
        let value = value.min(SIX_BYTES_MAX.cast_unsigned());
        self.raw(&value.to_be_bytes()[2..])
    }

    /// Six bytes with a sign.
    pub(super) fn signed_six(&mut self, value: i64) -> &mut Self {
        let value = value.clamp(-SIX_BYTES_MAX, SIX_BYTES_MAX);
        self.raw(&value.to_be_bytes()[2..])
    }

    /// A time that may be absent: a flag and six bytes.
    pub(super) fn time(&mut self, time: Option<Timestamp>) -> &mut Self {
        self.flag(time.is_some()).signed_six(time.unwrap_or_default().as_millis())
    }

    pub(super) fn wide(&mut self, value: u128) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An id: one byte of length.
    pub(super) fn id(&mut self, id: &InstanceId) -> &mut Self {
        self.short(id.as_str())
    }

    /// Text of at most 255 bytes, with one byte of length.
    pub(super) fn short(&mut self, text: &str) -> &mut Self {
        self.byte(u8::try_from(text.len()).expect("ids and names have at most 200 bytes")).raw(text.as_bytes())
    }

    /// Bytes with two bytes of length; what is longer is cut.
    pub(super) fn medium(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.raw(&length.to_be_bytes()).raw(&bytes[..usize::from(length)])
    }

    /// Bytes with four bytes of length.
    pub(super) fn long(&mut self, bytes: &[u8]) -> &mut Self {
        self.four(u32::try_from(bytes.len()).expect("payloads are bounded")).raw(bytes)
    }

    /// Counted ids.
    pub(super) fn ids<'a>(&mut self, ids: impl ExactSizeIterator<Item = &'a InstanceId>) -> &mut Self {
        self.three(ids.len());
        for id in ids {
            self.id(id);
        }
        self
    }

    /// Entries of indexes, as looks found them, as many as the ids before them.
    pub(super) fn entries<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> &mut Self {
        for entry in entries {
            self.medium(entry);
        }
        self
    }

    pub(super) fn session(&mut self, session: SessionId) -> &mut Self {
        self.wide(session.0)
    }
}

/// Reads what Lua packed.
#[derive(Debug)]
pub(super) struct Unpacker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Unpacker<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) const fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { at: self.at, what }
    }

    pub(super) fn raw(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Damaged> {
        let end = self.at.checked_add(count).ok_or(self.damaged(what))?;
        let bytes = self.bytes.get(self.at..end).ok_or(self.damaged(what))?;
        self.at = end;
        Ok(bytes)
    }

    /// What is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    /// Passes by so many bytes.
    pub(super) fn skip(&mut self, width: usize) -> Result<(), Damaged> {
        self.raw(width, "what stands before a field").map(drop)
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, Damaged> {
        Ok(self.raw(width, "a number")?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        Ok(self.raw(1, "a byte")?[0])
    }

    pub(super) fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("a flag")),
        }
    }

    pub(super) fn small(&mut self, width: usize) -> Result<u32, Damaged> {
        u32::try_from(self.unsigned(width)?).map_err(|_| self.damaged("a number of 32 bits"))
    }

    pub(super) fn five(&mut self) -> Result<u64, Damaged> {
        self.unsigned(5)
    }

    pub(super) fn six(&mut self) -> Result<u64, Damaged> {
        self.unsigned(6)
    }

    pub(super) fn signed_six(&mut self) -> Result<i64, Damaged> {
        let value = self.unsigned(6)?.cast_signed();
        Ok((value << 16) >> 16)
    }

    /// A time written without a sign.
    pub(super) fn moment(&mut self) -> Result<Timestamp, Damaged> {
        Ok(Timestamp::from_millis(self.six()?.cast_signed()))
    }

    pub(super) fn wide(&mut self) -> Result<u128, Damaged> {
        let bytes = self.raw(16, "a number of 128 bits")?;
        Ok(u128::from_be_bytes(bytes.try_into().expect("sixteen bytes were taken")))
    }

    pub(super) fn medium(&mut self) -> Result<&'a [u8], Damaged> {
        let count = self.small(2)?;
        self.raw(usize::try_from(count).expect("two bytes"), "counted bytes")
    }

    /// Text up to a zero byte.
    pub(super) fn zero_ended(&mut self) -> Result<&'a str, Damaged> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == 0).ok_or(self.damaged("a text's end"))?;
        let text = std::str::from_utf8(&rest[..length]).map_err(|_| self.damaged("text in UTF-8"))?;
        self.at += length + 1;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(signed in -SIX_BYTES_MAX..=SIX_BYTES_MAX, unsigned in 0..SIX_BYTES_MAX, wide: u128) {
            let mut packer = Packer::new();
            packer.signed_six(signed).six(unsigned.cast_unsigned()).wide(wide).three(70_000).flag(true);
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            prop_assert_eq!(unpacker.signed_six(), Ok(signed));
            prop_assert_eq!(unpacker.six(), Ok(unsigned.cast_unsigned()));
            prop_assert_eq!(unpacker.wide(), Ok(wide));
            prop_assert_eq!(unpacker.small(3), Ok(70_000));
            prop_assert_eq!(unpacker.flag(), Ok(true));
            prop_assert!(unpacker.is_at_end());
        }
    }

    #[test]
    fn what_is_too_short_is_damage() {
        assert!(Unpacker::new(&[1, 2]).six().is_err());
        assert!(Unpacker::new(b"no end").zero_ended().is_err());
        assert!(Unpacker::new(&[0, 9, 1]).medium().is_err());
    }

    #[test]
    fn what_is_too_large_is_cut_not_wrapped() {
        let mut packer = Packer::new();
        packer.signed_six(i64::MAX).signed_six(i64::MIN).six(u64::MAX);
        let bytes = packer.into_bytes();
        let mut unpacker = Unpacker::new(&bytes);
        assert_eq!(unpacker.signed_six(), Ok(SIX_BYTES_MAX));
        assert_eq!(unpacker.signed_six(), Ok(-SIX_BYTES_MAX));
        assert_eq!(unpacker.six(), Ok(SIX_BYTES_MAX.cast_unsigned()));
    }
}

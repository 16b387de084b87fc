//! Reading and writing the bytes of records, messages and heads: variable-length numbers and counted strings.
//!
//! A reader never trusts a length: whatever the bytes are, it returns an error rather than panic or allocate more
//! than they hold.

/// The bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("damaged bytes at offset {at}: {what}")]
pub struct Damaged {
    /// Where reading stopped, in bytes.
    pub at: usize,
    /// What was expected there.
    pub what: &'static str,
}

/// Writes values to bytes.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        // Most heads and records fit; growing from nothing byte by byte would allocate several times.
        Self { bytes: Vec::with_capacity(256) }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A truth value.
    pub fn flag(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    /// A number, seven bits a byte, lowest first.
    pub fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(u8::try_from(value & 0x7F).expect("seven bits") | 0x80);
            value >>= 7;
        }
        self.bytes.push(u8::try_from(value).expect("seven bits"));
    }

    /// A number that may be negative.
    pub fn signed(&mut self, value: i64) {
        self.number((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    /// A number of 128 bits.
    pub fn wide(&mut self, value: u128) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Counted bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Counted text.
    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A value that may be absent.
    pub fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Counted values.
    pub fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }
}

/// Reads values from bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error for what stands here.
    #[must_use]
    pub const fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { at: self.at, what }
    }

    /// Whether all was read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Damaged> {
        let end = self.at.checked_add(count).ok_or(self.damaged(what))?;
        let taken = self.bytes.get(self.at..end).ok_or(self.damaged(what))?;
        self.at = end;
        Ok(taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end of the bytes.
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        Ok(self.take(1, "a byte")?[0])
    }

    /// A truth value.
    ///
    /// # Errors
    /// When it is neither 0 nor 1.
    pub fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("a flag")),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// When it has more than 64 bits or does not end.
    pub fn number(&mut self) -> Result<u64, Damaged> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a number of 64 bits"))
    }

    /// A number of 32 bits.
    ///
    /// # Errors
    /// When it has more.
    pub fn small(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).map_err(|_| self.damaged("a number of 32 bits"))
    }

    /// A number that may be negative.
    ///
    /// # Errors
    /// As [`Self::number`].
    pub fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A number of 128 bits.
    ///
    /// # Errors
    /// At the end of the bytes.
    pub fn wide(&mut self) -> Result<u128, Damaged> {
        let bytes = self.take(16, "a number of 128 bits")?;
        Ok(u128::from_be_bytes(bytes.try_into().expect("sixteen bytes were taken")))
    }

    /// Counted bytes.
    ///
    /// # Errors
    /// When the count is larger than what is left.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let count = self.number()?;
        let count = usize::try_from(count).map_err(|_| self.damaged("a length"))?;
        self.take(count, "counted bytes")
    }

    /// Counted text.
    ///
    /// # Errors
    /// As [`Self::bytes`], and when it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Damaged> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.damaged("text in UTF-8"))
    }

    /// A value that may be absent.
    ///
    /// # Errors
    /// As its flag and its value.
    pub fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Damaged>) -> Result<Option<T>, Damaged> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Counted values.
    ///
    /// # Errors
    /// As its count and its values.
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Damaged>) -> Result<Vec<T>, Damaged> {
        let count = self.number()?;
        // Each value takes a byte at least, so a count beyond what is left is damage, found before it is allocated.
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(self.damaged("a count"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// That nothing is left.
    ///
    /// # Errors
    /// When bytes are left.
    pub fn end(&self) -> Result<(), Damaged> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.damaged("the end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(plain: u64, signed: i64) {
            let mut writer = Writer::new();
            writer.number(plain);
            writer.signed(signed);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), Ok(plain));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_an_error_not_an_allocation() {
        let mut writer = Writer::new();
        writer.number(u64::MAX);
        let bytes = writer.into_bytes();
        assert!(Reader::new(&bytes).bytes().is_err());
        assert!(Reader::new(&bytes).list(Reader::byte).is_err());
    }
}

//! Bytes shown in messages, and the protocol of Redis taken apart.

/// Bytes as text that can be put into a file of seeds again: `printf '…'`.
pub(crate) fn shown(bytes: &[u8]) -> String {
    format!("{} bytes: {}", bytes.len(), bytes.escape_ascii())
}

/// Where the value ends that begins at `from`; `None` when it is not all there.
pub(crate) fn end_of_value(bytes: &[u8], from: usize) -> Option<usize> {
    let line = from + bytes.get(from..)?.windows(2).position(|two| two == b"\r\n")?;
    let after = line + 2;
    let number = || std::str::from_utf8(&bytes[from + 1..line]).ok()?.parse::<i64>().ok();
    match bytes[from] {
        b'$' => match usize::try_from(number()?) {
            Ok(length) => (after + length + 2 <= bytes.len()).then_some(after + length + 2),
            Err(_) => Some(after),
        },
        b'*' => (0..number()?.max(0)).try_fold(after, |at, _| end_of_value(bytes, at)),
        _ => Some(after),
    }
}

//! Small changes of bytes, each from three numbers, so that what fails can be made smaller by leaving changes out.
//!
//! proptest makes the numbers and does the leaving out: it is here anyway, and runs on the stable compiler. What looks at
//! the code that is reached is libFuzzer's work, on the same targets, in `fuzz/`.

/// What is done, where, and with what.
pub(crate) type Edit = (u8, u32, u32);

/// Most bytes an input is given.
const BYTES_MAX: usize = 64 * 1024;

/// Numbers at which things change.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Texts that mean something somewhere.
const TEXTS: [&[u8]; 16] = [
    b"\0",
    b"\r\n",
    b"{",
    b"}",
    b"/",
    b"%00",
    b"%",
    b":",
    b"@",
    b"?",
    b"#",
    b"[",
    b"]",
    b"\xFF\xFE",
    b"\xE2\x80\xAE",
    b"e1:",
];

/// The bytes, changed.
pub(crate) fn apply(bytes: &mut Vec<u8>, (what, at, with): Edit, others: &[Vec<u8>]) {
    let place = |len: usize| usize::try_from(at).expect("32 bits fit") % (len + 1);
    let begin = place(bytes.len());
    let length = usize::try_from(with % 64).expect("it is small") + 1;
    let end = (begin + length).min(bytes.len());
    match what % 10 {
        0 => {
            if let Some(byte) = bytes.get_mut(begin) {
                *byte ^= 1 << (with % 8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(begin) {
                *byte = with.to_le_bytes()[0];
            }
        }
        2 => bytes.insert(begin, with.to_le_bytes()[0]),
        3 => drop(bytes.drain(begin..end)),
        4 => {
            let part = bytes[begin..end].to_vec();
            insert(bytes, begin, &part);
        }
        5 => {
            let other = &others[index(with, others.len())];
            let from = index(at.rotate_left(16), other.len() + 1);
            let part = other[from..(from + length * 4).min(other.len())].to_vec();
            insert(bytes, begin, &part);
        }
        6 => bytes.truncate(begin),
        7 => {
            let number = NUMBERS[index(with, NUMBERS.len())].to_be_bytes();
            let width = [1, 2, 4, 6, 8][index(with >> 8, 5)];
            let end = (begin + width).min(bytes.len());
            bytes[begin..end].copy_from_slice(&number[8 - (end - begin)..]);
        }
        8 => insert(bytes, begin, TEXTS[index(with, TEXTS.len())]),
        _ => {
            // The same, many times over: nesting, and long runs.
            let part = bytes[begin..end.min(begin + 4)].to_vec();
            insert(bytes, begin, &part.repeat(index(with >> 8, 2_000)));
        }
    }
    bytes.truncate(BYTES_MAX);
}

fn index(number: u32, len: usize) -> usize {
    usize::try_from(number).expect("32 bits fit") % len
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

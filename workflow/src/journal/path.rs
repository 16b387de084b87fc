//! The identity of an operation: where it stands in the structure of the workflow.
//!
//! A path is a list of segments, each the kind, name, key and occurrence of a scope or operation:
//! `g:ship/s:reserve[sku-1]#2` is the third unkeyed-again `reserve` of key `sku-1` in group `ship`. The text is
//! injective: characters with a meaning of their own are escaped, so no name can imitate a structure.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// What kind of operation or scope a segment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `step!`
    Step,
    /// `group!`
    Group,
    /// `sleep`, `sleep_until`
    Sleep,
    /// `wait_for`, `wait_for_type`
    Wait,
    /// Another workflow, awaited.
    Child,
    /// A `#[part]` helper: a scope, with no record of its own.
    Part,
    /// `timeout(d, op)`: its timer.
    Timeout,
    /// `changed("id")`
    Changed,
}

impl Kind {
    const ALL: [(Self, char, &'static str); 8] = [
        (Self::Step, 's', "step"),
        (Self::Group, 'g', "group"),
        (Self::Sleep, 'z', "sleep"),
        (Self::Wait, 'w', "wait"),
        (Self::Child, 'c', "child"),
        (Self::Part, 'p', "part"),
        (Self::Timeout, 't', "timeout"),
        (Self::Changed, 'h', "change"),
    ];

    fn letter(self) -> char {
        Self::ALL.iter().find(|row| row.0 == self).expect("every kind is in the table").1
    }

    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).expect("every kind is in the table").2
    }

    fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == letter).map(|row| row.0)
    }
}

/// Where an operation stands. Cheap to clone; the empty path is the workflow itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Arc<str>);

impl Path {
    /// The workflow itself.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The path of an operation in the scope `self`.
    #[must_use]
    pub fn join(&self, kind: Kind, name: &str, key: Option<&str>, occurrence: u32) -> Self {
        let mut text = String::with_capacity(self.0.len() + name.len() + 8);
        text.push_str(&self.0);
        if !text.is_empty() {
            text.push('/');
        }
        text.push(kind.letter());
        text.push(':');
        escape(name, &mut text);
        if let Some(key) = key {
            text.push('[');
            escape(key, &mut text);
            text.push(']');
        }
        if occurrence > 0 {
            text.push('#');
            text.push_str(&occurrence.to_string());
        }
        Self(Arc::from(text))
    }

    /// As it is recorded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a recorded path.
    #[must_use]
    pub fn from_recorded(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The scopes that enclose this path, nearest first, the root not included.
    pub fn enclosing(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let cut = rest.rfind('/')?;
            rest = &rest[..cut];
            Some(rest)
        })
    }

    /// Whether it is of a group.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.last().is_some_and(|segment| segment.kind == Kind::Group)
    }

    /// What the last segment names: kind, name, key and occurrence; `None` for the root or a text that is no path.
    #[must_use]
    pub fn last(&self) -> Option<Segment> {
        Segment::parse(self.0.rsplit('/').next()?)
    }
}

impl Borrow<str> for Path {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for Path {
    /// For people: `group "ship" › step "reserve" [sku-1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the workflow");
        }
        for (index, text) in self.0.split('/').enumerate() {
            if index > 0 {
                f.write_str(" › ")?;
            }
            match Segment::parse(text) {
                Some(segment) => write!(f, "{segment}")?,
                None => f.write_str(text)?,
            }
        }
        Ok(())
    }
}

/// One segment of a path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// What kind of operation or scope.
    pub kind: Kind,
    /// Its name; empty for an unnamed sleep.
    pub name: String,
    /// Its key.
    pub key: Option<String>,
    /// How often the same name and key came before in this scope.
    pub occurrence: u32,
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let kind = Kind::from_letter(chars.next()?)?;
        if chars.next()? != ':' {
            return None;
        }
        let rest = chars.as_str();
        let (rest, occurrence) = match rest.split_once('#') {
            Some((rest, number)) => (rest, number.parse().ok()?),
            None => (rest, 0),
        };
        let (name, key) = match rest.split_once('[') {
            Some((name, key)) => (name, Some(unescape(key.strip_suffix(']')?)?)),
            None => (rest, None),
        };
        Some(Self { kind, name: unescape(name)?, key, occurrence })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        if let Some(key) = &self.key {
            write!(f, " [{key}]")?;
        }
        if self.occurrence > 0 {
            write!(f, " #{}", self.occurrence + 1)?;
        }
        Ok(())
    }
}

/// Characters that mean something in a path.
const SPECIAL: &[char] = &['%', '/', '[', ']', '#'];

fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        if SPECIAL.contains(&c) {
            into.push('%');
            into.push_str(&format!("{:02x}", u32::from(c)));
        } else {
            into.push(c);
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let code = u32::from_str_radix(after.get(..2)?, 16).ok()?;
        plain.push(char::from_u32(code)?);
        rest = &after[2..];
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_name_can_imitate_a_structure() {
        let honest = Path::root().join(Kind::Group, "a", None, 0).join(Kind::Step, "b", None, 0);
        let hostile = Path::root().join(Kind::Group, "a/s:b", None, 0);
        assert_ne!(honest, hostile);
        assert_eq!(honest.as_str(), "g:a/s:b");
        assert_ne!(Path::root().join(Kind::Step, "a", Some("k"), 0), Path::root().join(Kind::Step, "a[k]", None, 0));
    }

    #[test]
    fn a_path_is_shown_in_words() {
        let path = Path::root().join(Kind::Group, "ship", None, 0).join(Kind::Step, "reserve", Some("sku/1"), 1);
        assert_eq!(path.to_string(), "group \"ship\" › step \"reserve\" [sku/1] #2");
        assert_eq!(path.enclosing().collect::<Vec<_>>(), ["g:ship"]);
    }

    proptest! {
        #[test]
        fn every_segment_reads_back(name in ".{0,20}", key in proptest::option::of(".{0,10}"), occurrence in 0_u32..5) {
            let path = Path::root().join(Kind::Part, "outer", None, 0).join(Kind::Step, &name, key.as_deref(), occurrence);
            let segment = path.last().expect("a segment");
            prop_assert_eq!(segment, Segment { kind: Kind::Step, name, key, occurrence });
        }
    }
}

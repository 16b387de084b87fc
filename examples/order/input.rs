//! Reads the orders. All or nothing: an error names the file, line and column, and nothing has happened yet.

use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use workflow::words::id::InstanceId;

use crate::model::{Item, Order};

/// The orders that come with the example.
pub(crate) const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/orders.json");

/// What is wrong with the input, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The file could not be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// As the user named it.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{file}:{place}: {message}")]
    Invalid {
        /// As the user named it.
        file: String,
        /// Where in it.
        place: Place,
        /// What is wrong there.
        message: String,
    },
}

/// A place in a text; both count from one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Reads and checks all orders of `path`; `-` is standard input.
///
/// # Errors
/// When the file cannot be read, is not a JSON array of orders, or two orders have one id.
pub(crate) fn read(path: &Path) -> Result<Vec<Order>, InputError> {
    let (file, read) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        ("standard input".to_owned(), std::io::stdin().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (path.display().to_string(), std::fs::read(path))
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return Err(InputError::Unreadable { file, error }),
    };
    parse(&bytes).map_err(|Wrong { place, message }| InputError::Invalid { file, place, message })
}

struct Wrong {
    place: Place,
    message: String,
}

fn parse(bytes: &[u8]) -> Result<Vec<Order>, Wrong> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("checked up to here");
        Wrong { place: end_of(valid), message: "this is not UTF-8".to_owned() }
    })?;
    let values: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| from_json(Place { line: 1, column: 1 }, &error))?;
    // Offsets, not places: counting lines for every order of a long file would take a square of its length.
    let mut offsets: HashMap<String, usize> = HashMap::with_capacity(values.len());
    let mut orders = Vec::with_capacity(values.len());
    for value in values {
        let start = offset_in(text, value.get());
        let order: Order =
            serde_json::from_str(value.get()).map_err(|error| from_json(place_at(text, start), &error))?;
        let id_at = offset_of_id(text, value).unwrap_or(start);
        check(&order).map_err(|message| Wrong { place: place_at(text, id_at), message })?;
        if let Some(first) = offsets.insert(order.id.clone(), id_at) {
            let message = format!("two orders have the id `{}`; the first is at {}", order.id, place_at(text, first));
            return Err(Wrong { place: place_at(text, id_at), message });
        }
        orders.push(order);
    }
    Ok(orders)
}

/// What the types cannot say.
fn check(order: &Order) -> Result<(), String> {
    InstanceId::new(&order.id).map_err(|error| format!("order `{}`: {error}", order.id.escape_debug()))?;
    order.total().ok_or_else(|| format!("order `{}`: the total is too large", order.id))?;
    order.items.iter().try_for_each(|item| check_item(order, item))
}

fn check_item(order: &Order, item: &Item) -> Result<(), String> {
    // The sku is the key of a step and a column of the effects file.
    if item.sku.is_empty() || item.sku.len() > 256 || item.sku.chars().any(char::is_control) {
        return Err(format!(
            "order `{}`: a sku has 1 to 256 bytes and no control characters, not `{}`",
            order.id,
            item.sku.escape_debug()
        ));
    }
    Ok(())
}

/// An error of serde_json, which counts from the start of what it was given, as a place in the whole text.
fn from_json(start: Place, error: &serde_json::Error) -> Wrong {
    let shown = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let message = shown.strip_suffix(&suffix).unwrap_or(&shown).to_owned();
    let place = match error.line() {
        0 => start,
        1 => Place { line: start.line, column: start.column + error.column().saturating_sub(1) },
        line => Place { line: start.line + line - 1, column: error.column() },
    };
    Wrong { place, message }
}

fn offset_of_id(text: &str, order: &RawValue) -> Option<usize> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let id: Id<'_> = serde_json::from_str(order.get()).ok()?;
    Some(offset_in(text, id.id.get()))
}

/// Where `part`, a slice of `text`, begins, in bytes.
fn offset_in(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

fn place_at(text: &str, offset: usize) -> Place {
    end_of(text.get(..offset).unwrap_or(text))
}

fn end_of(text: &str) -> Place {
    let line_start = text.rfind('\n').map_or(0, |at| at + 1);
    Place {
        line: text.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: text[line_start..].chars().count() + 1,
    }
}

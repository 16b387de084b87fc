//! The conditions of a Lua script, and the script without one of them.

/// What stands between `if` or `elseif` and its `then`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    /// In one line, with single spaces.
    pub(crate) text: String,
    start: usize,
    end: usize,
}

/// Every condition of a script, in its order.
pub(crate) fn conditions(script: &str) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (start, token) in tokens(script) {
        match token {
            "if" | "elseif" => open.push(start + token.len()),
            "then" => {
                if let Some(begun) = open.pop() {
                    let text = script[begun..start].split_whitespace().collect::<Vec<_>>().join(" ");
                    found.push(Condition { text, start: begun, end: start });
                }
            }
            _ => {}
        }
    }
    found.sort_by_key(|condition| condition.start);
    found
}

/// The script as if a condition never held. It is as long as before: what is made longer takes from a comment, what is made
/// shorter gets spaces, so that a built program can be changed in place.
///
/// # Panics
/// When the condition is shorter than `false` and no comment is as long as what is missing.
pub(crate) fn without(script: &str, condition: &Condition) -> String {
    let (before, after) = (&script[..condition.start], &script[condition.end..]);
    let room = condition.end - condition.start;
    let never = " false ";
    if never.len() <= room {
        return format!("{before}{never}{}{after}", " ".repeat(room - never.len()));
    }
    shorter(&format!("{before}{never}{after}"), never.len() - room)
}

/// Takes so many bytes from the end of a comment that is a line of its own.
fn shorter(script: &str, bytes: usize) -> String {
    let mut at = 0;
    for line in script.split_inclusive('\n') {
        let comment = line.trim_end_matches('\n');
        let words = comment.trim_start().strip_prefix("-- ").filter(|words| words.len() > bytes && words.is_ascii());
        if words.is_some() {
            let end = at + comment.len();
            return format!("{}{}", &script[..end - bytes], &script[end..]);
        }
        at += line.len();
    }
    panic!("no comment has {bytes} bytes to take");
}

/// The words of a script, without what is in texts and comments.
fn tokens(script: &str) -> Vec<(usize, &str)> {
    let bytes = script.as_bytes();
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if script[at..].starts_with("--") {
            at += script[at..].find('\n').unwrap_or(script.len() - at);
        } else if matches!(bytes[at], b'\'' | b'"') {
            at = end_of_text(bytes, at);
        } else if is_of_word(&bytes[at]) {
            let length = bytes[at..].iter().take_while(|byte| is_of_word(byte)).count();
            found.push((at, &script[at..at + length]));
            at += length;
        } else {
            at += script[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != bytes[start] {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "-- A comment with an if and a then in it.\n\
        if a == 'then' and\n  b then return 1 elseif c then return 2 end\nlocal x = 'it\\'s if'\nif d then end\n";

    #[test]
    fn conditions_are_found_and_texts_and_comments_are_not() {
        let texts: Vec<String> = conditions(SCRIPT).into_iter().map(|condition| condition.text).collect();
        assert_eq!(texts, ["a == 'then' and b", "c", "d"]);
    }

    #[test]
    fn a_script_without_a_condition_is_as_long_as_before() {
        for condition in conditions(SCRIPT) {
            let changed = without(SCRIPT, &condition);
            assert_eq!(changed.len(), SCRIPT.len());
            let left: Vec<String> = conditions(&changed).into_iter().map(|condition| condition.text).collect();
            assert!(left.contains(&"false".to_owned()) && !left.contains(&condition.text), "{left:?}");
        }
    }
}

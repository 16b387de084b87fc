//! The nodes as a Mermaid flowchart.

use super::{Node, Sequence, Shape};
use std::fmt::Write as _;

/// The whole chart, from start to end.
pub(super) fn write(sequence: &Sequence) -> String {
    let mut writer = Writer { text: "flowchart TD\n".to_owned(), nodes: 0 };
    let start = writer.node("((\"start\"))");
    let open = writer.sequence(sequence, vec![Open::after(start)]);
    if !open.is_empty() {
        let end = writer.node("((\"end\"))");
        writer.connect(&open, end);
    }
    writer.text
}

/// A way that goes on: where it comes from, and what is written on its edge.
#[derive(Clone, Debug)]
struct Open {
    from: usize,
    label: String,
}

impl Open {
    fn after(from: usize) -> Self {
        Self { from, label: String::new() }
    }
}

struct Writer {
    text: String,
    nodes: usize,
}

impl Writer {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.text.push_str("  ");
        self.text.write_fmt(line).expect("writing to a string does not fail");
        self.text.push('\n');
    }

    fn node(&mut self, form: &str) -> usize {
        let node = self.nodes;
        self.nodes += 1;
        self.line(format_args!("n{node}{form}"));
        node
    }

    fn connect(&mut self, open: &[Open], to: usize) {
        for Open { from, label } in open {
            if label.is_empty() {
                self.line(format_args!("n{from} --> n{to}"));
            } else {
                self.line(format_args!("n{from} -->|\"{}\"| n{to}", escaped(label)));
            }
        }
    }

    fn enter(&mut self, open: &[Open], form: &str) -> usize {
        let node = self.node(form);
        self.connect(open, node);
        node
    }

    fn sequence(&mut self, sequence: &Sequence, open: Vec<Open>) -> Vec<Open> {
        // What stands after a `return` is not reached.
        sequence.iter().fold(open, |open, node| if open.is_empty() { open } else { self.place(node, open) })
    }

    fn place(&mut self, node: &Node, open: Vec<Open>) -> Vec<Open> {
        match node {
            Node::Operation { shape, label } => {
                let label = escaped(label);
                let form = match shape {
                    Shape::Step => format!("[\"{label}\"]"),
                    Shape::Sleep => format!("([\"{label}\"])"),
                    Shape::Wait => format!("[/\"{label}\"/]"),
                    Shape::Call => format!("[[\"{label}\"]]"),
                };
                vec![Open::after(self.enter(&open, &form))]
            }
            Node::Group { label, body } => self.group(label, body, &open),
            Node::Branch { label, ways } => {
                let choice = self.enter(&open, &format!("{{\"{}\"}}", escaped(label)));
                let ways = ways.iter().map(|(label, way)| (Open { from: choice, label: label.clone() }, way));
                ways.flat_map(|(start, way)| self.sequence(way, vec![start])).collect()
            }
            Node::Loop { label, body } => {
                let head = self.enter(&open, &format!("{{{{\"{}\"}}}}", escaped(label)));
                let again = self.sequence(body, vec![Open { from: head, label: "each".to_owned() }]);
                self.connect(&again, head);
                vec![Open { from: head, label: "done".to_owned() }]
            }
            Node::Join { label, ways } => {
                let fork = self.enter(&open, &format!("[/\"{label}\"\\]"));
                let ended: Vec<Open> =
                    ways.iter().flat_map(|way| self.sequence(way, vec![Open::after(fork)])).collect();
                vec![Open::after(self.enter(&ended, "[\\\"joined\"/]"))]
            }
            Node::Race { ways } => {
                let fork = self.enter(&open, "[/\"the first of\"\\]");
                let ways = ways.iter();
                ways.flat_map(|(operation, then)| {
                    let won = self.sequence(operation, vec![Open::after(fork)]);
                    self.sequence(then, won)
                })
                .collect()
            }
            Node::Return { label } => {
                self.enter(&open, &format!("((\"{}\"))", escaped(label)));
                Vec::new()
            }
        }
    }

    fn group(&mut self, label: &str, body: &Sequence, open: &[Open]) -> Vec<Open> {
        let entry = self.nodes;
        self.nodes += 1;
        self.line(format_args!("subgraph g{entry}[\"{}\"]", escaped(label)));
        self.line(format_args!("n{entry}(( ))"));
        let ended = self.sequence(body, vec![Open::after(entry)]);
        self.line(format_args!("end"));
        self.connect(open, entry);
        // A `return` in a group leaves the group.
        if ended.is_empty() { vec![Open::after(entry)] } else { ended }
    }
}

/// Text as it may stand between quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "'").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br/>")
}

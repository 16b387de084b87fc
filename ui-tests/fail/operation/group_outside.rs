use workflow::prelude::*;

fn plain() {
    let _ = group!("call", { Ok(1) });
}

fn main() {}

use workflow::prelude::*;

#[part]
struct Helper;

fn main() {}

use workflow::prelude::*;

async fn plain() {
    let _ = race! { () = sleep(std::time::Duration::ZERO) => 1, () = sleep(std::time::Duration::ZERO) => 2 };
}

fn main() {}

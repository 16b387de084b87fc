//! Several workflows in one function's scope and in inline modules, of one name in different modules.

use workflow::prelude::*;

mod morning {
    use workflow::prelude::*;

    /// Greets.
    #[workflow(name = "scoped.morning.greet")]
    pub(super) async fn greet(name: String) -> String {
        sleep(1s).await;
        format!("good morning, {name}")
    }
}

mod evening {
    use super::{sleep, workflow};

    /// Greets.
    #[workflow(name = "scoped.evening.greet")]
    pub(super) async fn greet(name: String) -> String {
        sleep(1s).await;
        format!("good evening, {name}")
    }
}

/// Greets, early or late.
#[workflow(name = "scoped.greet")]
async fn greet(name: String, late: bool) -> workflow::Result<String> {
    let greeting = if late { evening::greet(name).await? } else { self::morning::greet(name).await? };
    Ok(greeting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_greets() {
        assert_eq!(greet::test("Ada".to_owned(), true).run().result, Ok("good evening, Ada".to_owned()));
        assert_eq!(greet::test("Ada".to_owned(), false).run().result, Ok("good morning, Ada".to_owned()));
    }
}

//! A resource handed down: to parts, to functions called in bodies, to structs that borrow it, a field of it to each step.

use crate::remote;
use std::io;
use workflow::prelude::*;

struct Database {
    rows: u32,
}

struct Mailer;

struct Backend {
    database: Database,
    mailer: Mailer,
}

impl Database {
    async fn count(&self, table: &str) -> io::Result<u32> {
        remote::answer(self.rows + u32::try_from(table.len()).unwrap_or_default()).await
    }
}

impl Mailer {
    async fn send(&self, to: &str, count: u32) -> io::Result<String> {
        remote::answer(format!("{to}: {count}")).await
    }
}

/// What one report needs.
struct Reporter<'b> {
    backend: &'b Backend,
    table: &'b str,
}

impl Reporter<'_> {
    #[part]
    async fn report(&self, to: &str) -> Result<String, StepError> {
        let Reporter { backend, table } = self;
        let count = count(&backend.database, table).await?;
        step!("send", key = to, backend.mailer.send(to, count)).await
    }
}

#[part]
async fn count(database: &Database, table: &str) -> Result<u32, StepError> {
    step!("count", key = table, retries = 3, database.count(table)).await
}

async fn count_twice(backend: &Backend, table: &str) -> io::Result<u32> {
    Ok(backend.database.count(table).await? * 2)
}

/// Reports to everybody.
#[workflow]
async fn report_to(people: Vec<String>, #[resource] backend: &Backend) -> workflow::Result<Vec<String>> {
    let database = &backend.database;
    let mailer = &backend.mailer;
    let users = count(database, "users").await?;
    let twice = step!("count twice", count_twice(backend, "orders")).await?;
    let mut sent = vec![step!("first mail", mailer.send("all", users + twice)).await?];
    let reporter = Reporter { backend, table: "invoices" };
    for person in &people {
        sent.push(reporter.report(person).await?);
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told() {
        let backend = Backend { database: Database { rows: 10 }, mailer: Mailer };
        let report = report_to::test(vec!["Ada".to_owned()]).resource(backend).run();
        assert_eq!(report.result, Ok(vec!["all: 47".to_owned(), "Ada: 18".to_owned()]));
    }
}

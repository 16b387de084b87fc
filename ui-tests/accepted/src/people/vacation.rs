//! Steps that give options and results, put together with combinators and `?`.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Request {
    employee: String,
    days: u32,
    substitute: Option<String>,
}

struct Directory;

impl Directory {
    async fn manager_of(&self, employee: &str) -> io::Result<Option<String>> {
        remote::answer((employee != "boss").then(|| "boss".to_owned())).await
    }

    async fn days_left(&self, employee: &str) -> io::Result<Result<u32, String>> {
        remote::answer(match employee {
            "new" => Err("on probation".to_owned()),
            name => Ok(10 + u32::try_from(name.len()).unwrap_or_default()),
        })
        .await
    }
}

/// How many days are left after this request; nothing when it is refused.
#[workflow]
async fn vacation(request: Request, #[resource] directory: &Directory) -> Option<u32> {
    let Request { employee, days, substitute } = request;
    let manager = step!("manager", directory.manager_of(&employee)).await.ok().flatten().unwrap_or_default();
    let substitute =
        substitute.or_else(|| (!manager.is_empty()).then_some(manager)).filter(|name| *name != employee)?;
    let left = step!("days left", directory.days_left(&employee)).await.ok()?.ok()?;
    let days = days + u32::from(substitute == "boss");
    left.checked_sub(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(employee: &str, days: u32) -> Option<u32> {
        let request = Request { employee: employee.to_owned(), days, substitute: None };
        vacation::test(request).resource(Directory).run().result.expect("a workflow without errors")
    }

    #[test]
    fn days_are_counted() {
        assert_eq!(left("Ada", 5), Some(13 - 6));
        assert_eq!(left("Ada", 20), None);
        assert_eq!(left("boss", 1), None);
        assert_eq!(left("new", 1), None);
    }
}

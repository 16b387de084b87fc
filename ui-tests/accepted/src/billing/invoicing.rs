//! Dates by chrono, made of the recorded time; numbers formatted, sorted and folded in the body.

use crate::remote;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Position {
    text: String,
    cents: i64,
    day: NaiveDate,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Invoice {
    number: String,
    text: String,
    cents: i64,
    due: DateTime<Utc>,
}

struct Ledger;

impl Ledger {
    async fn next_number(&self, year: i32) -> io::Result<u32> {
        remote::answer(year.unsigned_abs() % 100).await
    }

    async fn book(&self, invoice: &Invoice) -> io::Result<()> {
        assert_eq!(invoice.due.timezone(), Utc);
        remote::answer(()).await
    }
}

/// Writes the invoice of one customer.
#[workflow]
async fn invoice(mut positions: Vec<Position>, #[resource] ledger: &Ledger) -> workflow::Result<Invoice> {
    let today: DateTime<Utc> = now().await.into();
    positions.sort_by(|a, b| a.day.cmp(&b.day).then_with(|| a.text.cmp(&b.text)));
    positions.dedup_by_key(|position| (position.day, position.text.clone()));
    let mut text = String::new();
    for Position { text: line, cents, day } in &positions {
        writeln!(text, "{day} {line:<6} {:>4}.{:02}", cents / 100, cents % 100)?;
    }
    let net = positions.iter().map(|position| position.cents).sum::<i64>();
    let (tax, cents) = {
        let tax = net * 19 / 100;
        (tax, net + tax)
    };
    write!(&mut text, "tax {tax}")?;
    let number = step!("next number", ledger.next_number(today.year())).await?;
    let due = today.checked_add_days(Days::new(14)).ok_or("the end of time")?;
    let invoice = Invoice { number: format!("{number:05}"), text, cents, due };
    step!("book", ledger.book(&invoice)).await?;
    Ok(invoice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_sorted_and_summed() {
        let position = |text: &str, cents, day| {
            let day = NaiveDate::from_ymd_opt(2024, 5, day).expect("a day in May");
            Position { text: text.to_owned(), cents, day }
        };
        let positions = vec![position("tea", 250, 2), position("mug", 1_000, 1), position("tea", 250, 2)];
        let report = invoice::test(positions).resource(Ledger).step("next number", Ok(7)).run();
        let invoice = report.result.expect("an invoice");
        assert_eq!((invoice.number.as_str(), invoice.cents), ("00007", 1_487));
        assert!(invoice.text.starts_with("2024-05-01 mug      10.00\n2024-05-02 tea"), "{}", invoice.text);
    }
}

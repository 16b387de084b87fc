//! Batches in order, rows of a batch in parallel, bad rows counted and kept; progress survives a crash between batches.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    id: u64,
    text: String,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Summary {
    imported: usize,
    rejected: Vec<(u64, String)>,
}

struct Tables;

impl Tables {
    async fn page(&self, file: &str, offset: usize) -> io::Result<Vec<Row>> {
        let row = |id: usize| Row { id: id as u64, text: format!("{file} {id}") };
        remote::answer((offset..5.min(offset + 2)).map(row).collect()).await
    }

    async fn insert(&self, row: &Row) -> io::Result<u64> {
        if row.id == 3 {
            return remote::down(&row.text).await;
        }
        remote::answer(row.id).await
    }
}

/// Imports a file, page by page.
#[workflow]
async fn import(file: String, #[resource] tables: &Tables) -> workflow::Result<Summary> {
    let mut summary = Summary::default();
    let mut offset = 0;
    while let page = step!("page", retries = 3, tables.page(&file, offset)).await?
        && !page.is_empty()
    {
        offset += page.len();
        let inserted = join_all(page.iter().map(|row| step!("insert", key = row.id, tables.insert(row)))).await;
        for (row, result) in page.iter().zip(inserted) {
            match result {
                Ok(_) => summary.imported += 1,
                Err(error) => summary.rejected.push((row.id, error.message().to_owned())),
            }
        }
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rows_are_kept() {
        let report = import::test("a.csv".to_owned()).resource(Tables).run();
        let rejected = vec![(3, "a.csv 3 is down".to_owned())];
        assert_eq!(report.result, Ok(Summary { imported: 4, rejected }));
    }
}

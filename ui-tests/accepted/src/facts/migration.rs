//! Branches for changed code: in conditions, around parts, with the old side kept beside the new.

use crate::remote;
use workflow::prelude::*;

#[part]
async fn tax(net: u64, country: &str) -> Result<u64, StepError> {
    if changed("rates by country").await {
        let percent = step!("rate", key = country, remote::answer(if country == "de" { 19 } else { 20 })).await?;
        return Ok(net * percent / 100);
    }
    step!("flat tax", remote::answer(net / 5)).await
}

/// Sells something, in code that was changed three times.
#[workflow(name = "shop.sale", version = 7)]
async fn sale(net: u64, country: String) -> workflow::Result<u64> {
    let tax = tax(net, &country).await?;
    let rounds = changed("round to ten").await;
    let mut gross = net + tax;
    if rounds && !gross.is_multiple_of(10) {
        gross += 10 - gross % 10;
    }
    if !changed("no more stamps").await {
        step!("print stamp", remote::answer(gross)).await?;
    }
    match (changed("mail first").await, gross) {
        (_, 0) => {}
        (true, _) => {
            step!("mail", remote::answer(gross)).await?;
            step!("book", remote::answer(gross)).await?;
        }
        (false, _) => {
            step!("book before mail", remote::answer(gross)).await?;
            step!("mail after book", remote::answer(gross)).await?;
        }
    }
    Ok(gross)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_runs_take_the_new_side() {
        let report = sale::test(1_000, "de".to_owned()).run();
        assert_eq!(report.result, Ok(1_190));
        assert_eq!(report.names().collect::<Vec<_>>(), ["rate", "mail", "book"]);
    }
}

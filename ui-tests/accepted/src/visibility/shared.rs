//! Workflows, parts and events shared between modules, by `pub(crate)`, `pub(super)`, `pub(in …)` and renamed imports.

use self::parts::double as doubled;
use self::types::{Amount, Tell as Told};
use crate::visibility::shared::inner::deep::deepest as deep_one;
use workflow::prelude::*;

mod types {
    use serde::{Deserialize, Serialize};
    use workflow::Event;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Amount(pub(super) u64);

    #[derive(Debug, Event, Serialize, Deserialize)]
    #[event(name = "shared.told")]
    pub(in crate::visibility) struct Tell {
        pub(in crate::visibility) amount: Amount,
    }
}

mod parts {
    use super::types::Amount;
    use crate::remote;
    use workflow::prelude::*;

    #[part]
    pub(super) async fn double(Amount(amount): Amount) -> Result<Amount, StepError> {
        Ok(Amount(step!("double", remote::answer(amount * 2)).await?))
    }
}

mod inner {
    pub(super) mod deep {
        use crate::remote;

        /// The deepest one, without the prelude.
        #[workflow::workflow]
        pub(in crate::visibility::shared) async fn deepest(amount: u64) -> workflow::Result<u64> {
            workflow::prelude::sleep(1s).await;
            Ok(workflow::step!("deepest", remote::answer(amount + 1)).await?)
        }
    }
}

/// Uses what the others share.
#[workflow]
pub(crate) async fn sharing(first: Amount) -> workflow::Result<Amount> {
    let Told { amount } = wait_for("told").await;
    let Amount(sum) = doubled(Amount(amount.0 + first.0)).await?;
    let deep = deep_one(sum).await?;
    let (a, b) = workflow::join!(
        workflow::prelude::timeout(1s, workflow::prelude::sleep("2 seconds")),
        self::inner::deep::deepest(deep),
    )
    .await;
    Ok(Amount(b? + u64::from(a.is_ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shared() {
        let report = sharing::test(Amount(1)).event(Told { amount: Amount(2) }).run();
        assert_eq!(report.result, Ok(Amount(8)));
    }
}

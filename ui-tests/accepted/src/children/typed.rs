//! A child with an error type of its own, which its parent matches on.

use crate::remote;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use workflow::prelude::*;

#[derive(Debug, PartialEq, Error, Serialize, Deserialize)]
enum CreditError {
    #[error("{applicant} has no income")]
    NoIncome { applicant: String },
    #[error("the bureau failed")]
    Bureau(#[source] StepError),
}

impl From<StepError> for CreditError {
    fn from(error: StepError) -> Self {
        Self::Bureau(error)
    }
}

#[derive(Debug, PartialEq, Error, Serialize, Deserialize)]
enum LoanError {
    #[error(transparent)]
    Credit(#[from] ChildError<CreditError>),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("refused at {score}")]
    Refused { score: u32 },
}

/// Scores an applicant.
#[workflow]
async fn credit(applicant: String, income: Option<u32>) -> Result<u32, CreditError> {
    let Some(income) = income.filter(|income| *income > 0) else {
        return Err(CreditError::NoIncome { applicant });
    };
    let known = step!("bureau", remote::answer(applicant.len())).await?;
    Ok(income / 100 + u32::try_from(known).unwrap_or_default())
}

/// Grants a loan, or does not.
#[workflow]
async fn loan(applicant: String, guarantor: Option<String>, income: Option<u32>) -> Result<u32, LoanError> {
    let score = match credit(applicant.clone(), income).await {
        Ok(score) => score,
        Err(ChildError::Failed(CreditError::NoIncome { .. })) if guarantor.is_some() => {
            credit(guarantor.unwrap_or(applicant), Some(1_000)).await?
        }
        Err(error) => return Err(error.into()),
    };
    if score < 10 {
        return Err(LoanError::Refused { score });
    }
    Ok(step!("pay out", remote::answer(score * 1_000)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::test_kit::TestError;

    #[test]
    fn errors_of_children_are_told_apart() {
        let granted = |guarantor: Option<&str>, income| {
            loan::test("Ada".to_owned(), guarantor.map(str::to_owned), income).run().result
        };
        assert_eq!(granted(None, Some(2_000)), Ok(23_000));
        assert_eq!(granted(Some("Grace"), None), Ok(15_000));
        assert_eq!(granted(None, Some(100)), Err(TestError::Failed(LoanError::Refused { score: 4 })));
        assert!(matches!(granted(None, None), Err(TestError::Failed(LoanError::Credit(_)))));
    }
}

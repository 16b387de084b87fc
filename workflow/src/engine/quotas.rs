//! How many instances of each queue a claim takes first, so that in the long run queues are served by their weights.
//!
//! Smooth weighted round-robin: each turn every queue gains its weight, and the richest one is chosen and pays for all. It
//! is exact for claims of one instance too. Asked once for each claim.

use std::sync::Mutex;

use super::supervise::lock;

/// The weights of a worker's queues, and whose turn it is.
#[derive(Debug)]
pub(super) struct Quotas {
    weights: Vec<u32>,
    credit: Mutex<Vec<i64>>,
}

impl Quotas {
    /// By the weights of the queues, in their order. Equal weights are none: the store then takes what is ready by score.
    pub(super) fn new(weights: &[u32]) -> Self {
        let equal = weights.windows(2).all(|two| two[0] == two[1]);
        let weights = if equal { Vec::new() } else { weights.to_vec() };
        Self { credit: Mutex::new(vec![0; weights.len()]), weights }
    }

    /// The quotas of a claim of at most `limit` instances; none without weights.
    pub(super) fn of(&self, limit: usize) -> Vec<usize> {
        let mut credit = lock(&self.credit);
        let mut quotas = vec![0; self.weights.len()];
        let all: i64 = self.weights.iter().map(|weight| i64::from(*weight)).sum();
        for _ in 0..if quotas.is_empty() { 0 } else { limit } {
            for (credit, weight) in credit.iter_mut().zip(&self.weights) {
                *credit += i64::from(*weight);
            }
            // Of those that are equally rich, the first.
            let richest = (0..credit.len()).rev().max_by_key(|index| credit[*index]);
            if let Some(index) = richest {
                credit[index] -= all;
                quotas[index] += 1;
            }
        }
        quotas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_of_one_are_shared_out_by_weight_and_evenly_spread() {
        let quotas = Quotas::new(&[3, 1]);
        let turns: Vec<usize> =
            (0..8).map(|_| quotas.of(1).iter().position(|quota| *quota == 1).expect("one is chosen")).collect();
        assert_eq!(turns, [0, 0, 1, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn any_sizes_of_claims_come_to_the_weights() {
        let quotas = Quotas::new(&[5, 3, 2]);
        let mut sums = [0; 3];
        for limit in [1, 7, 128, 0, 64] {
            let given = quotas.of(limit);
            assert_eq!(given.iter().sum::<usize>(), limit);
            sums.iter_mut().zip(given).for_each(|(sum, quota)| *sum += quota);
        }
        assert_eq!(sums, [100, 60, 40]);
    }

    #[test]
    fn equal_weights_are_none() {
        assert!(Quotas::new(&[2, 2]).of(10).is_empty());
        assert!(Quotas::new(&[7]).of(10).is_empty());
        assert!(Quotas::new(&[]).of(10).is_empty());
    }
}

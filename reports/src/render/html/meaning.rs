//! How to read the page.

use firedrill_evidence::{ALPHA, BLOCK, LEAST_BLOCKS, Limit};
use maud::{Markup, html};

use crate::numbers::{count, share};

pub fn section() -> Markup {
    html! {
        section aria-labelledby="reading" {
            h2 id="reading" { "How to read this" }
            dl .meaning {
                dt { "Due" } dd { "The instant at which the schedule wants an operation, whatever the target does." }
                dt { "Response time" } dd { "Result minus due. What an operation waited for a connection is in it." }
                dt { "Service time" } dd { "Result minus first byte sent." }
                dt { "Lateness" } dd { "Dispatched minus due: firedrill's own fault. " strong { "Waiting" } ", sent minus dispatched, is the target's." }
                dt { "Miss" } dd { "An operation that failed or was never sent. It is later than every time, whatever instant it failed at." }
                dt { "pass" } dd { "The objective was met, and there was enough evidence." }
                dt { "fail" } dd { "The objective was not met." }
                dt { "inconclusive" } dd { "Too little evidence: too few operations, a phase that was cut short, or a limit between the bounds." }
                dt { "invalid" } dd { "The measurement cannot be trusted: firedrill was late, was stopped, had no headroom, or could not send; a probe was silent; the recording is not whole." }
                dt { "block" } dd {
                    "Bounds at " (share(1.0 - ALPHA)) " from blocks of at least " (BLOCK.as_secs()) " s, since operations fail together; "
                    "passes when the upper bound is below the limit, fails when the lower one is above it. It takes " (LEAST_BLOCKS) " blocks."
                }
                dt { "point" } dd {
                    "With fewer blocks the share itself decides; it takes " (count(Limit::Quantile(0.99).least_operations()))
                    " operations for a p99 and " (count(Limit::Below(0.005).least_operations())) " for 0.5 %. "
                    "Its bounds hold for operations that fail independently."
                }
            }
        }
    }
}

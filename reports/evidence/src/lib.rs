//! Buckets, quantiles, intervals and verdicts: every definition once. It knows neither files nor time.

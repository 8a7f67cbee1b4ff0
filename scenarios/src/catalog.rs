//! The scenarios that are shipped inside the binary.

/// Name and text of every shipped scenario.
pub fn catalog() -> &'static [(&'static str, &'static str)] {
    &[("baseline", include_str!("../catalog/baseline.yaml"))]
}

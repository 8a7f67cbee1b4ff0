//! The word that was probably meant.

/// The candidate with the smallest edit distance, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            let shorter = candidate.chars().count().min(word.chars().count());
            *distance <= 1 + shorter / 4 && *distance < shorter
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`? KIND: a, b, c", or only the list.
pub(crate) fn choices<'a>(
    word: &str,
    kind: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let list: Vec<&str> = candidates.clone().into_iter().collect();
    if list.is_empty() {
        return format!("{kind}: none");
    }
    let list = list.join(", ");
    match nearest(word, candidates) {
        Some(meant) => format!("did you mean `{meant}`? {kind}: {list}"),
        None => format!("{kind}: {list}"),
    }
}

/// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours, ignoring case.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut cost = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_found_and_other_words_are_not() {
        let keys = ["probe", "misses", "route_ttl"];
        assert_eq!(nearest("misess", keys), Some("misses"));
        assert_eq!(nearest("Probe", keys), Some("probe"));
        assert_eq!(nearest("elephant", keys), None);
        assert_eq!(nearest("p", ["p99"]), None);
        assert_eq!(nearest("TB", ["B", "kB"]), Some("kB"));
    }
}

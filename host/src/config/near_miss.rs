//! The word that was probably meant.

/// Most edits between a word and what was meant by it: two slips of the hand. A third would make `mode` of `node` and more.
const EDITS_MAX: usize = 2;

/// The candidate that is nearest to the word, if it is near enough for a slip: at most [`EDITS_MAX`] edits, and fewer than
/// half of its letters.
pub(super) fn near_miss(word: &str, candidates: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let distances = candidates.into_iter().map(|candidate| (edits(word, candidate), candidate));
    let near = distances.filter(|(edits, candidate)| *edits <= EDITS_MAX && edits * 2 < candidate.len());
    near.min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, substitutions and swaps of neighbours turn one word into the other, each letter being
/// edited once (the optimal string alignment distance), or more than [`EDITS_MAX`].
fn edits(word: &str, other: &str) -> usize {
    let word: Vec<char> = word.chars().take(other.len() + EDITS_MAX + 1).collect();
    let other: Vec<char> = other.chars().collect();
    let first: Vec<usize> = (0..=other.len()).collect();
    // `rows[i][j]` is the distance between the first i letters of the one and the first j of the other.
    let mut rows = vec![first];
    for i in 1..=word.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let differ = usize::from(word[i - 1] != other[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + differ);
            if i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[word.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_the_word_that_was_meant() {
        let check =
            |word: &str, expected| assert_eq!(near_miss(word, ["mode", "key_file", "both"]), expected, "{word:?}");
        check("mode", Some("mode"));
        check("moed", Some("mode"));
        check("mod", Some("mode"));
        check("key-file", Some("key_file"));
        check("keyfiel", Some("key_file"));
        check("Mode", Some("mode"));
        check("moot", None);
        check("", None);
        check("request_timeout_ms", None);
        check(&"mode".repeat(10_000), None);
    }
}

//! The names a user may have meant.

/// At most so many suggestions: more are a list, not a hint.
const MOST: usize = 3;

/// The candidates most like a word that was not found, best first; none if nothing is near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        // The bound clap uses for its own suggestions is 0.7; names as short as ours need a little more.
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.dedup_by_key(|(_, candidate)| *candidate);
    scored.into_iter().take(MOST).map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_best_first_and_far_ones_not() {
        let names = ["http", "https", "smtp", "ftp", "domain"];
        assert_eq!(nearest("htttp", names)[0], "http");
        assert_eq!(nearest("HTTPS", names)[0], "https");
        assert!(nearest("zzz", names).is_empty());
    }
}

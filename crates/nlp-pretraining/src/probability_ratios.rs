//! Probabilities of words near others, and their ratios (section 14.5).

use d2l::prelude::*;

use crate::co_occurrences::CoOccurrences;

/// What stands around a word in a text, for words with ids and without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextCounts {
    /// How many words do.
    pub total: usize,
    /// How often each of the probes is one of them.
    pub probes: Vec<usize>,
}

impl ContextCounts {
    /// Counts the words at most `window` places from each occurrence of `word` in its sentence.
    pub fn of(word: &str, probes: &[&str], sentences: &[Vec<&str>], window: usize) -> Self {
        let mut counts = Self { total: 0, probes: vec![0; probes.len()] };
        for sentence in sentences {
            for (place, _) in sentence.iter().enumerate().filter(|(_, token)| **token == word) {
                let before = sentence[..place].iter().skip(place.saturating_sub(window));
                for token in before.chain(sentence[place + 1..].iter().take(window)) {
                    counts.total += 1;
                    if let Some(probe) = probes.iter().position(|probe| probe == token) {
                        counts.probes[probe] += 1;
                    }
                }
            }
        }
        counts
    }

    /// The share of the probe with this number in what stands around the word; none where nothing does.
    pub fn probability(&self, probe: usize) -> Option<f64> {
        (self.total > 0).then(|| self.probes[probe] as f64 / self.total as f64)
    }

    /// [`ContextCounts::probability`] over that of another word; none where that is 0 or there is none.
    pub fn ratio(&self, other: &Self, probe: usize) -> Option<f64> {
        let below = other.probability(probe).filter(|&below| below > 0.0)?;
        Some(self.probability(probe)? / below)
    }
}

/// For each probe how often it stands near each word of a pair, its probabilities there, and their ratio.
pub fn ratio_table(pair: [&str; 2], probes: &[&str], sentences: &[Vec<&str>], window: usize) -> Table {
    let titles = ["near".to_string(), pair[0].to_string(), pair[1].to_string()];
    let titles = titles.into_iter().chain(pair.map(|word| format!("P | {word}"))).chain(["ratio".to_string()]);
    let mut table = Table::new(titles);
    let counts = pair.map(|word| ContextCounts::of(word, probes, sentences, window));
    let number = |value: Option<f64>, digits: usize| value.map_or("none".into(), |value| format!("{value:.digits$}"));
    for (place, probe) in probes.iter().enumerate() {
        let times = counts.iter().map(|counts| counts.probes[place].to_string());
        let shares = counts.iter().map(|counts| number(counts.probability(place), 5));
        let ratio = number(counts[0].ratio(&counts[1], place), 2);
        table.row(std::iter::once((*probe).to_string()).chain(times).chain(shares).chain([ratio]));
    }
    table
}

/// The logarithms of `P(k | first) / P(k | second)` for each `k`, by the counts and by a model, whose logarithms of the
/// counts of a word with others `log_counts` gives. Each `k` must stand near both words.
///
/// # Errors
/// What the model gives.
pub fn log_ratios(
    counts: &CoOccurrences,
    [first, second]: [u32; 2],
    ks: &[u32],
    log_counts: impl Fn(u32, &[u32]) -> Result<Vec<f32>>,
) -> Result<Vec<(f64, f64)>> {
    if ks.is_empty() {
        return Ok(Vec::new());
    }
    let rest = (counts.total(first) / counts.total(second)).ln();
    let (above, below) = (log_counts(first, ks)?, log_counts(second, ks)?);
    let ratios = ks.iter().zip(above.iter().zip(below)).map(|(&k, (above, below))| {
        let counted = f64::from(counts.get(first, k)).ln() - f64::from(counts.get(second, k)).ln();
        (counted - rest, f64::from(above - below) - rest)
    });
    Ok(ratios.collect())
}

/// Pearson's coefficient of correlation; none where one of both is the same in all pairs.
pub fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let mean = |part: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(part).sum::<f64>() / pairs.len() as f64;
    let (x, y) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let variances = mean(&|pair| (pair.0 - x).powi(2)) * mean(&|pair| (pair.1 - y).powi(2));
    (variances > 0.0).then(|| mean(&|pair| (pair.0 - x) * (pair.1 - y)) / variances.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_counted_around_each_occurrence() {
        let sentences = [vec!["a", "ice", "b", "ice", "c"], vec!["ice"], vec!["b", "b"]];
        let counts = ContextCounts::of("ice", &["b", "ice", "x"], &sentences, 1);
        assert_eq!(counts, ContextCounts { total: 4, probes: vec![2, 0, 0] });
        let wide = ContextCounts::of("ice", &["b", "ice", "x"], &sentences, 10);
        assert_eq!(wide, ContextCounts { total: 8, probes: vec![2, 2, 0] });
        assert_eq!((counts.probability(0), counts.ratio(&wide, 0)), (Some(0.5), Some(2.0)));
        assert_eq!((counts.ratio(&wide, 1), counts.ratio(&wide, 2)), (Some(0.0), None));
        let nowhere = ContextCounts::of("steam", &["b"], &sentences, 10);
        assert_eq!((nowhere.probability(0), nowhere.ratio(&wide, 0), wide.ratio(&nowhere, 0)), (None, None, None));
    }

    #[test]
    fn where_a_word_never_stands_there_is_no_ratio() {
        let sentences = [vec!["ice", "water"], vec!["steam", "gas", "water"]];
        let text = ratio_table(["ice", "steam"], &["water", "solid"], &sentences, 5).to_string();
        let row = |number| text.lines().nth(number).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
        assert_eq!(row(2), ["water", "1", "1", "1.00000", "0.50000", "2.00"]);
        assert_eq!(row(3), ["solid", "0", "0", "0.00000", "0.00000", "none"]);
    }

    #[test]
    fn a_model_of_the_counts_has_their_ratios() -> Result<(), Box<dyn std::error::Error>> {
        let counts = CoOccurrences::count(&[vec![1, 3, 1], vec![2, 3], vec![2, 4], vec![1, 4]], 1)?;
        let exact = |word, ks: &[u32]| Ok(ks.iter().map(|&k| counts.get(word, k).ln()).collect());
        let ratios = log_ratios(&counts, [1, 2], &[3, 4], exact)?;
        // 1 stands near 3 twice and near 4 once, 2 near each once: the ratios are (2/3) / (1/2) and (1/3) / (1/2).
        for ((counted, model), expected) in ratios.into_iter().zip([4f64 / 3.0, 2.0 / 3.0]) {
            assert!((counted.exp() - expected).abs() < 1e-6 && (model - counted).abs() < 1e-6, "{counted} {model}");
        }
        Ok(())
    }

    #[test]
    fn correlations_are_between_minus_one_and_one() {
        let near = |pairs: &[(f64, f64)], expected: f64| {
            assert!(correlation(pairs).is_some_and(|found| (found - expected).abs() < 1e-12), "{pairs:?}");
        };
        near(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)], 1.0);
        near(&[(0.0, 1.0), (1.0, 0.0), (2.0, -1.0)], -1.0);
        near(&[(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)], 0.0);
        assert_eq!([correlation(&[(1.0, 2.0), (1.0, 3.0)]), correlation(&[])], [None, None]);
    }
}

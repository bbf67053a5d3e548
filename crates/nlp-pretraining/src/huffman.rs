//! Huffman's tree: words as the leaves of a binary tree, frequent ones near its root (section 14.2).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use d2l::plot::Graph;

/// A vocabulary without words has no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Huffman tree needs at least one word")]
pub struct NoWords;

/// A step down the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The inner node from which it goes down, from 0.
    pub node: usize,
    /// Whether to the left child.
    pub left: bool,
}

/// A binary tree whose leaves are words, with the least mean length of the paths to them, by the words' counts
/// (Huffman, 1952).
///
/// The two rarest nodes become the children of a new one, the rarer the left one, until one is left, the root. Of equally
/// frequent nodes a word comes before an inner node, and then what has the smaller number, so that equal counts always
/// give the same tree. Inner nodes are numbered in the order in which they are made; the root is the last.
#[derive(Debug, Clone)]
pub struct HuffmanTree {
    /// Of the words, then of the inner nodes.
    counts: Vec<u128>,
    /// How each node but the root hangs on the one above it: first the words, then the inner nodes.
    parents: Vec<Turn>,
    words: usize,
}

impl HuffmanTree {
    /// The tree of words that occur so often.
    ///
    /// # Errors
    /// Where there is no word.
    pub fn new(counts: &[usize]) -> Result<Self, NoWords> {
        let words = counts.len();
        let inner = words.checked_sub(1).ok_or(NoWords)?;
        let mut counts: Vec<u128> = counts.iter().map(|&count| count as u128).collect();
        let mut parents = vec![Turn { node: 0, left: false }; 2 * inner];
        let mut rarest: BinaryHeap<Reverse<(u128, usize)>> = counts.iter().copied().zip(0..).map(Reverse).collect();
        for node in 0..inner {
            let (Some(Reverse((rarer, left))), Some(Reverse((rare, right)))) = (rarest.pop(), rarest.pop()) else {
                break;
            };
            parents[left] = Turn { node, left: true };
            parents[right] = Turn { node, left: false };
            counts.push(rarer + rare);
            rarest.push(Reverse((rarer + rare, words + node)));
        }
        Ok(Self { counts, parents, words })
    }

    /// How many leaves there are.
    pub fn words(&self) -> usize {
        self.words
    }

    /// How many nodes have children: one fewer than there are words.
    pub fn inner_nodes(&self) -> usize {
        self.words - 1
    }

    /// The way from the root to a word: one turn for each inner node on it.
    pub fn path(&self, word: usize) -> Vec<Turn> {
        let upwards = std::iter::successors(self.parents.get(word), |turn| self.parents.get(self.words + turn.node));
        let mut path: Vec<Turn> = upwards.copied().collect();
        path.reverse();
        path
    }

    /// The way from the root to a word, 0 for each turn to the left and 1 for each to the right.
    pub fn code(&self, word: usize) -> String {
        self.path(word).iter().map(|turn| if turn.left { '0' } else { '1' }).collect()
    }

    /// The length of the path to each word: how many products its probability takes.
    pub fn lengths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.counts.len()];
        // A node's parent is made after it.
        for (node, turn) in self.parents.iter().enumerate().rev() {
            depths[node] = depths[self.words + turn.node] + 1;
        }
        depths.truncate(self.words);
        depths
    }

    /// The mean length of a path, each word counted as often as it occurs; 0 where none does.
    pub fn products_per_word(&self) -> f64 {
        let total: u128 = self.counts[..self.words].iter().sum();
        let products: f64 = self.counts.iter().zip(self.lengths()).map(|(&n, length)| n as f64 * length as f64).sum();
        if total == 0 { 0.0 } else { products / total as f64 }
    }

    /// The probability of each word, `P(w | c) = ∏ σ(±uₙᵀ v_c)` over the inner nodes `n` on its path, plus for a turn to
    /// the left; `scores` are `uₙᵀ v_c`, one for each inner node.
    ///
    /// # Panics
    /// Where there are fewer scores than inner nodes.
    pub fn probabilities(&self, scores: &[f64]) -> Vec<f64> {
        let turn = |&Turn { node, left }: &Turn| sigmoid(if left { scores[node] } else { -scores[node] });
        (0..self.words).map(|word| self.path(word).iter().map(turn).product()).collect()
    }

    /// A picture of the tree, left children on the left: words as squares, inner nodes as circles with their counts.
    pub fn graph(&self, words: &[&str]) -> Graph {
        let leaf = |word: usize| words.get(word).map_or_else(|| format!("word {word}"), |&word| word.to_string());
        let mut leaves: Vec<usize> = (0..self.words).collect();
        leaves.sort_by_cached_key(|&word| self.code(word)); // from left to right
        // An inner node stands above the last leaf on its left, and as deep as its path is long.
        let mut places = vec![(0, 0); self.inner_nodes()];
        for (column, &word) in (0..).zip(&leaves) {
            for (row, turn) in (0..).zip(self.path(word)) {
                let place = &mut places[turn.node];
                *place = (if turn.left { column } else { place.0 }, row);
            }
        }
        let name = |node: usize| format!("inner node {node}");
        let mut graph = Graph::new();
        for (node, &place) in places.iter().enumerate() {
            graph = graph.operation(name(node), self.counts[self.words + node].to_string(), place);
        }
        for (column, &word) in (0..).zip(&leaves) {
            graph = graph.value(leaf(word), (column, self.path(word).len() as u32));
        }
        for (child, turn) in self.parents.iter().enumerate() {
            let below = child.checked_sub(self.words).map_or_else(|| leaf(child), name);
            graph = graph.path([name(turn.node), below]);
        }
        graph
    }
}

/// `σ(x) = 1 / (1 + e⁻ˣ)`
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use d2l::plot::Figure;
    use proptest::prelude::*;

    use super::*;

    fn codes(counts: &[usize]) -> Vec<String> {
        let tree = HuffmanTree::new(counts).expect("there are words");
        (0..tree.words()).map(|word| tree.code(word)).collect()
    }

    #[test]
    fn trees_that_fit_in_the_head() -> Result<(), NoWords> {
        // 1 + 1 = 2 ties with the word that occurs twice, which goes to the left; 2 + 2 = 4 is less than 5.
        assert_eq!(codes(&[5, 2, 1, 1]), ["1", "00", "010", "011"]);
        assert_eq!(codes(&[1, 1, 1, 1]), ["00", "01", "10", "11"]);
        assert_eq!(codes(&[1, 1, 2, 3, 5]), ["1110", "1111", "110", "10", "0"]);
        assert_eq!(codes(&[7]), [""]);
        let tree = HuffmanTree::new(&[5, 2, 1, 1])?;
        assert_eq!((tree.words(), tree.inner_nodes(), tree.lengths()), (4, 3, vec![1, 2, 3, 3]));
        assert_eq!(tree.products_per_word(), 15.0 / 9.0);
        let turns = [Turn { node: 2, left: true }, Turn { node: 1, left: false }, Turn { node: 0, left: true }];
        assert_eq!(tree.path(2), turns);
        Ok(())
    }

    #[test]
    fn no_words_are_an_error_and_no_counts_are_none() -> Result<(), NoWords> {
        assert_eq!(HuffmanTree::new(&[]).expect_err("no words"), NoWords);
        let tree = HuffmanTree::new(&[0, 0, 0])?;
        assert_eq!((tree.products_per_word(), tree.lengths()), (0.0, vec![2, 2, 1]));
        assert_eq!(HuffmanTree::new(&[3])?.probabilities(&[]), [1.0]);
        let largest = HuffmanTree::new(&[usize::MAX; 3])?;
        assert_eq!(largest.products_per_word(), 5.0 / 3.0);
        Ok(())
    }

    #[test]
    fn probabilities_are_products_along_the_paths() -> Result<(), NoWords> {
        let tree = HuffmanTree::new(&[5, 2, 1, 1])?;
        // σ(ln 3) = 3/4 at the root, σ(-ln 3) = 1/4 below it, σ(0) = 1/2 at the bottom.
        let probabilities = tree.probabilities(&[0.0, -3f64.ln(), 3f64.ln()]);
        let expected = [1.0 / 4.0, 3.0 / 4.0 / 4.0, 3.0 / 4.0 * 3.0 / 4.0 / 2.0, 3.0 / 4.0 * 3.0 / 4.0 / 2.0];
        for (found, expected) in probabilities.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        Ok(())
    }

    #[test]
    fn a_picture_has_all_words_and_counts() -> anyhow::Result<()> {
        let svg = HuffmanTree::new(&[5, 2, 1, 1])?.graph(&["the", "of", "end", "start"]).to_svg()?;
        let lines: Vec<&str> = svg.lines().map(str::trim).collect();
        for text in ["the", "of", "end", "start", "9", "4", "2"] {
            assert!(lines.contains(&text), "{text}: {svg}");
        }
        assert!(HuffmanTree::new(&[1])?.graph(&["alone"]).to_svg()?.contains("alone"));
        Ok(())
    }

    proptest! {
        #[test]
        fn codes_are_as_good_as_they_can_be(counts in prop::collection::vec(1usize..1000, 2..60)) {
            let tree = HuffmanTree::new(&counts).expect("there are words");
            let codes = codes(&counts);
            // No code begins with another, and each turn leads to a word: the sum of 2^-length is 1.
            for (one, code) in codes.iter().enumerate() {
                let begins = |(other, longer): (usize, &String)| one != other && longer.starts_with(code.as_str());
                prop_assert!(!codes.iter().enumerate().any(begins));
                prop_assert_eq!(code.len(), tree.lengths()[one]);
            }
            let kraft: f64 = tree.lengths().iter().map(|&length| 0.5f64.powi(length as i32)).sum();
            prop_assert!((kraft - 1.0).abs() < 1e-12);
            // Shannon's bounds.
            let total = counts.iter().sum::<usize>() as f64;
            let bits: f64 = counts.iter().map(|&n| -(n as f64 / total) * (n as f64 / total).log2()).sum();
            let products = tree.products_per_word();
            prop_assert!(bits - 1e-9 <= products && products < bits + 1.0, "{} {}", bits, products);
            // A more frequent word has no longer code.
            for (one, &count) in counts.iter().enumerate() {
                for (other, &rarer) in counts.iter().enumerate() {
                    prop_assert!(count <= rarer || codes[one].len() <= codes[other].len());
                }
            }
        }

        #[test]
        fn probabilities_sum_to_one(
            (counts, scores) in (1usize..40).prop_flat_map(|words| {
                let scores = prop::collection::vec(-30f64..30.0, words - 1);
                (prop::collection::vec(0usize..100, words), scores)
            })
        ) {
            let tree = HuffmanTree::new(&counts).expect("there are words");
            let sum: f64 = tree.probabilities(&scores).iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-12, "{}", sum);
        }
    }
}

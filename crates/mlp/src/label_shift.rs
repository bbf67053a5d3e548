//! How often each class comes where there are no labels, from what a classifier predicts there (section 4.9).

/// The share of each of `k` classes among `labels`.
pub fn shares<const K: usize>(labels: &[u32]) -> [f64; K] {
    std::array::from_fn(|class| {
        labels.iter().filter(|&&label| label as usize == class).count() as f64 / labels.len() as f64
    })
}

/// The confusion matrix: column `j` holds the shares of the predictions for examples of class `j`.
pub fn confusion<const K: usize>(predicted: &[u32], labels: &[u32]) -> [[f64; K]; K] {
    let columns: [[f64; K]; K] = std::array::from_fn(|class| {
        let of_class = predicted.iter().zip(labels).filter(|&(_, &label)| label as usize == class);
        shares(&of_class.map(|(&predicted, _)| predicted).collect::<Vec<_>>())
    });
    std::array::from_fn(|row| std::array::from_fn(|column| columns[column][row]))
}

/// Solves `matrix · x = b` by elimination with the largest pivot.
pub fn solve<const N: usize>(mut matrix: [[f64; N]; N], mut b: [f64; N]) -> anyhow::Result<[f64; N]> {
    for column in 0..N {
        let size = |row: &usize| matrix[*row][column].abs();
        let pivot = (column..N).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or(column);
        // Not `<`, so that what is not a number fails too.
        anyhow::ensure!(size(&pivot) > 1e-9, "the matrix has no inverse: two classes are confused entirely");
        matrix.swap(column, pivot);
        b.swap(column, pivot);
        for row in 0..N {
            if row != column {
                let pivot_row = matrix[column];
                let factor = matrix[row][column] / pivot_row[column];
                matrix[row].iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
                b[row] -= factor * b[column];
            }
        }
    }
    Ok(std::array::from_fn(|i| b[i] / matrix[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_solved_also_where_rows_must_swap() -> anyhow::Result<()> {
        let x = solve([[0.0, 2.0, 1.0], [1.0, -1.0, 0.0], [3.0, 0.0, 2.0]], [7.0, -1.0, 9.0])?;
        for (got, wanted) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((got - wanted).abs() < 1e-12, "{x:?}");
        }
        assert!(solve([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0]).is_err());
        assert!(solve([[f64::NAN, 2.0], [2.0, 4.0]], [1.0, 2.0]).is_err());
        Ok(())
    }

    #[test]
    fn the_confusion_matrix_turns_true_shares_into_predicted_ones() {
        let (predicted, labels) = ([0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]);
        let matrix: [[f64; 2]; 2] = confusion(&predicted, &labels);
        let third = 1.0 / 3.0;
        for (row, wanted) in matrix.iter().zip([[2.0 * third, third], [third, 2.0 * third]]) {
            assert!(row.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{matrix:?}");
        }
        assert_eq!(shares::<2>(&predicted), [0.5, 0.5]);
    }
}

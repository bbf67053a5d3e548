//! Arrows, grids and circles in the plane as lines of a chart, and what a matrix makes of them.

use std::f64::consts::TAU;

use nalgebra::{Matrix2, Rotation2, Vector2};

/// Lines as one series of a chart, its `xs` and its `ys`, with a gap after each line.
pub fn series(lines: &[Vec<Vector2<f64>>]) -> (Vec<f64>, Vec<f64>) {
    let gap = Vector2::new(f64::NAN, f64::NAN);
    lines.iter().flat_map(|line| line.iter().copied().chain([gap])).map(|point| (point.x, point.y)).unzip()
}

/// An arrow: its shaft, then both sides of its head, which are `head` long.
pub fn arrow(from: Vector2<f64>, to: Vector2<f64>, head: f64) -> Vec<Vector2<f64>> {
    let back = (from - to).normalize() * head;
    let side = |angle: f64| to + Rotation2::new(angle) * back;
    vec![from, to, side(0.4), to, side(-0.4)]
}

/// The lines of the grid of whole numbers from `-extent` to `extent`.
pub fn grid(extent: i32) -> Vec<Vec<Vector2<f64>>> {
    let end = f64::from(extent);
    let lines = |at: f64| {
        [vec![Vector2::new(at, -end), Vector2::new(at, end)], vec![Vector2::new(-end, at), Vector2::new(end, at)]]
    };
    (-extent..=extent).flat_map(|at| lines(f64::from(at))).collect()
}

/// The outline of the square between the origin and (1, 1), counterclockwise from the origin back to it.
pub fn unit_square() -> Vec<Vector2<f64>> {
    [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)].map(|(x, y)| Vector2::new(x, y)).to_vec()
}

/// A circle as a line of short pieces, counterclockwise from its rightmost point back to it.
pub fn circle(center: Vector2<f64>, radius: f64) -> Vec<Vector2<f64>> {
    let at = |piece: i32| {
        let (sine, cosine) = (TAU * f64::from(piece) / 120.0).sin_cos();
        center + Vector2::new(cosine, sine) * radius
    };
    (0..=120).map(at).collect()
}

/// The lines after a matrix is applied to each point.
pub fn transformed(matrix: Matrix2<f64>, lines: &[Vec<Vector2<f64>>]) -> Vec<Vec<Vector2<f64>>> {
    lines.iter().map(|line| line.iter().map(|point| matrix * point).collect()).collect()
}

/// The area within an outline that ends where it begins; negative where that runs clockwise.
pub fn area(outline: &[Vector2<f64>]) -> f64 {
    outline.windows(2).map(|corners| corners[0].perp(&corners[1])).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parted_by_gaps() {
        let (xs, ys) = series(&grid(1));
        assert_eq!((xs.len(), ys.len()), (18, 18));
        assert_eq!(xs.iter().filter(|x| x.is_nan()).count(), 6);
        assert_eq!((&xs[..2], &ys[..2]), (&[-1.0, -1.0][..], &[-1.0, 1.0][..]));
    }

    #[test]
    fn an_arrow_has_its_head_at_its_end() {
        let line = arrow(Vector2::new(1.0, 1.0), Vector2::new(4.0, 5.0), 0.5);
        assert_eq!((line[0], line[1], line[3]), (Vector2::new(1.0, 1.0), Vector2::new(4.0, 5.0), line[1]));
        for side in [line[2], line[4]] {
            assert!(((side - line[1]).norm() - 0.5).abs() < 1e-12, "{side}");
            assert!((side - line[0]).norm() < 5.0, "the head points backward: {side}");
        }
    }

    #[test]
    fn a_matrix_multiplies_areas_by_its_determinant() {
        assert_eq!(area(&unit_square()), 1.0);
        let disc = circle(Vector2::new(2.0, -1.0), 3.0);
        assert!((area(&disc) / (9.0 * std::f64::consts::PI) - 1.0).abs() < 1e-3);
        let shear_and_turn = Matrix2::new(1.0, 2.0, -1.0, 3.0);
        for matrix in [shear_and_turn, Matrix2::new(0.0, 1.0, 1.0, 0.0), Matrix2::new(2.0, 4.0, -1.0, -2.0)] {
            let after = transformed(matrix, &[unit_square(), disc.clone()]);
            assert!((area(&after[0]) - matrix.determinant()).abs() < 1e-12);
            assert!((area(&after[1]) - matrix.determinant() * area(&disc)).abs() < 1e-9);
        }
    }
}

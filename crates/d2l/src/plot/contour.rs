//! Contours of a function of two variables, by marching squares.

use std::collections::BTreeMap;

use super::axis::round_step;
use super::scene::Point;

const LEVELS: usize = 8;

/// An edge of the grid: the column and row of its lower left end, and whether it goes up.
type Edge = (usize, usize, bool);

/// The contours of `f` over the grid of `xs` and `ys` at some eight round values, each as points in their order; a
/// closed one ends where it begins.
pub(super) fn lines(xs: &[f64], ys: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<Vec<Point>> {
    let values: Vec<Vec<f64>> = xs.iter().map(|&x| ys.iter().map(|&y| f(x, y)).collect()).collect();
    let finite = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if low >= high || low.is_infinite() {
        return Vec::new();
    }
    levels(low, high).into_iter().flat_map(|level| joined(&segments(&values, level), xs, ys, &values, level)).collect()
}

/// Round values between `low` and `high`, at most [`LEVELS`].
fn levels(low: f64, high: f64) -> Vec<f64> {
    let factors = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = round_step((high - low) / LEVELS as f64, &factors);
    let (first, last) = ((low / step).floor() as i64 + 1, (high / step).ceil() as i64);
    (first..last).map(|i| i as f64 * step).collect()
}

/// The pieces of a contour within the grid's squares, from edge to edge.
fn segments(values: &[Vec<f64>], level: f64) -> Vec<(Edge, Edge)> {
    let mut segments = Vec::new();
    for i in 0..values.len().saturating_sub(1) {
        for j in 0..values[i].len().saturating_sub(1) {
            let corners = [values[i][j], values[i + 1][j], values[i + 1][j + 1], values[i][j + 1]];
            if corners.iter().any(|value| !value.is_finite()) {
                continue;
            }
            let edges: [Edge; 4] = [(i, j, false), (i + 1, j, true), (i, j + 1, false), (i, j, true)];
            let above = corners.map(|value| value > level);
            let crossed: Vec<Edge> =
                (0..4).filter(|&side| above[side] != above[(side + 1) % 4]).map(|side| edges[side]).collect();
            match crossed[..] {
                [a, b] => segments.push((a, b)),
                [a, b, c, d] => {
                    // A saddle: the mean of its corners tells which of them belong together.
                    let middle = corners.iter().sum::<f64>() / 4.0 > level;
                    let pairs = if middle == above[0] { [(a, b), (c, d)] } else { [(a, d), (b, c)] };
                    segments.extend(pairs);
                }
                _ => {}
            }
        }
    }
    segments
}

/// Joins pieces that share an edge, and finds where on its edges the contour passes.
fn joined(segments: &[(Edge, Edge)], xs: &[f64], ys: &[f64], values: &[Vec<f64>], level: f64) -> Vec<Vec<Point>> {
    let mut at: BTreeMap<Edge, Vec<usize>> = BTreeMap::new();
    for (index, &(a, b)) in segments.iter().enumerate() {
        at.entry(a).or_default().push(index);
        at.entry(b).or_default().push(index);
    }
    let mut used = vec![false; segments.len()];
    let point = |(i, j, up): Edge| {
        let (k, l) = if up { (i, j + 1) } else { (i + 1, j) };
        let t = (level - values[i][j]) / (values[k][l] - values[i][j]);
        (xs[i] + t * (xs[k] - xs[i]), ys[j] + t * (ys[l] - ys[j]))
    };
    let mut follow = |start: Edge| {
        let (mut line, mut here) = (vec![point(start)], start);
        while let Some(&next) = at[&here].iter().find(|&&index| !used[index]) {
            used[next] = true;
            here = if segments[next].0 == here { segments[next].1 } else { segments[next].0 };
            line.push(point(here));
        }
        line
    };
    // Open lines begin at the grid's border, where an edge has one piece; what is left then is closed.
    let open = at.iter().filter(|(_, pieces)| pieces.len() == 1).map(|(&edge, _)| edge);
    let lines: Vec<Vec<Point>> = open.chain(at.keys().copied()).map(&mut follow).collect();
    let (dx, dy) = (xs[1] - xs[0], ys[1] - ys[0]);
    lines.into_iter().filter(|line| extent(line, |point| point.0) > dx || extent(line, |point| point.1) > dy).collect()
}

/// How far a line reaches along an axis: less than a square of the grid is a speck.
fn extent(line: &[Point], along: impl Fn(&Point) -> f64) -> f64 {
    let ends =
        line.iter().map(along).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    ends.1 - ends.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_round_and_within() {
        assert_eq!(levels(0.0, 8.0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(levels(-11.0, 11.0), [-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0]);
    }

    #[test]
    fn contours_of_a_bowl_are_closed_and_lie_at_their_level() {
        let axis: Vec<f64> = (-30..=30).map(|i| f64::from(i) / 10.0).collect();
        let lines = lines(&axis, &axis, |x, y| x * x + y * y);
        // Levels 2.5 to 17.5; from 9 on the border cuts a circle into four arcs, of which those of 17.5 are specks.
        assert_eq!(lines.iter().filter(|line| line[0] == line[line.len() - 1]).count(), 3);
        assert_eq!(lines.len(), 3 + 3 * 4);
        for line in lines {
            let radii: Vec<f64> = line.iter().map(|(x, y)| x * x + y * y).collect();
            let level = (radii[0] / 2.5).round() * 2.5;
            assert!(radii.iter().all(|radius| (radius - level).abs() < 0.01), "{level}: {radii:?}");
        }
    }

    #[test]
    fn the_mean_of_a_saddles_corners_tells_which_edges_join() {
        let [bottom, right, top, left] = [(0, 0, false), (1, 0, true), (0, 1, false), (0, 0, true)];
        let low = segments(&[vec![1.0, -1.0], vec![-1.0, 1.0]], 0.0);
        assert_eq!(low, [(bottom, left), (right, top)]);
        let high = segments(&[vec![1.0, -0.5], vec![-0.5, 1.0]], 0.0);
        assert_eq!(high, [(bottom, right), (top, left)]);
    }

    #[test]
    fn both_branches_of_a_saddle_are_drawn_and_never_cross() {
        let axis: Vec<f64> = (-9..=9).map(|i| f64::from(i) / 9.0).collect();
        for line in lines(&axis, &axis, |x, y| x * x - y * y + 1e-9) {
            let level = line[0].0.powi(2) - line[0].1.powi(2);
            assert!(line.iter().all(|(x, y)| (x * x - y * y - level).abs() < 0.02), "{line:?}");
        }
    }

    #[test]
    fn what_has_no_contour_has_none() {
        let axis = [0.0, 1.0, 2.0];
        assert!(lines(&axis, &axis, |_, _| 3.0).is_empty());
        assert!(lines(&axis, &axis, |_, _| f64::NAN).is_empty());
        assert!(lines(&[], &[], |x, y| x + y).is_empty());
    }
}

//! Graphs of values and operations, such as the computational graph of section 4.7.

use plotters::style::RGBColor;

use super::PlotError;
use super::figure::Draw;
use super::font;
use super::scene::{Align, INK, Label, Point, Rect, Scene, WHITE};

const COLUMN: f64 = 62.0;
const ROW: f64 = 58.0;
const GAP: f64 = 8.0;
const MARGIN: f64 = 26.0;
const TEXT: f64 = 14.0;
const HALF: f64 = 15.0;
const VALUE: RGBColor = RGBColor(0xdd, 0xeb, 0xf7);
const EDGE: RGBColor = RGBColor(0x55, 0x55, 0x55);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Value,
    Operation,
}

#[derive(Debug, Clone)]
struct Node {
    name: String,
    text: String,
    kind: Kind,
    at: Point,
}

/// A directed graph: values as squares, operations as circles, arrows from each to what is computed from it.
///
/// ```
/// use d2l::plot::{Figure, Graph};
///
/// let svg = Graph::new()
///     .value("x", (0, 0))
///     .value("w", (0, 1))
///     .operation("product", "×", (1, 0))
///     .value("z", (2, 0))
///     .path(["x", "product", "z"])
///     .path(["w", "product"])
///     .to_svg()?;
/// assert!(svg.contains("×"));
/// # Ok::<(), d2l::plot::PlotError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<(String, String)>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, a square with its name, at a column and row counted from the upper left.
    pub fn value(self, name: impl Into<String>, at: (u32, u32)) -> Self {
        let name = name.into();
        self.node(name.clone(), name, Kind::Value, at)
    }

    /// Adds an operation, a circle with `sign`, at a column and row; `name` is what a path calls it.
    pub fn operation(self, name: impl Into<String>, sign: impl Into<String>, at: (u32, u32)) -> Self {
        self.node(name.into(), sign.into(), Kind::Operation, at)
    }

    fn node(mut self, name: String, text: String, kind: Kind, (column, row): (u32, u32)) -> Self {
        self.nodes.push(Node { name, text, kind, at: (f64::from(column), f64::from(row)) });
        self
    }

    /// Adds arrows from each node named to the next.
    pub fn path<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.edges.extend(names.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        self
    }

    /// How far columns are apart: further than usual where neighbors in a row have long names.
    fn column(&self) -> f64 {
        let pairs = self.nodes.iter().flat_map(|a| self.nodes.iter().map(move |b| (a, b)));
        let beside = pairs.filter(|(a, b)| a.at.1 == b.at.1 && a.at.0 < b.at.0);
        beside.map(|(a, b)| (a.half().0 + b.half().0 + GAP) / (b.at.0 - a.at.0)).fold(COLUMN, f64::max)
    }

    /// The room at the left and the right, which the widest node fits into.
    fn margin(&self) -> f64 {
        self.nodes.iter().map(|node| node.half().0 + 4.0).fold(MARGIN, f64::max)
    }

    fn find(&self, name: &str) -> Result<&Node, PlotError> {
        let missing = || PlotError::Argument(format!("the graph has an arrow at `{name}`, and no node of that name"));
        self.nodes.iter().find(|node| node.name == name).ok_or_else(missing)
    }
}

impl Node {
    /// The middle, `margin` from the figure's left border where the column is 0, with columns `column` apart.
    fn center(&self, margin: f64, column: f64) -> Point {
        (margin + self.at.0 * column, MARGIN + self.at.1 * ROW)
    }

    /// Half the width and height.
    fn half(&self) -> (f64, f64) {
        match self.kind {
            Kind::Value => ((font::width(&self.text, TEXT, false) / 2.0 + 6.0).max(HALF), HALF),
            Kind::Operation => (HALF, HALF),
        }
    }

    /// Where a line from the middle at `(x, y)` towards `other` leaves the node.
    fn border(&self, (x, y): Point, other: Point) -> Point {
        let (dx, dy) = (other.0 - x, other.1 - y);
        let half = self.half();
        let t = match self.kind {
            Kind::Operation => HALF / dx.hypot(dy).max(1e-9),
            Kind::Value => (half.0 / dx.abs().max(1e-9)).min(half.1 / dy.abs().max(1e-9)),
        };
        (x + t * dx, y + t * dy)
    }
}

impl Draw for Graph {
    const EXTENSION: &'static str = "svg";

    fn scene(&self) -> Result<Scene, PlotError> {
        for (place, node) in self.nodes.iter().enumerate() {
            if self.nodes[..place].iter().any(|other| other.name == node.name) {
                return Err(PlotError::Argument(format!("the graph has two nodes of the name `{}`", node.name)));
            }
        }
        let furthest = |along: fn(&Node) -> f64| self.nodes.iter().map(along).fold(0.0, f64::max);
        let (margin, column) = (self.margin(), self.column());
        let mut scene = Scene::new(
            2.0 * margin + column * furthest(|node| node.at.0),
            2.0 * MARGIN + ROW * furthest(|node| node.at.1),
        );
        for (from, to) in &self.edges {
            let (from, to) = (self.find(from)?, self.find(to)?);
            let (start, end) = (from.center(margin, column), to.center(margin, column));
            scene.arrow(from.border(start, end), to.border(end, start), EDGE, 1.2);
        }
        for node in &self.nodes {
            let ((x, y), half) = (node.center(margin, column), node.half());
            match node.kind {
                Kind::Value => {
                    let area = Rect { left: x - half.0, top: y - half.1, right: x + half.0, bottom: y + half.1 };
                    scene.fill(area, VALUE, 1.0);
                    scene.outline(area, INK, 1.0);
                }
                Kind::Operation => {
                    scene.dot((x, y), HALF, INK);
                    scene.dot((x, y), HALF - 1.0, WHITE);
                }
            }
            let at = (x, y + Label::half_capital(TEXT));
            scene.text(Label::new(&node.text, at, TEXT, Align::Middle));
        }
        Ok(scene)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Figure;
    use super::*;

    #[test]
    fn a_name_is_one_nodes() {
        let error = Graph::new().value("x", (0, 0)).operation("x", "+", (1, 0)).to_svg().unwrap_err().to_string();
        assert!(error.contains("two nodes") && error.contains("`x`"), "{error}");
    }

    #[test]
    fn a_long_name_is_within_the_figure() -> Result<(), PlotError> {
        let graph = Graph::new().value("a value of a long name", (0, 0));
        assert!(graph.margin() > graph.nodes[0].half().0 && graph.scene()?.width > 2.0 * graph.nodes[0].half().0);
        Ok(())
    }

    #[test]
    fn neighbors_with_long_names_do_not_touch() {
        let (short, long) =
            (Graph::new().value("a", (0, 0)).value("b", (1, 0)), Graph::new().value("daughter", (0, 0)));
        assert_eq!(short.column(), COLUMN);
        let long = long.value("granddaughter", (1, 0)).value("grandmother", (3, 1));
        let halves = long.nodes[0].half().0 + long.nodes[1].half().0;
        assert!(long.column() > halves && long.column() < halves + 2.0 * GAP);
    }

    #[test]
    fn an_arrow_needs_both_its_nodes() {
        let error = Graph::new().value("x", (0, 0)).path(["x", "z"]).to_svg().unwrap_err().to_string();
        assert!(error.contains("`z`"), "{error}");
    }

    #[test]
    fn arrows_end_at_borders() {
        let graph = Graph::new().value("x", (0, 0)).operation("f", "f", (1, 0));
        let (x, f) = (&graph.nodes[0], &graph.nodes[1]);
        let (left, right) = (x.center(MARGIN, COLUMN), f.center(MARGIN, COLUMN));
        assert_eq!(x.border(left, right), (MARGIN + HALF, MARGIN));
        assert_eq!(f.border(right, left), (MARGIN + COLUMN - HALF, MARGIN));
    }
}

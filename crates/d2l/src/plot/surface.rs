//! Surfaces over a plane, seen from above at an angle.

use num_traits::AsPrimitive;
use plotters::style::RGBColor;

use super::PlotError;
use super::axis::{linear_ticks, widened};
use super::figure::Draw;
use super::heat_maps::blend;
use super::scene::{Align, GRID, INK, Label, Point, Scene, Stroke};

const SIZE: (f64, f64) = (440.0, 388.0);
const TICK_SIZE: f64 = 11.0;
const LABEL_SIZE: f64 = 13.0;
/// The net of the first function, and of those beside it.
const LINES: [Stroke; 3] = [
    Stroke::solid(RGBColor(0x1f, 0x77, 0xb4), 0.9),
    Stroke::solid(RGBColor(0xff, 0x7f, 0x0e), 0.9),
    Stroke::solid(RGBColor(0x2c, 0xa0, 0x2c), 0.9),
];
/// From dark blue over green to yellow.
const HEIGHTS: [RGBColor; 5] =
    [RGBColor(68, 1, 84), RGBColor(59, 82, 139), RGBColor(33, 145, 140), RGBColor(94, 201, 98), RGBColor(253, 231, 37)];
const MARK: RGBColor = RGBColor(0xd6, 0x27, 0x28);
/// matplotlib's view: 60 degrees around, 30 degrees up.
const AZIMUTH: f64 = -60.0;
const ELEVATION: f64 = 30.0;
/// The height of the box as a share of its width.
const HEIGHT: f64 = 0.8;

type Point3 = (f64, f64, f64);

/// How a surface is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    Wireframe,
    Filled,
}

/// The values of a function over the grid, by x, then by y.
type Heights = Vec<Vec<f64>>;

/// A quadrilateral of the grid, all of whose corners are finite.
struct Face {
    corners: Vec<Point>,
    /// The mean height of the corners.
    mean: f64,
    depth: f64,
    net: usize,
}

/// A surface z = f(x, y) as a net of lines, or filled in colors by height, over axes in three dimensions.
///
/// ```
/// use d2l::plot::{Figure, Surface};
///
/// let axis: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
/// let saddle = Surface::new(&axis, &axis, |x, y| x * x - y * y).mark((0.0, 0.0, 0.0)).x_label("x").y_label("y");
/// assert!(saddle.to_svg()?.starts_with("<svg"));
/// # Ok::<(), d2l::plot::PlotError>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "plot_wireframe")]
pub struct Surface {
    axes: [Vec<f64>; 2],
    /// Of the function, and of each beside it.
    nets: Vec<Heights>,
    marks: Vec<Point3>,
    labels: [Option<String>; 3],
    look: Look,
}

impl Surface {
    /// The surface over the grid of `xs` and `ys`, as a wireframe.
    pub fn new<X, Y>(xs: &[X], ys: &[Y], f: impl Fn(f64, f64) -> f64) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        let xs: Vec<f64> = xs.iter().map(|x| x.as_()).collect();
        let ys: Vec<f64> = ys.iter().map(|y| y.as_()).collect();
        let nets = Vec::new();
        Self { axes: [xs, ys], nets, marks: Vec::new(), labels: [None, None, None], look: Look::Wireframe }.beside(f)
    }

    /// Adds a second function over the same grid, as a net in another color also where the first is filled; it has gaps
    /// where `g` is not finite. The z axis holds both.
    ///
    /// ```
    /// use d2l::plot::{Figure, Surface};
    ///
    /// let axis: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
    /// let near_zero = Surface::new(&axis, &axis, |x, y| (x + y).exp()).beside(|x, y| 1.0 + x + y);
    /// assert!(near_zero.to_svg()?.starts_with("<svg"));
    /// # Ok::<(), d2l::plot::PlotError>(())
    /// ```
    pub fn beside(mut self, g: impl Fn(f64, f64) -> f64) -> Self {
        let [xs, ys] = &self.axes;
        let heights = xs.iter().map(|&x| ys.iter().map(|&y| g(x, y)).collect()).collect();
        self.nets.push(heights);
        self
    }

    /// Fills the surface in colors by its height.
    #[doc(alias = "plot_surface")]
    pub fn filled(mut self) -> Self {
        self.look = Look::Filled;
        self
    }

    /// Marks a point with a red cross, which the surface does not hide; x and y within the grid, since the mark does not widen it.
    pub fn mark(mut self, at: (f64, f64, f64)) -> Self {
        self.marks.push(at);
        self
    }

    /// What the x axis measures.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.labels[0] = Some(label.into());
        self
    }

    /// What the y axis measures.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.labels[1] = Some(label.into());
        self
    }

    /// What the z axis, upwards, measures.
    pub fn z_label(mut self, label: impl Into<String>) -> Self {
        self.labels[2] = Some(label.into());
        self
    }

    fn space(&self) -> Result<Space, PlotError> {
        let range = |values: &mut dyn Iterator<Item = f64>| {
            let finite = values.filter(|value| value.is_finite());
            let ends = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
            widened(ends.0, ends.1)
        };
        if self.axes.iter().any(|axis| axis.len() < 2) {
            return Err(PlotError::Argument("a surface needs two values or more along x and along y".to_owned()));
        }
        let [xs, ys] = &self.axes;
        let heights = self.nets.iter().flatten().flatten().copied();
        Ok(Space {
            ranges: [
                range(&mut xs.iter().copied()),
                range(&mut ys.iter().copied()),
                range(&mut heights.chain(self.marks.iter().map(|mark| mark.2))),
            ],
        })
    }

    /// The faces of all functions, from the furthest to the nearest.
    fn faces(&self, space: &Space) -> Vec<Face> {
        let [xs, ys] = &self.axes;
        let mut faces = Vec::new();
        for (net, heights) in self.nets.iter().enumerate() {
            for i in 0..xs.len() - 1 {
                for j in 0..ys.len() - 1 {
                    let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
                    let corners = corners.map(|(i, j)| (xs[i], ys[j], heights[i][j]));
                    if corners.iter().all(|corner| corner.2.is_finite()) {
                        let mean = corners.iter().map(|corner| corner.2).sum::<f64>() / 4.0;
                        let depth = corners.iter().map(|&corner| space.depth(corner)).sum::<f64>();
                        faces.push(Face { corners: corners.map(|corner| space.at(corner)).to_vec(), mean, depth, net });
                    }
                }
            }
        }
        faces.sort_by(|a, b| a.depth.total_cmp(&b.depth));
        faces
    }

    /// Draws the lines of the grid over which a function is finite, each function's in its color; those of several
    /// functions from the furthest to the nearest.
    fn draw_wires(&self, scene: &mut Scene, space: &Space) {
        let [xs, ys] = &self.axes;
        let mut wires: Vec<(f64, Vec<Point>, Stroke)> = Vec::new();
        for (net, heights) in self.nets.iter().enumerate() {
            let along_y = (0..xs.len()).map(|i| (0..ys.len()).map(move |j| (i, j)).collect::<Vec<_>>());
            let along_x = (0..ys.len()).map(|j| (0..xs.len()).map(move |i| (i, j)).collect::<Vec<_>>());
            for line in along_y.chain(along_x) {
                for run in line.split(|&(i, j)| !heights[i][j].is_finite()).filter(|run| run.len() > 1) {
                    let corners: Vec<Point3> = run.iter().map(|&(i, j)| (xs[i], ys[j], heights[i][j])).collect();
                    let depth = corners.iter().map(|&corner| space.depth(corner)).sum::<f64>() / run.len() as f64;
                    let points = corners.into_iter().map(|corner| space.at(corner)).collect();
                    wires.push((depth, points, LINES[net % LINES.len()]));
                }
            }
        }
        if self.nets.len() > 1 {
            wires.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        for (_, points, stroke) in wires {
            scene.path(&points, stroke);
        }
    }

    /// Draws the faces, each hiding what is behind it; of functions beside the first only the edges are drawn.
    fn draw_faces(&self, scene: &mut Scene, space: &Space) {
        let (low, high) = space.ranges[2];
        for Face { mut corners, mean, net, .. } in self.faces(space) {
            let edge = if net == 0 {
                scene.polygon(corners.clone(), blend(&HEIGHTS, (mean - low) / (high - low)), 1.0);
                Stroke::solid(INK, 0.25)
            } else {
                LINES[net % LINES.len()]
            };
            corners.push(corners[0]);
            scene.path(&corners, edge);
        }
    }

    /// Draws the three walls behind the surface with their grid, and the names and ticks of the axes.
    fn draw_axes(&self, scene: &mut Scene, space: &Space) {
        let [(x0, x1), (y0, y1), (z0, z1)] = space.ranges;
        let grid = Stroke::solid(GRID, 0.8);
        // Each axis: where a value of it stands on the edge that has its ticks, the lines of the walls through it, the way
        // from the edge to its tick, and how its texts are set.
        let walls: [WallLine; 3] = [
            |x, Space { ranges: [_, (y0, y1), (z0, z1)] }| [(x, *y0, *z0), (x, *y1, *z0), (x, *y1, *z1)],
            |y, Space { ranges: [(x0, x1), _, (z0, z1)] }| [(*x1, y, *z0), (*x0, y, *z0), (*x0, y, *z1)],
            |z, Space { ranges: [(x0, x1), (y0, y1), _] }| [(*x0, *y0, z), (*x0, *y1, z), (*x1, *y1, z)],
        ];
        let edges = [[(x0, y0, z0), (x1, y0, z0)], [(x1, y0, z0), (x1, y1, z0)], [(x1, y1, z0), (x1, y1, z1)]];
        let outwards: [(Point, Align); 3] =
            [((-0.5, 0.9), Align::End), ((0.6, 1.1), Align::Start), ((1.0, -0.2), Align::Start)];
        let ticks = space.ranges.map(|(low, high)| linear_ticks(low, high, 4, false));
        for (wall, (ticks, _)) in walls.into_iter().zip(&ticks) {
            for &(value, _) in ticks {
                scene.path(&wall(value, space).map(|point| space.at(point)), grid);
            }
        }
        for (axis, (ticks, exponent)) in ticks.into_iter().enumerate() {
            let (low, high) = space.ranges[axis];
            let place = |value: f64| {
                let t = (value - low) / (high - low);
                let [from, to] = edges[axis];
                let mix = |a: f64, b: f64| a + t * (b - a);
                space.at((mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2)))
            };
            let ((right, down), align) = outwards[axis];
            for (value, text) in ticks {
                let (x, y) = place(value);
                scene.path(&[(x, y), (x + 4.0 * right, y + 4.0 * down)], Stroke::solid(INK, 0.9));
                let at = (x + 9.0 * right, y + 9.0 * down + Label::half_capital(TICK_SIZE));
                scene.text(Label::new(text, at, TICK_SIZE, align));
            }
            scene.path(&edges[axis].map(|end| space.at(end)), Stroke::solid(INK, 0.9));
            let exponent = exponent.map(|power| format!("(10^{power})"));
            let label = match (&self.labels[axis], exponent) {
                (Some(label), Some(exponent)) => Some(format!("{label} {exponent}")),
                (label, exponent) => label.clone().or(exponent),
            };
            if let Some(label) = label {
                let (x, y) = place(f64::midpoint(low, high));
                let away = [34.0, 34.0, 40.0][axis];
                let at = (x + away * right, y + away * down + Label::half_capital(LABEL_SIZE));
                scene.text(Label::new(label, at, LABEL_SIZE, Align::Middle));
            }
        }
    }
}

/// The lines on two walls through a value of an axis, as a path of three points.
type WallLine = fn(f64, &Space) -> [Point3; 3];

/// The box around a surface: the ends of its three axes.
struct Space {
    ranges: [(f64, f64); 3],
}

impl Space {
    /// A point in the box, whose sides are -1 and 1, and [`HEIGHT`] of that upwards.
    fn unit(&self, (x, y, z): Point3) -> Point3 {
        let scaled = |value: f64, (low, high): (f64, f64)| 2.0 * (value - low) / (high - low) - 1.0;
        (scaled(x, self.ranges[0]), scaled(y, self.ranges[1]), HEIGHT * scaled(z, self.ranges[2]))
    }

    /// Where a point stands in the figure.
    fn at(&self, point: Point3) -> Point {
        let (x, y, z) = self.unit(point);
        let ((sin_a, cos_a), (sin_e, cos_e)) = (AZIMUTH.to_radians().sin_cos(), ELEVATION.to_radians().sin_cos());
        let right = -sin_a * x + cos_a * y;
        let up = -sin_e * (cos_a * x + sin_a * y) + cos_e * z;
        let scale = SIZE.0 / 3.55;
        (SIZE.0 * 0.47 + scale * right, SIZE.1 * 0.49 - scale * up)
    }

    /// How near a point is to the eye.
    fn depth(&self, point: Point3) -> f64 {
        let (x, y, z) = self.unit(point);
        let ((sin_a, cos_a), (sin_e, cos_e)) = (AZIMUTH.to_radians().sin_cos(), ELEVATION.to_radians().sin_cos());
        cos_e * (cos_a * x + sin_a * y) + sin_e * z
    }
}

impl Draw for Surface {
    const EXTENSION: &'static str = "svg";

    fn scene(&self) -> Result<Scene, PlotError> {
        let space = self.space()?;
        let mut scene = Scene::new(SIZE.0, SIZE.1);
        self.draw_axes(&mut scene, &space);
        match self.look {
            Look::Wireframe => self.draw_wires(&mut scene, &space),
            Look::Filled => self.draw_faces(&mut scene, &space),
        }
        for &mark in &self.marks {
            let (x, y) = space.at(mark);
            for side in [-1.0, 1.0] {
                scene.path(&[(x - 5.0, y - 5.0 * side), (x + 5.0, y + 5.0 * side)], Stroke::solid(MARK, 2.2));
            }
        }
        Ok(scene)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Figure;
    use super::*;

    fn saddle() -> Surface {
        let axis: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
        Surface::new(&axis, &axis, |x, y| x * x - y * y)
    }

    #[test]
    fn all_of_the_box_is_within_the_figure() -> Result<(), PlotError> {
        let surface = saddle();
        let space = surface.space()?;
        for x in [-1.0, 1.0] {
            for y in [-1.0, 1.0] {
                for z in [-1.0, 1.0] {
                    let (right, down) = space.at((x, y, z));
                    assert!((20.0..SIZE.0 - 20.0).contains(&right), "{right}");
                    assert!((10.0..SIZE.1 - 10.0).contains(&down), "{down}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_tick_labels_leave_out_is_written_without_a_label_too() -> Result<(), PlotError> {
        let axis = [0.0, 1.0, 2.0];
        let text = Surface::new(&axis, &axis, |x, y| 1e9 * (x + y)).to_svg()?;
        assert!(text.contains("(10^9)"), "{text}");
        Ok(())
    }

    #[test]
    fn near_faces_are_drawn_after_far_ones() -> Result<(), PlotError> {
        let surface = saddle();
        let faces = surface.faces(&surface.space()?);
        assert_eq!(faces.len(), 400);
        // The eye is at positive x and negative y: that corner comes last, lowest in the figure.
        let lowest = |face: &[Point]| face.iter().map(|point| point.1).fold(0.0, f64::max);
        assert!(lowest(&faces[399].corners) > lowest(&faces[0].corners));
        Ok(())
    }

    #[test]
    fn two_functions_share_the_axes_and_have_a_color_each() -> Result<(), PlotError> {
        let axis = [0.0, 1.0, 2.0];
        let plane = Surface::new(&axis, &axis, |x, y| x + y);
        let both = plane.clone().beside(|x, _| if x > 1.0 { f64::NAN } else { 9.0 });
        assert_eq!((plane.space()?.ranges[2], both.space()?.ranges[2]), ((0.0, 4.0), (0.0, 9.0)));
        let count = |surface: &Surface, color: &str| Ok::<_, PlotError>(surface.to_svg()?.matches(color).count());
        assert_eq!((count(&plane, "#1F77B4")?, count(&plane, "#FF7F0E")?), (6, 0));
        // Two lines along y, and three along x that end where the function does.
        assert_eq!((count(&both, "#1F77B4")?, count(&both, "#FF7F0E")?), (6, 5));
        assert_eq!(both.faces(&both.space()?).len(), 4 + 2);
        let filled = both.filled();
        assert_eq!((count(&filled, "#1F77B4")?, count(&filled, "#FF7F0E")?), (0, 2));
        Ok(())
    }

    #[test]
    fn far_lines_of_either_function_are_drawn_first() -> Result<(), PlotError> {
        let axis = [0.0, 1.0];
        let levels = Surface::new(&axis, &axis, |_, _| 1.0).beside(|_, _| 0.0);
        let svg = levels.to_svg()?;
        // Seen from above, the lower level has the furthest line, and the upper one the nearest.
        let colors: Vec<&str> = svg.split("stroke=\"#").skip(1).filter_map(|line| line.get(..6)).collect();
        let nets: Vec<&str> = colors.into_iter().filter(|color| ["1F77B4", "FF7F0E"].contains(color)).collect();
        assert_eq!(nets.len(), 8);
        assert_eq!((nets[0], nets[7]), ("FF7F0E", "1F77B4"));
        Ok(())
    }

    #[test]
    fn gaps_are_left_out_and_a_line_is_no_surface() -> Result<(), PlotError> {
        let axis = [0.0, 1.0, 2.0, 3.0];
        let holed = Surface::new(&axis, &axis, |x, y| if x == 0.0 && y == 0.0 { f64::NAN } else { x + y });
        assert_eq!(holed.faces(&holed.space()?).len(), 8);
        assert!(holed.filled().to_svg()?.contains("polygon"));
        assert!(Surface::new(&[1.0], &axis, |x, _| x).to_svg().is_err());
        Ok(())
    }
}

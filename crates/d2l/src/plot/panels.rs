//! Several charts in one figure.

use super::figure::Draw;
use super::scene::Scene;
use super::{Chart, PlotError};

/// Charts in rows and columns, as matplotlib's `subplots` lays them out.
#[derive(Debug, Clone)]
#[doc(alias = "subplots")]
pub struct Panels {
    columns: usize,
    charts: Vec<Chart>,
    note: Option<String>,
    same_y: bool,
}

impl Panels {
    /// `charts` row by row, `columns` to a row; the last row may be shorter.
    pub fn new(columns: usize, charts: impl IntoIterator<Item = Chart>) -> Self {
        Self { columns, charts: charts.into_iter().collect(), note: None, same_y: false }
    }

    /// Gives all charts one y axis, the least that holds each of theirs, so that heights can be compared.
    #[doc(alias = "sharey")]
    pub fn same_y(mut self) -> Self {
        self.same_y = true;
        self
    }

    /// A remark in a colored tag above the right corner, such as "sample data".
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl Draw for Panels {
    const EXTENSION: &'static str = "svg";

    fn scene(&self) -> Result<Scene, PlotError> {
        if self.columns == 0 || self.charts.is_empty() {
            return Err(PlotError::Argument("panels need at least one column and one chart".to_owned()));
        }
        let mut charts = self.charts.clone();
        if self.same_y {
            let axes = charts.iter().map(|chart| Ok(chart.axes(5, 5)?.1)).collect::<Result<Vec<_>, PlotError>>()?;
            let low = axes.iter().map(|axis| axis.low).fold(f64::INFINITY, f64::min);
            let high = axes.iter().map(|axis| axis.high).fold(f64::NEG_INFINITY, f64::max);
            charts = charts.into_iter().map(|chart| chart.y_range(low..high)).collect();
        }
        let scenes = charts.iter().map(Draw::scene).collect::<Result<Vec<_>, _>>()?;
        let mut figure = Scene::new(0.0, 0.0);
        let mut rest = scenes.into_iter().peekable();
        while rest.peek().is_some() {
            let (mut left, top) = (0.0, figure.height);
            for scene in rest.by_ref().take(self.columns) {
                let (width, height) = (scene.width, scene.height);
                figure.place(scene, (left, top));
                left += width;
                figure.width = figure.width.max(left);
                figure.height = figure.height.max(top + height);
            }
        }
        Ok(figure.with_note(self.note.as_deref()))
    }
}

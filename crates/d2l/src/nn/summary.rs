//! What a net is made of: layers, output shapes, parameters; and what it costs.
//!
//! A layer tells neither its output shape nor its parameters, so both are observed: one input passes through the net,
//! and the variables of the autograd graph between a layer's input and its output are that layer's parameters. So blocks
//! of one's own need no further code.

use std::collections::HashMap;
use std::fmt;

use candle_core::{Result, Tensor, TensorId};

use super::Sequential;
use crate::ops::count_multiply_adds;

/// The layers of a [`Sequential`] in order, each with its type, output shape and parameter count; layers of an inner
/// [`Sequential`] follow it (section 6.6). Printed as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The input's shape.
    pub input: Vec<usize>,
    /// The layers.
    pub rows: Vec<SummaryRow>,
    /// How many numbers training changes, those of shared parameters counted once.
    pub parameters: usize,
    /// How many multiplications, each with an addition, a forward pass of the input takes in convolutions, linear layers
    /// and matrix products; recurrent layers are not counted.
    pub multiply_adds: u64,
    /// Whether the table has a column for them.
    shows_cost: bool,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    /// 0 for the net's own layers, 1 for those of an inner [`Sequential`], and so on.
    pub depth: usize,
    /// The layer's name in its [`Sequential`].
    pub name: String,
    /// The layer's type.
    pub kind: String,
    /// The output's shape.
    pub output: Vec<usize>,
    /// How many numbers of the layer training changes.
    pub parameters: usize,
    /// How many multiply-adds it takes.
    pub multiply_adds: u64,
}

/// The sizes of parameters by variable.
type Found = HashMap<TensorId, usize>;

impl Summary {
    pub(super) fn new(net: &Sequential, x: &Tensor) -> Result<Self> {
        let mut rows = Vec::new();
        let (visited, multiply_adds) = count_multiply_adds(|| visit(net, x.detach(), 0, &mut rows));
        let (_, found) = visited?;
        let (input, parameters) = (x.dims().to_vec(), found.values().sum());
        Ok(Self { input, rows, parameters, multiply_adds, shows_cost: false })
    }

    /// The same with a column for the multiply-adds of a forward pass.
    pub fn with_multiply_adds(self) -> Self {
        Self { shows_cost: true, ..self }
    }

    /// The net's own layers only, those of inner nets left out.
    pub fn top_level(mut self) -> Self {
        self.rows.retain(|row| row.depth == 0);
        self
    }
}

/// Adds the rows of a net's layers; returns the output and the parameters.
fn visit(net: &Sequential, mut x: Tensor, depth: usize, rows: &mut Vec<SummaryRow>) -> Result<(Tensor, Found)> {
    let mut all = Found::new();
    for layer in net.layers() {
        let at = rows.len();
        let (name, kind) = (layer.name.clone(), layer.kind.clone());
        rows.push(SummaryRow { depth, name, kind, output: Vec::new(), parameters: 0, multiply_adds: 0 });
        let (visited, multiply_adds) = count_multiply_adds(|| {
            if let Some(inner) = layer.as_sequential() {
                layer.named(visit(inner, x, depth + 1, rows))
            } else {
                let output = layer.forward(&x, false)?;
                let variables = output.sorted_nodes().into_iter().filter(|node| node.is_variable());
                let found = variables.map(|variable| (variable.id(), variable.elem_count())).collect();
                Ok((output.detach(), found))
            }
        });
        let (output, found) = visited?;
        rows[at].multiply_adds = multiply_adds;
        rows[at].output = output.dims().to_vec();
        rows[at].parameters = found.values().sum();
        all.extend(found);
        x = output;
    }
    Ok((x, all))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = if self.shows_cost { 5 } else { 4 };
        let head = ["layer", "type", "output shape", "parameters", "multiply-adds"].map(String::from);
        let input = ["input".into(), String::new(), format!("{:?}", self.input), String::new(), String::new()];
        let layers = self.rows.iter().map(|row| {
            let name = format!("{:indent$}{}", "", row.name, indent = 2 * row.depth);
            let (parameters, cost) = (grouped(row.parameters as u64), grouped(row.multiply_adds));
            [name, row.kind.clone(), format!("{:?}", row.output), parameters, cost]
        });
        let (parameters, cost) = (grouped(self.parameters as u64), grouped(self.multiply_adds));
        let total = ["total".into(), String::new(), String::new(), parameters, cost];
        let rows: Vec<_> = [head, input].into_iter().chain(layers).chain([total]).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let rule = widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>().join("  ");
        for (number, row) in rows.iter().enumerate() {
            if number == 1 || number + 1 == rows.len() {
                writeln!(f, "{rule}")?;
            }
            // Words stand on the left, numbers on the right.
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                0..=2 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// A count with its thousands apart: `61,706`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let comma = |place: usize| place > 0 && (digits.len() - place).is_multiple_of(3);
    let parts = digits.char_indices().map(|(place, digit)| format!("{}{digit}", if comma(place) { "," } else { "" }));
    parts.collect()
}

/// The name of a type, and of the types inside its brackets, without the modules; `closure` for a closure.
pub(super) fn short_name(name: &str) -> String {
    if let Some((_, "")) = name.rsplit_once("{{closure}}") {
        return "closure".into();
    }
    let mut short = String::new();
    let mut rest = name;
    while let Some(end) = rest.find(['<', '>', ',', ' ', '(', ')', '[', ']', '&', ';']) {
        let (path, tail) = rest.split_at(end);
        short.push_str(path.rsplit("::").next().unwrap_or(path));
        let bracket = tail.chars().next().map_or(0, char::len_utf8);
        short.push_str(&tail[..bracket]);
        rest = &tail[bracket..];
    }
    short + rest.rsplit("::").next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_modules() {
        let cases = [
            ("d2l::nn::linear::Linear", "Linear"),
            ("cnn::residual::Residual<d2l::nn::conv::Conv2d, u8>", "Residual<Conv2d, u8>"),
            ("d2l::ops::activation::relu", "relu"),
            ("mlp::mlp_concise::net::{{closure}}", "closure"),
            ("Vec<(core::ops::Range<usize>, &str)>", "Vec<(Range<usize>, &str)>"),
        ];
        for (long, short) in cases {
            assert_eq!(short_name(long), short);
        }
    }

    #[test]
    fn thousands_are_apart() {
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), text);
        }
    }
}

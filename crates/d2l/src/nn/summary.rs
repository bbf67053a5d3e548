//! What a net is made of: layers, output shapes, parameters.
//!
//! A layer tells neither its output shape nor its parameters, so both are observed: one input passes through the net,
//! and the variables of the autograd graph between a layer's input and its output are that layer's parameters. So blocks
//! of one's own need no further code.

use std::collections::HashMap;
use std::fmt;

use candle_core::{Result, Tensor, TensorId};

use super::Sequential;

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
}

/// The sizes of parameters by variable.
type Found = HashMap<TensorId, usize>;

impl Summary {
    pub(super) fn new(net: &Sequential, x: &Tensor) -> Result<Self> {
        let mut rows = Vec::new();
        let (_, found) = visit(net, x.detach(), 0, &mut rows)?;
        Ok(Self { input: x.dims().to_vec(), rows, parameters: found.values().sum() })
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
        rows.push(SummaryRow { depth, name, kind, output: Vec::new(), parameters: 0 });
        let (output, found) = if let Some(inner) = layer.as_sequential() {
            layer.named(visit(inner, x, depth + 1, rows))?
        } else {
            let output = layer.forward(&x, false)?;
            let variables = output.sorted_nodes().into_iter().filter(|node| node.is_variable());
            let found = variables.map(|variable| (variable.id(), variable.elem_count())).collect();
            (output.detach(), found)
        };
        rows[at].output = output.dims().to_vec();
        rows[at].parameters = found.values().sum();
        all.extend(found);
        x = output;
    }
    Ok((x, all))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [["layer", "type", "output shape", "parameters"].map(String::from)];
        let input = ["input".into(), String::new(), format!("{:?}", self.input), String::new()];
        let layers = self.rows.iter().map(|row| {
            let name = format!("{:indent$}{}", "", row.name, indent = 2 * row.depth);
            [name, row.kind.clone(), format!("{:?}", row.output), grouped(row.parameters)]
        });
        let total = ["total".into(), String::new(), String::new(), grouped(self.parameters)];
        let rows: Vec<_> = head.into_iter().chain([input]).chain(layers).chain([total]).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        let rule = [a, b, c, d].map(|width| "-".repeat(width)).join("  ");
        for (number, [name, kind, output, parameters]) in rows.iter().enumerate() {
            if number == 1 || number + 1 == rows.len() {
                writeln!(f, "{rule}")?;
            }
            let line = format!("{name:a$}  {kind:b$}  {output:c$}  {parameters:>d$}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A count with its thousands apart: `61,706`.
fn grouped(count: usize) -> String {
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

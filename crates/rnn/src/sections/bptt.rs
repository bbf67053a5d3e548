//! 8.7 Backpropagation Through Time
//!
//! The gradients of a small recurrent net by the chain rule written out, held against autograd; how they shrink or
//! grow over the steps; and what is lost where the sum over the steps is cut.
//!
//! `cargo run --release -p rnn -- bptt`
//! By hand and by autograd the same to 1e-5; norms fall as 0.9 to the number of steps, or grow as 1.1 to it.

use d2l::notebook::within;
use d2l::ops::matmul;
use d2l::prelude::*;
use d2l::random::normal;
use rand::Rng;

/// Sizes.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Time steps
    #[arg(long, default_value_t = 40, value_parser = within::<2, 1000>)]
    pub num_steps: usize,
    /// Features of inputs and outputs
    #[arg(long, default_value_t = 3, value_parser = within::<1, 1000>)]
    pub num_inputs: usize,
    /// Features of the hidden state
    #[arg(long, default_value_t = 8, value_parser = within::<1, 1000>)]
    pub num_hiddens: usize,
    /// Draws of the randomly truncated gradient
    #[arg(long, default_value_t = 2000, value_parser = count)]
    pub draws: usize,
}

defaults! { Config: Smoke { num_steps: 12, draws: 200 } }

/// A net without biases and activation, `hₜ = W_hh hₜ₋₁ + W_hx xₜ`, `oₜ = W_qh hₜ`, so that its gradients can be written
/// down. In `f64`: the point is to compare.
pub struct LinearRnn {
    /// `(hidden, inputs)`
    pub w_hx: Var,
    /// `(hidden, hidden)`
    pub w_hh: Var,
    /// `(outputs, hidden)`
    pub w_qh: Var,
}

/// The gradients of the three weights.
#[derive(Debug)]
pub struct WeightGradients {
    pub w_hx: Tensor,
    pub w_hh: Tensor,
    pub w_qh: Tensor,
}

impl LinearRnn {
    /// A net whose `W_hh` is `radius` times a random rotation: all its eigenvalues have that absolute value.
    pub fn new(inputs: usize, hidden: usize, radius: f64, stream: &mut Stream, device: &Device) -> Result<Self> {
        let mut draw = |rows: usize, columns: usize| {
            let draw = normal(stream, 0.0, 1.0 / (columns as f64).sqrt(), (rows, columns), device)?;
            draw.to_dtype(DType::F64)
        };
        let w_hh = (orthogonal(&draw(hidden, hidden)?)? * radius)?;
        Ok(Self {
            w_hx: Var::from_tensor(&draw(hidden, inputs)?)?,
            w_hh: Var::from_tensor(&w_hh)?,
            w_qh: Var::from_tensor(&draw(inputs, hidden)?)?,
        })
    }

    /// All hidden states for inputs `(steps, inputs, 1)`: `steps` columns `(hidden, 1)`, from a state of zeros.
    pub fn states(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let mut h = Tensor::zeros((self.w_hh.dim(0)?, 1), DType::F64, x.device())?;
        let step = |t| {
            h = (matmul(&self.w_hh, &h)? + matmul(&self.w_hx, &x.get(t)?)?)?;
            Ok(h.clone())
        };
        (0..x.dim(0)?).map(step).collect()
    }

    /// The mean over the steps of half the squared error against labels `(steps, inputs, 1)`.
    pub fn loss(&self, states: &[Tensor], y: &Tensor) -> Result<Tensor> {
        let o = matmul(&self.w_qh, &Tensor::stack(states, 0)?)?; // (steps, outputs, 1)
        (o - y)?.sqr()?.sum_all()? / (2.0 * states.len() as f64)
    }

    /// `∂L/∂hₜ` for every step, back from the last: `W_hhᵀ ∂L/∂hₜ₊₁ + W_qhᵀ ∂L/∂oₜ`, the first term multiplied by
    /// `keep(t)`, 1 for the whole gradient and 0 where it is cut.
    fn state_gradients(
        &self,
        states: &[Tensor],
        y: &Tensor,
        mut keep: impl FnMut(usize) -> f64,
    ) -> Result<Vec<Tensor>> {
        let mut grads: Vec<Tensor> = Vec::with_capacity(states.len());
        for (t, h) in states.iter().enumerate().rev() {
            let error = ((matmul(&self.w_qh, h)? - y.get(t)?)? / states.len() as f64)?; // ∂L/∂oₜ, (outputs, 1)
            let mut grad = matmul(&self.w_qh.t()?, &error)?; // (hidden, 1)
            if let Some(later) = grads.last() {
                grad = (grad + (matmul(&self.w_hh.t()?, later)? * keep(t))?)?;
            }
            grads.push(grad);
        }
        grads.reverse();
        Ok(grads)
    }

    /// The gradients of the loss by the chain rule, with the flow from step `t + 1` to step `t` multiplied by `keep(t)`.
    pub fn gradients(&self, x: &Tensor, y: &Tensor, keep: impl FnMut(usize) -> f64) -> Result<WeightGradients> {
        let states: Vec<Tensor> = self.states(x)?.iter().map(Tensor::detach).collect();
        let grad_h = self.state_gradients(&states, y, keep)?;
        let mut sums = [self.w_hx.zeros_like()?, self.w_hh.zeros_like()?, self.w_qh.zeros_like()?];
        for (t, (h, grad)) in states.iter().zip(&grad_h).enumerate() {
            let error = ((matmul(&self.w_qh, h)? - y.get(t)?)? / states.len() as f64)?;
            sums[0] = (&sums[0] + matmul(grad, &x.get(t)?.t()?)?)?; // ∂L/∂hₜ xₜᵀ
            if t > 0 {
                sums[1] = (&sums[1] + matmul(grad, &states[t - 1].t()?)?)?; // ∂L/∂hₜ hₜ₋₁ᵀ
            }
            sums[2] = (&sums[2] + matmul(&error, &h.t()?)?)?; // ∂L/∂oₜ hₜᵀ
        }
        let [w_hx, w_hh, w_qh] = sums;
        Ok(WeightGradients { w_hx, w_hh, w_qh })
    }

    /// The norm of `∂h_T/∂hₜ` for `T - t` from 0 on: the powers of `W_hhᵀ`, each by its Frobenius norm over `√hidden`.
    pub fn decay(&self, steps: usize) -> Result<Vec<f64>> {
        let w = self.w_hh.t()?.detach();
        let mut power = Tensor::eye(w.dim(0)?, DType::F64, w.device())?;
        let mut norms = Vec::with_capacity(steps);
        for _ in 0..steps {
            norms.push(norm(&power)? / (w.dim(0)? as f64).sqrt());
            power = matmul(&power, &w)?;
        }
        Ok(norms)
    }
}

/// The columns of a square matrix made orthogonal to each other, by Gram and Schmidt.
fn orthogonal(a: &Tensor) -> Result<Tensor> {
    let mut columns: Vec<Tensor> = Vec::new();
    for j in 0..a.dim(1)? {
        let mut column = a.narrow(1, j, 1)?; // (n, 1)
        for other in &columns {
            column = (&column - other.broadcast_mul(&(other * &column)?.sum_all()?)?)?;
        }
        columns.push(column.broadcast_div(&column.sqr()?.sum_all()?.sqrt()?)?);
    }
    Tensor::cat(&columns, 1)
}

fn norm(x: &Tensor) -> Result<f64> {
    Ok(x.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
}

/// `‖a − b‖ / ‖b‖`
fn distance(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(norm(&(a - b)?)? / norm(b)?)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A small net")?;
    let (steps, inputs) = (config.num_steps, config.num_inputs);
    let hidden = config.num_hiddens;
    let device = nb.device().clone();
    let x = nb.normal((steps, inputs, 1))?.to_dtype(DType::F64)?;
    let y = nb.normal((steps, inputs, 1))?.to_dtype(DType::F64)?;
    let net = LinearRnn::new(inputs, hidden, 0.9, nb.sampling(), &device)?;
    let states = net.states(&x)?;
    let loss = net.loss(&states, &y)?;
    nb.say(format!("{} states of {:?}, loss {:.4}", states.len(), states[0].dims(), loss.to_scalar::<f64>()?))?;

    nb.cell("By hand and by autograd")?;
    let by_hand = net.gradients(&x, &y, |_| 1.0)?;
    let by_autograd = backward(&loss)?;
    let mut table = Table::new(["gradient of", "norm", "relative difference"]);
    let mut largest = 0f64;
    let pairs =
        [("W_hx", &net.w_hx, &by_hand.w_hx), ("W_hh", &net.w_hh, &by_hand.w_hh), ("W_qh", &net.w_qh, &by_hand.w_qh)];
    for (name, weight, own) in pairs {
        let grad = by_autograd.get(weight)?;
        let difference = distance(own, grad)?;
        largest = largest.max(difference);
        table.row([name.into(), format!("{:.4}", norm(grad)?), format!("{difference:.1e}")]);
    }
    nb.say(table)?;
    nb.metric("gradient_difference", largest)?;

    nb.cell("How far a gradient reaches")?;
    let back: Vec<f64> = (0..steps).map(|step| step as f64).collect();
    let mut chart = Chart::new().x_label("steps back").y_label("norm of the gradient").log_y();
    let mut nets = Vec::new();
    for radius in [0.8, 0.9, 1.0, 1.1] {
        let net = LinearRnn::new(inputs, hidden, radius, nb.sampling(), &device)?;
        let norms = net.decay(steps)?;
        nb.say(format!("radius {radius}: {:.3e} after {} steps", norms[steps - 1], steps - 1))?;
        chart = chart.line(format!("radius {radius}"), &back, &norms);
        nets.push((radius, net));
    }
    nb.figure("gradient-norms", "Norms fall or grow exponentially with the number of steps", chart)?;

    nb.cell("Truncating time steps")?;
    let windows: Vec<usize> = (1..=steps).collect();
    let mut chart = Chart::new().x_label("steps kept").y_label("relative error of the gradient");
    for (radius, net) in nets.iter().take(3) {
        let full = net.gradients(&x, &y, |_| 1.0)?;
        // Cut as training does: into pieces of so many steps, between which nothing flows back.
        let cut = |window: usize| net.gradients(&x, &y, |t| if (t + 1).is_multiple_of(window) { 0.0 } else { 1.0 });
        let errors = windows.iter().map(|&window| distance(&cut(window)?.w_hh, &full.w_hh));
        let errors = errors.collect::<Result<Vec<_>>>()?;
        nb.say(format!("radius {radius}: {:.3} with pieces of {} steps", errors[steps / 4 - 1], steps / 4))?;
        chart = chart.line(format!("radius {radius}"), &windows.iter().map(|&w| w as f64).collect::<Vec<_>>(), &errors);
    }
    nb.figure("truncation", "The error of the truncated gradient falls as more steps are kept", chart)?;

    nb.cell("Randomized truncation")?;
    let (_, net) = &nets[1]; // radius 0.9
    let full = net.gradients(&x, &y, |_| 1.0)?.w_hh;
    let go_on = 0.8; // the chance that a step's gradient flows on; what does is divided by it
    let mut mean = full.zeros_like()?;
    let (mut single, mut counted, mut errors) = (0.0, Vec::new(), Vec::new());
    for draw in 1..=config.draws {
        let stream = nb.sampling();
        let grad = net.gradients(&x, &y, |_| if stream.random_bool(go_on) { 1.0 / go_on } else { 0.0 })?.w_hh;
        single += distance(&grad, &full)?;
        mean = (&mean + ((grad - &mean)? / draw as f64)?)?;
        counted.push(draw as f64);
        errors.push(distance(&mean, &full)?);
    }
    let regular = distance(&net.gradients(&x, &y, |t| if (t + 1).is_multiple_of(5) { 0.0 } else { 1.0 })?.w_hh, &full)?;
    let (single, mean) = (single / config.draws as f64, errors[errors.len() - 1]);
    nb.say(format!("pieces of 5 steps: error {regular:.3}, always the same"))?;
    nb.say(format!("random pieces of 5 steps on average: error {single:.3}, of their mean {mean:.3}"))?;
    let chart = Chart::new().x_label("draws").y_label("relative error of the mean gradient").log_x();
    let chart = chart.line("randomized", &counted, &errors).line("regular", &counted, &vec![regular; counted.len()]);
    let alt = "The mean of randomly truncated gradients comes near the full gradient, that of regular ones does not";
    nb.figure("randomized", alt, chart.y_range(0.0..0.8))?;
    nb.metric("truncated_error", regular)?;
    nb.metric("randomized_error", single)?;
    nb.metric("randomized_mean_error", mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_orthogonal() -> Result<()> {
        let mut stream = Random::new(3).stream(Purpose::Sampling, "test");
        let net = LinearRnn::new(2, 5, 1.0, &mut stream, &Device::Cpu)?;
        let product = matmul(&net.w_hh.t()?, &net.w_hh)?;
        let identity = Tensor::eye(5, DType::F64, &Device::Cpu)?;
        assert!(norm(&(product - identity)?)? < 1e-9);
        assert!(net.decay(30)?.iter().all(|norm| (norm - 1.0).abs() < 1e-9));
        Ok(())
    }

    #[test]
    fn cut_everywhere_only_the_direct_gradient_is_left() -> Result<()> {
        let mut stream = Random::new(4).stream(Purpose::Sampling, "test");
        let net = LinearRnn::new(2, 3, 0.9, &mut stream, &Device::Cpu)?;
        let x = normal(&mut stream, 0.0, 1.0, (4, 2, 1), &Device::Cpu)?.to_dtype(DType::F64)?;
        let y = x.zeros_like()?;
        let cut = net.gradients(&x, &y, |_| 0.0)?;
        let full = net.gradients(&x, &y, |_| 1.0)?;
        assert!(distance(&cut.w_qh, &full.w_qh)? < 1e-12); // nothing of it flows through time
        assert!(distance(&cut.w_hh, &full.w_hh)? > 1e-3);
        Ok(())
    }
}

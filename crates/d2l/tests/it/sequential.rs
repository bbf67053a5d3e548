//! `Sequential`: its layers by place and name, and the summary of shapes and parameters.

use candle_core::{DType, Device, Result, Tensor};
use d2l::nn::{BatchNorm, Conv2d, Dropout, Embedding, Flatten, Linear, MaxPool2d, Parameters, Sequential};
use d2l::nn::{Module, ModuleT, VarBuilder};
use d2l::ops::{self, BatchNormConfig, Conv2dConfig, Pool2dConfig};
use d2l::random::{Purpose, Random};

fn parameters() -> Parameters {
    Parameters::new(&Random::new(1), &Device::Cpu)
}

/// A block of one's own, with layers that nothing declares.
struct Residual {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Residual {
    fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
        let conv = Conv2d::new(channels, channels, (3, 3), config, &vb.pp("conv"))?;
        Ok(Self { conv, norm: BatchNorm::new(channels, BatchNormConfig::default(), &vb.pp("norm"))? })
    }
}

impl ModuleT for Residual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        ops::relu(&(x + self.norm.forward_t(&self.conv.forward(x)?, train)?)?)
    }
}

fn net(parameters: &Parameters) -> Result<Sequential> {
    let vb = parameters.builder();
    let stem = Sequential::new()
        .add(Conv2d::new(1, 4, (3, 3), Conv2dConfig::default(), &vb.pp("stem"))?)
        .add_named("activation", ops::relu)
        .add(MaxPool2d(Pool2dConfig::new((2, 2))));
    let dropout = Dropout::from_stream(0.5, Random::new(2).stream(Purpose::Dropout, "test"))?;
    Ok(Sequential::new()
        .add_named("stem", stem)
        .add(Residual::new(4, &vb.pp("residual"))?)
        .add(|x: &Tensor| x * 2.0)
        .add(Flatten)
        .add(dropout)
        .add_named("output", Linear::new(4 * 5 * 5, 10, &vb.pp("output"))?))
}

#[test]
fn the_summary_shows_each_layer_with_its_shape_and_parameters() -> Result<()> {
    let parameters = parameters();
    let net = net(&parameters)?;
    let before = parameters.get("residual.norm.running_mean").expect("a buffer").to_vec1::<f32>()?;
    let summary = net.summary((2, 1, 12, 12), &Device::Cpu)?;
    let rows: Vec<_> = summary
        .rows
        .iter()
        .map(|row| (row.depth, row.name.as_str(), row.kind.as_str(), row.output.as_slice(), row.parameters))
        .collect();
    let plane: &[usize] = &[2, 4, 5, 5];
    assert_eq!(
        rows,
        [
            (0, "stem", "Sequential", plane, 40),
            (1, "0", "Conv2d", &[2, 4, 10, 10], 40),
            (1, "activation", "relu", &[2, 4, 10, 10], 0),
            (1, "2", "MaxPool2d", plane, 0),
            (0, "1", "Residual", plane, 4 * 36 + 4 + 8),
            (0, "2", "closure", plane, 0),
            (0, "3", "Flatten", &[2, 100], 0),
            (0, "4", "Dropout", &[2, 100], 0),
            (0, "output", "Linear", &[2, 10], 1010),
        ]
    );
    assert_eq!(summary.parameters, parameters.count());
    assert_eq!(parameters.get("residual.norm.running_mean").expect("a buffer").to_vec1::<f32>()?, before);
    assert_eq!(summary.top_level().rows.len(), 6);
    Ok(())
}

#[test]
fn the_summary_prints_as_a_table() -> Result<()> {
    let parameters = parameters();
    let hidden = Linear::new(20, 256, &parameters.builder().pp("hidden"))?;
    let net = Sequential::new().add(Sequential::new().add(hidden).add(ops::relu)).add(Linear::new(
        256,
        10,
        &parameters.builder().pp("output"),
    )?);
    let expected = "\
layer  type        output shape  parameters
-----  ----------  ------------  ----------
input              [2, 20]
0      Sequential  [2, 256]           5,376
  0    Linear      [2, 256]           5,376
  1    relu        [2, 256]               0
1      Linear      [2, 10]            2,570
-----  ----------  ------------  ----------
total                                 7,946
";
    assert_eq!(net.summary((2, 20), &Device::Cpu)?.to_string(), expected);
    assert_eq!(
        net.to_string(),
        "Sequential(\n  (0): Sequential(\n    (0): Linear\n    (1): relu\n  )\n  (1): Linear\n)"
    );
    Ok(())
}

#[test]
fn the_summary_counts_multiply_adds_where_asked() -> Result<()> {
    let parameters = parameters();
    let config = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    let net = Sequential::with_parameters(&parameters.builder())
        .add_named("block", Residual::new(2, &parameters.builder().pp("block"))?)
        .layer("conv", |vb| Conv2d::new(2, 3, (3, 3), config, vb))?
        .add(Flatten)
        .layer("output", |vb| Linear::new(48, 5, vb))?;
    let summary = net.summary((1, 2, 4, 4), &Device::Cpu)?;
    let costs: Vec<_> = summary.rows.iter().map(|row| row.multiply_adds).collect();
    assert_eq!(costs, [16 * 2 * 2 * 9, 16 * 3 * 2 * 9, 0, 240]);
    assert_eq!(summary.multiply_adds, costs.iter().sum::<u64>());
    assert!(!summary.to_string().contains("multiply-adds"));
    let expected = "\
layer   type      output shape  parameters  multiply-adds
------  --------  ------------  ----------  -------------
input             [1, 2, 4, 4]
block   Residual  [1, 2, 4, 4]          42            576
conv    Conv2d    [1, 3, 4, 4]          57            864
2       Flatten   [1, 48]                0              0
output  Linear    [1, 5]               245            240
------  --------  ------------  ----------  -------------
total                                  344          1,680
";
    assert_eq!(summary.with_multiply_adds().to_string(), expected);
    Ok(())
}

#[test]
fn parameters_in_two_layers_count_once() -> Result<()> {
    let parameters = parameters();
    let shared = Linear::new(8, 8, &parameters.builder().pp("shared"))?;
    let net = Sequential::new().add(shared.clone()).add(ops::relu).add(shared);
    let summary = net.summary((1, 8), &Device::Cpu)?;
    assert_eq!(summary.rows.iter().map(|row| row.parameters).collect::<Vec<_>>(), [72, 0, 72]);
    assert_eq!((summary.parameters, parameters.count()), (72, 72));
    Ok(())
}

#[test]
fn a_summary_of_token_ids_takes_the_ids() -> Result<()> {
    let parameters = parameters();
    let net = Sequential::new().add(Embedding::new(10, 3, &parameters.builder())?);
    let summary = net.summary_of(&Tensor::zeros((2, 4), DType::U32, &Device::Cpu)?)?;
    assert_eq!((summary.rows[0].output.as_slice(), summary.parameters), (&[2, 4, 3][..], 30));
    Ok(())
}

#[test]
fn layers_are_found_by_place_and_name_and_are_what_they_are() -> Result<()> {
    let net = net(&parameters())?;
    assert_eq!(net.len(), 6);
    assert_eq!(net.get::<Linear>("output")?.weight().dims(), [10, 100]);
    assert_eq!(net.get::<Sequential>(0)?.get::<Conv2d>(0)?.weight().dims(), [4, 1, 3, 3]);
    assert_eq!(net.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["stem", "1", "2", "3", "4", "output"]);
    let mut x = Tensor::zeros((1, 1, 12, 12), DType::F32, &Device::Cpu)?;
    for (_, layer) in net.iter() {
        x = layer.forward_t(&x, false)?;
    }
    assert_eq!(x.dims(), [1, 10]);
    let error = net.get::<Linear>(0).expect_err("a Sequential").to_string();
    assert!(error.contains("layer 0 is a Sequential, not a Linear"), "{error}");
    let error = net.get::<Linear>("head").expect_err("no such layer").to_string();
    assert!(error.contains("no layer \"head\": the layers are stem, 1, 2, 3, 4, output"), "{error}");
    assert!(net.get::<Linear>(6).is_err());
    Ok(())
}

#[test]
fn a_layer_that_does_not_take_its_input_is_named() -> Result<()> {
    let net = net(&parameters())?;
    let error = net.summary((2, 1, 14, 14), &Device::Cpu).expect_err("too large").to_string();
    assert!(error.contains("in layer output (Linear)"), "{error}");
    let error = net.summary((2, 3, 12, 12), &Device::Cpu).expect_err("three channels").to_string();
    assert!(error.contains("in layer stem (Sequential)") && error.contains("in layer 0 (Conv2d)"), "{error}");
    let x = Tensor::zeros((2, 1, 14, 14), DType::F32, &Device::Cpu)?;
    assert!(net.forward_t(&x, true).expect_err("too large").to_string().contains("in layer output (Linear)"));
    Ok(())
}

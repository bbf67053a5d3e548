//! Values and gradients of every block against PyTorch's, which `scripts/reference/attention.py` wrote. Among the
//! lengths are 0, so that a whole row is masked, and lengths beyond the row.

use attention::transformer_layers::{AddNorm, DecoderBlock, EncoderBlock, FeedForward};
use attention::{
    AdditiveAttention, DotProductAttention, MultiHeadAttention, PositionalEncoding, TransformerSizes, bahdanau,
    transformer,
};
use d2l::prelude::*;
use d2l_testing::pytorch::{self, Inputs};
use rnn::RecurrentSizes;

const CPU: Device = Device::Cpu;
const SIZES: TransformerSizes =
    TransformerSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.0, max_len: 1000 };

/// Gives the layer PyTorch's parameters, then compares its output and all gradients.
fn check<L>(
    case: &str,
    layer: impl FnOnce(&VarBuilder) -> Result<L>,
    forward: impl FnOnce(&L, &Inputs) -> Result<Tensor>,
) -> anyhow::Result<()> {
    pytorch::check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/attention.safetensors"), case, layer, forward)
}

#[test]
fn scoring_functions_with_a_length_for_each_sequence_or_each_query() -> anyhow::Result<()> {
    for kind in ["sequence", "query"] {
        check(
            &format!("additive_{kind}"),
            |vb| AdditiveAttention::new(4, 6, 7, 0.0, vb),
            |net, x| {
                let lens = Some(x.get("lens"));
                Ok(net.forward_t(x.get("queries"), x.get("keys"), x.get("values"), lens, false)?.0)
            },
        )?;
        check(
            &format!("dot_product_{kind}"),
            |vb| DotProductAttention::new(0.0, vb),
            |net, x| {
                let lens = Some(x.get("lens"));
                Ok(net.forward_t(x.get("queries"), x.get("keys"), x.get("values"), lens, false)?.0)
            },
        )?;
        check(
            &format!("multi_head_{kind}"),
            |vb| MultiHeadAttention::new(8, 2, 0.0, vb),
            |net, x| {
                let lens = Some(x.get("lens"));
                Ok(net.forward_t(x.get("queries"), x.get("keys"), x.get("values"), lens, false)?.0)
            },
        )?;
    }
    Ok(())
}

#[test]
fn positions_feed_forward_and_norm() -> anyhow::Result<()> {
    let sizes = TransformerSizes { hidden: 6, feed_forward: 5, ..SIZES };
    check("positions", |vb| PositionalEncoding::new(6, 1000, 0.0, vb), |net, x| net.forward_t(x.get("x"), 0, false))?;
    check(
        "feed_forward",
        |vb| FeedForward::new(sizes.hidden, sizes.feed_forward, sizes.hidden, vb),
        |net, x| net.forward(x.get("x")),
    )?;
    check("add_norm", |vb| AddNorm::new(&sizes, vb), |net, x| net.forward_t(x.get("x"), x.get("change"), false))
}

#[test]
fn blocks_of_the_transformer() -> anyhow::Result<()> {
    check(
        "encoder_block",
        |vb| EncoderBlock::new(&SIZES, vb),
        |net, x| Ok(net.forward_t(x.get("x"), x.get("lens"), false)?.0),
    )?;
    check(
        "decoder_block",
        |vb| DecoderBlock::new(&SIZES, vb),
        |net, x| {
            let earlier = Tensor::arange(1u32, 5, &CPU)?.expand((3, 4))?.contiguous()?;
            let mut state = net.init_state(x.get("encoded"))?;
            net.forward_t(x.get("x"), &mut state, &earlier, x.get("lens"), false)
        },
    )
}

#[test]
fn whole_models_with_a_source_of_no_valid_token() -> anyhow::Result<()> {
    let sizes = RecurrentSizes { embed: 6, hidden: 8, layers: 2, dropout: 0.0 };
    check(
        "bahdanau",
        |vb| bahdanau(9, 8, &sizes, vb),
        |net, x| net.forward_t(x.get("source"), x.get("target"), x.get("lens"), false),
    )?;
    check(
        "transformer",
        |vb| transformer(9, 8, &SIZES, vb),
        |net, x| net.forward_t(x.get("source"), x.get("target"), x.get("lens"), false),
    )
}

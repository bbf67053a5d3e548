//! Values and gradients of BERT, whole and in parts, against PyTorch's, which `scripts/reference/bert.py` wrote. Of the
//! inputs one has no padding, and one a single valid token.

use d2l::ops::concat;
use d2l::prelude::*;
use d2l_testing::pytorch::{self, Inputs};
use nlp_pretraining::sections::bert::{Bert, BertEncoder, BertSizes, MaskedLanguageModel, NextSentencePrediction};

const VOCABULARY: usize = 13;
const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.0, max_len: 12 };

/// Gives the layer PyTorch's parameters, then compares its output and all gradients.
fn check<L>(
    case: &str,
    layer: impl FnOnce(&VarBuilder) -> Result<L>,
    forward: impl FnOnce(&L, &Inputs) -> Result<Tensor>,
) -> anyhow::Result<()> {
    pytorch::check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/bert.safetensors"), case, layer, forward)
}

#[test]
fn the_encoder() -> anyhow::Result<()> {
    check(
        "encoder",
        |vb| BertEncoder::new(VOCABULARY, &SIZES, vb),
        |net, x| net.forward_t(x.get("tokens"), x.get("segments"), Some(x.get("lens")), false),
    )
}

#[test]
fn the_nets_of_both_tasks() -> anyhow::Result<()> {
    check(
        "mlm",
        |vb| MaskedLanguageModel::new(VOCABULARY, SIZES.hidden, vb),
        |net, x| net.forward(x.get("x"), x.get("positions")),
    )?;
    check("nsp", |vb| NextSentencePrediction::new(SIZES.hidden, vb), |net, x| net.forward(x.get("x")))
}

#[test]
fn the_whole_model() -> anyhow::Result<()> {
    check(
        "bert",
        |vb| Bert::new(VOCABULARY, &SIZES, vb),
        |net, x| {
            let (lens, positions) = (Some(x.get("lens")), Some(x.get("positions")));
            let (encoded, mlm, nsp) = net.forward_t(x.get("tokens"), x.get("segments"), lens, positions, false)?;
            let parts = [Some(encoded), mlm, Some(nsp)].into_iter().flatten().map(|part| part.flatten_all());
            concat(&parts.collect::<Result<Vec<_>>>()?, 0)
        },
    )
}

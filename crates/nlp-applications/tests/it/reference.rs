//! Values and gradients of the chapter's nets against PyTorch's, which `scripts/reference/nlp_applications.py` wrote. Nothing
//! is dropped. Of BERT's inputs one has no padding, and one a single valid token.

use attention::transformer_layers::FeedForwardActivation;
use d2l::checkpoint;
use d2l::prelude::*;
use d2l_testing::pytorch::{self, Inputs};
use nlp_applications::bert_heads::BertInputs;
use nlp_applications::sections::natural_language_inference_attention::DecomposableAttention;
use nlp_applications::sections::natural_language_inference_bert::BertClassifier;
use nlp_applications::sections::sentiment_analysis_cnn::TextCnn;
use nlp_applications::sections::sentiment_analysis_rnn::BiRnn;
use nlp_pretraining::bert_layers::BertVariant;
use nlp_pretraining::sections::bert::{BertEncoder, BertSizes};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/nlp_applications.safetensors");
const VOCABULARY: usize = 11;
const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.0, max_len: 12 };

/// Gives the net PyTorch's parameters, then compares its output and all gradients.
fn check<L>(
    case: &str,
    net: impl FnOnce(&VarBuilder) -> Result<L>,
    forward: impl FnOnce(&L, &Inputs) -> Result<Tensor>,
) -> anyhow::Result<()> {
    pytorch::check(FILE, case, net, forward)
}

/// The vectors of words of a case, `(vocabulary, dimension)`, which training does not change.
fn vectors(case: &str) -> anyhow::Result<Tensor> {
    let name = format!("{case}.constant.vectors");
    let tensors = checkpoint::load_map(FILE, &Device::Cpu)?;
    tensors.get(&name).cloned().ok_or_else(|| anyhow::anyhow!("{FILE} has no {name}"))
}

#[test]
fn long_short_term_memory_in_both_directions() -> anyhow::Result<()> {
    let vectors = vectors("birnn")?;
    check("birnn", |vb| BiRnn::new(&vectors, 4, 2, vb), |net, x| net.forward_t(x.get("tokens"), false))
}

#[test]
fn convolutions_over_texts() -> anyhow::Result<()> {
    let vectors = vectors("textcnn")?;
    check("textcnn", |vb| TextCnn::new(&vectors, &[2, 3], 4, 0.5, vb), |net, x| net.forward_t(x.get("tokens"), false))
}

#[test]
fn decomposable_attention() -> anyhow::Result<()> {
    check(
        "attention",
        |vb| DecomposableAttention::new(VOCABULARY, 3, 6, 0.2, vb),
        |net, x| net.forward_t(x.get("premises"), x.get("hypotheses"), false),
    )
}

#[test]
fn the_classifier_on_bert() -> anyhow::Result<()> {
    check(
        "classifier",
        |vb| BertClassifier::new(BertEncoder::new(VOCABULARY, &SIZES, &vb.pp("encoder"))?, 3, vb),
        |net, x| {
            let [tokens, segments, valid_lens] = ["tokens", "segments", "lens"].map(|name| x.get(name).clone());
            net.forward_t(&BertInputs { tokens, segments, valid_lens }, false)
        },
    )
}

#[test]
fn an_encoder_as_berts_authors_have_it() -> anyhow::Result<()> {
    let variant = BertVariant { activation: FeedForwardActivation::Gelu, embedding_norm: true };
    check(
        "encoder_gelu",
        |vb| BertEncoder::with_variant(VOCABULARY, &SIZES, variant, vb),
        |net, x| net.forward_t(x.get("tokens"), x.get("segments"), Some(x.get("lens")), false),
    )
}

//! The heads of section 15.6: what stands on BERT's encoder for texts, pairs of texts, tags and answers.
//!
//! Each takes an encoder, pretrained or not, and is trained together with it.

use std::collections::VecDeque;

use candle_core::bail;
use d2l::nn::Linear;
use d2l::ops::{CrossEntropy, add, cross_entropy_with, mse_loss, tanh};
use d2l::plot::Graph;
use d2l::prelude::*;
use d2l::text::Vocab;
use nlp_pretraining::sections::bert::{BertEncoder, CLS, SEP, tokens_and_segments};

/// One text or two as BERT takes them, `<cls> a <sep>` or `<cls> a <sep> b <sep>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BertInput {
    /// Ids.
    pub tokens: Vec<u32>,
    /// For each of them the number of its text, 0 or 1.
    pub segments: Vec<u32>,
}

impl BertInput {
    /// The input of texts whose words and punctuation stand between blanks.
    pub fn new(a: &str, b: Option<&str>, vocab: &Vocab) -> Self {
        let ids = |text: &str| vocab.ids(text.split_whitespace());
        let marks = [CLS, SEP].map(|mark| vocab.id(mark));
        let (tokens, segments) = tokens_and_segments(&ids(a), b.map(ids).as_deref(), marks);
        Self { tokens, segments }
    }
}

/// A row filled up, or cut off, to a length.
pub(crate) fn padded(row: &[u32], filler: u32, steps: usize) -> impl Iterator<Item = u32> {
    row.iter().copied().chain(std::iter::repeat(filler)).take(steps)
}

/// A minibatch of inputs.
#[derive(Debug, Clone)]
pub struct BertInputs {
    /// Ids, `(batch, steps)` of `u32`.
    pub tokens: Tensor,
    /// Numbers of texts, `(batch, steps)` of `u32`; 0 for padding.
    pub segments: Tensor,
    /// How many tokens of each input are no padding, `(batch)` of `u32`.
    pub valid_lens: Tensor,
}

impl BertInputs {
    /// Inputs, filled up to the longest of them with the id `pad`.
    ///
    /// # Errors
    /// Where there are none, or one has not as many segments as tokens; what the device gives.
    pub fn new(inputs: &[&BertInput], pad: u32, device: &Device) -> Result<Self> {
        let lens: Vec<usize> = inputs.iter().map(|input| input.tokens.len()).collect();
        let steps = lens.iter().copied().max().unwrap_or(0);
        if steps == 0 {
            bail!("BERT has nothing to read: a minibatch needs an input, and an input needs tokens");
        }
        if let Some(input) = inputs.iter().find(|input| input.tokens.len() != input.segments.len()) {
            bail!("an input of {} tokens has {} segments", input.tokens.len(), input.segments.len());
        }
        let tokens: Vec<u32> = inputs.iter().flat_map(|input| padded(&input.tokens, pad, steps)).collect();
        let segments: Vec<u32> = inputs.iter().flat_map(|input| padded(&input.segments, 0, steps)).collect();
        let lens: Vec<u32> = lens.into_iter().map(|len| len as u32).collect();
        Ok(Self {
            tokens: Tensor::from_vec(tokens, (inputs.len(), steps), device)?,
            segments: Tensor::from_vec(segments, (inputs.len(), steps), device)?,
            valid_lens: Tensor::new(lens, device)?,
        })
    }

    /// The vectors of all tokens, `(batch, steps, hidden)`.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`].
    pub fn encode(&self, encoder: &BertEncoder, train: bool) -> Result<Tensor> {
        encoder.forward_t(&self.tokens, &self.segments, Some(&self.valid_lens), train)
    }

    /// 0 for the tokens of the second text, without the `<sep>` behind it, and -∞ elsewhere: `(batch, steps)` of `f32`.
    fn outside_of_second_text(&self) -> Result<Tensor> {
        let (shape, device) = (self.segments.shape(), self.segments.device());
        let so_far = Tensor::arange(1, self.segments.dim(1)? as u32 + 1, device)?.unsqueeze(0)?; // (1, steps)
        let before_last = so_far.broadcast_lt(&self.valid_lens.unsqueeze(1)?)?; // (batch, steps)
        let inside = (before_last * self.segments.to_dtype(DType::U8)?)?; // (batch, steps)
        inside.where_cond(&Tensor::zeros(shape, DType::F32, device)?, &Tensor::full(f32::NEG_INFINITY, shape, device)?)
    }
}

/// The label of tokens that have no tag to tell: marks and padding.
pub const IGNORED: u32 = u32::MAX;

/// What a head tells of an input, or is to tell.
pub trait HeadTarget: Clone {
    /// The targets of a minibatch, `(batch)` or `(batch, …)`; its inputs have `steps` tokens.
    ///
    /// # Errors
    /// What the device gives.
    fn batch(targets: &[&Self], steps: usize, device: &Device) -> Result<Tensor>;
}

/// A class: `(batch)` of `u32`.
impl HeadTarget for u32 {
    fn batch(targets: &[&Self], _: usize, device: &Device) -> Result<Tensor> {
        Tensor::new(targets.iter().map(|&&class| class).collect::<Vec<_>>(), device)
    }
}

/// A number: `(batch)` of `f32`.
impl HeadTarget for f32 {
    fn batch(targets: &[&Self], _: usize, device: &Device) -> Result<Tensor> {
        Tensor::new(targets.iter().map(|&&number| number).collect::<Vec<_>>(), device)
    }
}

/// A tag for each token, [`IGNORED`] where there is none to tell: `(batch, steps)` of `u32`.
impl HeadTarget for Vec<u32> {
    fn batch(targets: &[&Self], steps: usize, device: &Device) -> Result<Tensor> {
        let tags: Vec<u32> = targets.iter().flat_map(|tags| padded(tags, IGNORED, steps)).collect();
        Tensor::from_vec(tags, (targets.len(), steps), device)
    }
}

/// The positions of the first and the last token of a span: `(batch, 2)` of `u32`.
impl HeadTarget for [u32; 2] {
    fn batch(targets: &[&Self], _: usize, device: &Device) -> Result<Tensor> {
        let ends: Vec<u32> = targets.iter().flat_map(|&&ends| ends).collect();
        Tensor::from_vec(ends, (targets.len(), 2), device)
    }
}

/// A net on BERT's encoder, for a task.
pub trait BertHead {
    /// What it tells of an input.
    type Target: HeadTarget;

    /// The loss of a minibatch, a mean; `targets` is what it is to tell, as [`HeadTarget::batch`] puts it.
    ///
    /// # Errors
    /// Where the shapes do not fit, or there is no such target.
    fn loss(&self, inputs: &BertInputs, targets: &Tensor, train: bool) -> Result<Tensor>;

    /// What it tells of each input.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`].
    fn predict(&self, inputs: &BertInputs) -> Result<Vec<Self::Target>>;
}

/// How many features the vectors of an encoder have.
fn features(encoder: &BertEncoder) -> Result<usize> {
    encoder.token_embedding.weight().dim(1)
}

/// The vector of `<cls>` behind a layer, which stands for an input as a whole.
struct WholeInput {
    encoder: BertEncoder,
    hidden: Linear,
}

impl WholeInput {
    fn new(encoder: BertEncoder, vb: &VarBuilder) -> Result<Self> {
        let features = features(&encoder)?;
        Ok(Self { encoder, hidden: Linear::new(features, features, &vb.pp("hidden"))? })
    }

    fn forward_t(&self, inputs: &BertInputs, train: bool) -> Result<Tensor> {
        let cls = inputs.encode(&self.encoder, train)?.i((.., 0))?; // (batch, hidden)
        tanh(&self.hidden.forward(&cls)?) // (batch, hidden)
    }
}

/// Tells the class of an input as a whole.
pub struct TextClassifier {
    input: WholeInput,
    output: Linear,
}

/// The same net: two texts come to it as one input, and with three classes it is that of section 15.7.
pub type PairClassifier = TextClassifier;

impl TextClassifier {
    /// A classifier on an encoder.
    pub fn new(encoder: BertEncoder, classes: usize, vb: &VarBuilder) -> Result<Self> {
        let output = Linear::new(features(&encoder)?, classes, &vb.pp("output"))?;
        Ok(Self { input: WholeInput::new(encoder, vb)?, output })
    }

    /// From inputs of `(batch, steps)` to logits `(batch, classes)`.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`].
    pub fn forward_t(&self, inputs: &BertInputs, train: bool) -> Result<Tensor> {
        self.output.forward(&self.input.forward_t(inputs, train)?)
    }
}

/// Targets are classes, `(batch)` of `u32`; the loss is the cross-entropy.
impl BertHead for TextClassifier {
    type Target = u32;

    fn loss(&self, inputs: &BertInputs, targets: &Tensor, train: bool) -> Result<Tensor> {
        cross_entropy(&self.forward_t(inputs, train)?, targets, Reduction::Mean)
    }

    fn predict(&self, inputs: &BertInputs) -> Result<Vec<u32>> {
        self.forward_t(inputs, false)?.argmax(D::Minus1)?.to_vec1()
    }
}

/// Tells a number of an input as a whole, such as how alike its two texts are.
pub struct PairRegressor {
    input: WholeInput,
    output: Linear,
}

impl PairRegressor {
    /// A regressor on an encoder.
    pub fn new(encoder: BertEncoder, vb: &VarBuilder) -> Result<Self> {
        let output = Linear::new(features(&encoder)?, 1, &vb.pp("output"))?;
        Ok(Self { input: WholeInput::new(encoder, vb)?, output })
    }

    /// From inputs of `(batch, steps)` to numbers `(batch)`.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`].
    pub fn forward_t(&self, inputs: &BertInputs, train: bool) -> Result<Tensor> {
        self.output.forward(&self.input.forward_t(inputs, train)?)?.squeeze(1) // (batch, 1) -> (batch)
    }
}

/// Targets are numbers, `(batch)` of `f32`; the loss is the squared error.
impl BertHead for PairRegressor {
    type Target = f32;

    fn loss(&self, inputs: &BertInputs, targets: &Tensor, train: bool) -> Result<Tensor> {
        mse_loss(&self.forward_t(inputs, train)?, targets, Reduction::Mean)
    }

    fn predict(&self, inputs: &BertInputs) -> Result<Vec<f32>> {
        self.forward_t(inputs, false)?.to_vec1()
    }
}

/// Tells the tag of each token: one layer for all of them.
pub struct Tagger {
    encoder: BertEncoder,
    output: Linear,
}

impl Tagger {
    /// A tagger on an encoder.
    pub fn new(encoder: BertEncoder, tags: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { output: Linear::new(features(&encoder)?, tags, &vb.pp("output"))?, encoder })
    }

    /// From inputs of `(batch, steps)` to logits `(batch, steps, tags)`.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`].
    pub fn forward_t(&self, inputs: &BertInputs, train: bool) -> Result<Tensor> {
        self.output.forward(&inputs.encode(&self.encoder, train)?)
    }
}

/// Targets are tags, `(batch, steps)` of `u32`, and [`IGNORED`] where a token has none; the loss is the cross-entropy as its
/// mean over the tokens that have one.
impl BertHead for Tagger {
    type Target = Vec<u32>;

    fn loss(&self, inputs: &BertInputs, targets: &Tensor, train: bool) -> Result<Tensor> {
        let logits = self.forward_t(inputs, train)?.flatten_to(1)?; // (batch * steps, tags)
        let options = CrossEntropy { ignored_label: Some(i64::from(IGNORED)), ..CrossEntropy::default() };
        cross_entropy_with(&logits, &targets.flatten_all()?, &options)
    }

    /// For each token of an input but padding; for its first and last, which are marks, [`IGNORED`].
    fn predict(&self, inputs: &BertInputs) -> Result<Vec<Vec<u32>>> {
        let rows = self.forward_t(inputs, false)?.argmax(D::Minus1)?.to_vec2::<u32>()?; // (batch, steps)
        let words = |(mut tags, len): (Vec<u32>, u32)| {
            tags.truncate(len as usize);
            tags.first_mut().into_iter().for_each(|mark| *mark = IGNORED);
            tags.last_mut().into_iter().for_each(|mark| *mark = IGNORED);
            tags
        };
        Ok(rows.into_iter().zip(inputs.valid_lens.to_vec1()?).map(words).collect())
    }
}

/// Tells which tokens of the second text, a passage, answer the first, a question: where they start and where they end.
pub struct SpanReader {
    encoder: BertEncoder,
    ends: Linear,
    max_answer: usize,
}

impl SpanReader {
    /// A reader on an encoder, of answers of at most `max_answer` tokens. It adds two vectors, whose products with a token's
    /// vector are the scores of an answer that starts and of one that ends there. A bias would raise all scores alike, which
    /// the softmax over the tokens does not see.
    pub fn new(encoder: BertEncoder, max_answer: usize, vb: &VarBuilder) -> Result<Self> {
        let ends = Linear::without_bias(features(&encoder)?, 2, &vb.pp("ends"))?;
        Ok(Self { encoder, ends, max_answer })
    }

    /// The scores of all tokens of inputs of `(batch, steps)`.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`].
    pub fn forward_t(&self, inputs: &BertInputs, train: bool) -> Result<SpanScores> {
        let scores = self.ends.forward(&inputs.encode(&self.encoder, train)?)?; // (batch, steps, 2)
        let outside = inputs.outside_of_second_text()?; // (batch, steps)
        let masked = |end: usize| add(&scores.i((.., .., end))?, &outside); // (batch, steps)
        Ok(SpanScores { start: masked(0)?, end: masked(1)? })
    }
}

/// How well an answer starts, or ends, at each token; -∞ outside of the passage.
pub struct SpanScores {
    /// `(batch, steps)`
    pub start: Tensor,
    /// `(batch, steps)`
    pub end: Tensor,
}

/// Targets are the positions of an answer's first and last token in the input, `(batch, 2)` of `u32`; the loss is the mean of
/// two cross-entropies, in which the tokens are the classes.
impl BertHead for SpanReader {
    type Target = [u32; 2];

    fn loss(&self, inputs: &BertInputs, targets: &Tensor, train: bool) -> Result<Tensor> {
        let SpanScores { start, end } = self.forward_t(inputs, train)?;
        let start = cross_entropy(&start, &targets.i((.., 0))?, Reduction::Mean)?;
        let end = cross_entropy(&end, &targets.i((.., 1))?, Reduction::Mean)?;
        (start + end)? / 2.0
    }

    /// The [`best_span`] of each passage.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`], and where a passage has no token.
    fn predict(&self, inputs: &BertInputs) -> Result<Vec<[u32; 2]>> {
        let SpanScores { start, end } = self.forward_t(inputs, false)?;
        let best = |(start, end): (Vec<f32>, Vec<f32>)| match best_span(&start, &end, self.max_answer) {
            Some(span) => Ok(span),
            None => bail!("an input has no second text to find an answer in"),
        };
        start.to_vec2()?.into_iter().zip(end.to_vec2()?).map(best).collect()
    }
}

/// A picture of which tokens' vectors the heads look at.
pub fn reach_of_heads() -> Graph {
    Graph::new()
        .value("<cls>", (0, 0))
        .value("a text", (0, 1))
        .value("a second text", (0, 2))
        .value("encoder", (2, 1))
        .value("vector of <cls>", (5, 0))
        .value("vectors of the text", (5, 1))
        .value("vectors of the second", (5, 2))
        .value("class or number", (8, 0))
        .value("tags", (8, 1))
        .value("start and end", (8, 2))
        .path(["<cls>", "encoder", "vector of <cls>", "class or number"])
        .path(["a text", "encoder", "vectors of the text", "tags"])
        .path(["a second text", "encoder", "vectors of the second", "start and end"])
}

/// The span of at most `max_len` tokens whose first token's `start` and last token's `end` have the largest sum: the
/// positions of both. Of several, that which ends first, and of those the longest one. None where all sums are -∞, or there
/// is no token.
///
/// Each position is an end once, and is among the possible starts of later ends only as long as it lies within `max_len` of
/// them and no later one is better: the time is that of reading the scores.
pub fn best_span(start: &[f32], end: &[f32], max_len: usize) -> Option<[u32; 2]> {
    let mut best = (f32::NEG_INFINITY, None);
    // Possible starts, each better than those behind it.
    let mut starts: VecDeque<usize> = VecDeque::new();
    for (last, (&score, &end)) in start.iter().zip(end).enumerate() {
        // Neither -∞ nor what is no number.
        if score > f32::NEG_INFINITY {
            while starts.back().is_some_and(|&first| start[first] < score) {
                starts.pop_back();
            }
            starts.push_back(last);
        }
        while starts.front().is_some_and(|&first| last - first >= max_len) {
            starts.pop_front();
        }
        if let Some(&first) = starts.front()
            && start[first] + end > best.0
        {
            best = (start[first] + end, Some([first, last].map(|position| position as u32)));
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use d2l::optim::Adam;
    use nlp_pretraining::sections::bert::{BertSizes, RESERVED};
    use proptest::prelude::*;

    use super::*;
    use crate::head_examples::{
        ACCEPTABILITY, ANSWERING, Example, HeadExamples, SIMILARITY, TAGGING, TAGS, vocabulary,
    };

    const CPU: Device = Device::Cpu;
    const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.0, max_len: 30 };

    /// Ids 0 to 4 are those of unknown words and marks, "a" has 5, "b" 6 and so on.
    fn letters() -> Vocab {
        Vocab::new("a b c d e f".split(' '), 0, &RESERVED)
    }

    fn encoder(parameters: &Parameters, vocabulary: usize, sizes: &BertSizes) -> Result<BertEncoder> {
        BertEncoder::new(vocabulary, sizes, &parameters.builder().pp("encoder"))
    }

    /// A question of two words with a passage of three, and one of one with a passage of two.
    fn questions() -> Result<BertInputs> {
        let vocab = letters();
        let inputs = [BertInput::new("a b", Some("c d e"), &vocab), BertInput::new("c", Some("f a"), &vocab)];
        BertInputs::new(&[&inputs[0], &inputs[1]], vocab.id("<pad>"), &CPU)
    }

    fn scalar(x: &Tensor) -> Result<f64> {
        x.to_dtype(DType::F64)?.to_scalar()
    }

    /// Two rows are the same but for rounding; infinite values are the same ones.
    fn near(a: &Tensor, b: &Tensor) -> Result<()> {
        let (a, b) = (a.flatten_all()?.to_vec1::<f32>()?, b.flatten_all()?.to_vec1::<f32>()?);
        let same = |(a, b): (&f32, &f32)| a == b || (a - b).abs() < 1e-5;
        assert!(a.len() == b.len() && a.iter().zip(&b).all(same), "{a:?} {b:?}");
        Ok(())
    }

    #[test]
    fn inputs_are_marked_and_filled_up() -> Result<()> {
        let BertInputs { tokens, segments, valid_lens } = questions()?;
        assert_eq!(tokens.to_vec2::<u32>()?, [[3, 5, 6, 4, 7, 8, 9, 4], [3, 7, 4, 10, 5, 4, 1, 1]]);
        assert_eq!(segments.to_vec2::<u32>()?, [[0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 0, 0]]);
        assert_eq!(valid_lens.to_vec1::<u32>()?, [8, 6]);
        let single = BertInput::new("a  nowhere\tb", None, &letters());
        assert_eq!((single.tokens, single.segments), (vec![3, 5, 0, 6, 4], vec![0; 5]));
        Ok(())
    }

    #[test]
    fn inputs_that_are_none_are_errors() {
        let message = |inputs: &[&BertInput]| BertInputs::new(inputs, 1, &CPU).expect_err("no input").to_string();
        assert!(message(&[]).contains("needs an input"));
        assert!(message(&[&BertInput { tokens: Vec::new(), segments: Vec::new() }]).contains("needs tokens"));
        let uneven = BertInput { tokens: vec![3, 4], segments: vec![0] };
        assert!(message(&[&uneven]).contains("2 tokens has 1 segments"));
    }

    /// A net of these sizes and its parameters.
    fn build<H>(
        sizes: &BertSizes,
        vocabulary: usize,
        head: impl FnOnce(BertEncoder, &VarBuilder) -> Result<H>,
    ) -> Result<(H, Parameters)> {
        let parameters = Parameters::new(&Random::new(3), &CPU);
        let net = head(encoder(&parameters, vocabulary, sizes)?, &parameters.builder())?;
        Ok((net, parameters))
    }

    fn targets<T: HeadTarget>(targets: &[T], inputs: &BertInputs) -> Result<Tensor> {
        T::batch(&targets.iter().collect::<Vec<_>>(), inputs.tokens.dim(1)?, &CPU)
    }

    #[test]
    fn every_parameter_of_every_head_gets_a_gradient() -> Result<()> {
        fn check<H: BertHead>(
            head: impl FnOnce(BertEncoder, &VarBuilder) -> Result<H>,
            told: &[H::Target],
        ) -> Result<()> {
            let (net, parameters) = build(&BertSizes { dropout: 0.1, ..SIZES }, 11, head)?;
            let inputs = questions()?;
            let loss = net.loss(&inputs, &targets(told, &inputs)?, true)?;
            // A bias of the keys moves all scores of a query alike, which softmax does not see.
            d2l_testing::gradients::reach_all(&parameters, &loss, |name| name.ends_with("w_k.bias"))
        }
        check(|encoder, vb| TextClassifier::new(encoder, 3, vb), &[2, 0])?;
        check(PairRegressor::new, &[4.0, 1.0])?;
        let i = IGNORED;
        check(|encoder, vb| Tagger::new(encoder, 3, vb), &[vec![i, 0, 1, i, 2, 2, 1, i], vec![i, 0, i, 1, 1, i]])?;
        check(|encoder, vb| SpanReader::new(encoder, 3, vb), &[[4, 5], [3, 4]])
    }

    /// Heads that tell nothing apart lose what guessing loses.
    #[test]
    fn untaught_heads_guess() -> Result<()> {
        fn loss<H: BertHead>(
            head: impl FnOnce(BertEncoder, &VarBuilder) -> Result<H>,
            told: &[H::Target],
        ) -> Result<f64> {
            let (net, parameters) = build(&SIZES, 11, head)?;
            for name in ["output.weight", "output.bias", "ends.weight"] {
                if let Some(variable) = parameters.get(name) {
                    variable.set(&variable.zeros_like()?)?;
                }
            }
            let inputs = questions()?;
            scalar(&net.loss(&inputs, &targets(told, &inputs)?, false)?)
        }
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} {b}");
        close(loss(|encoder, vb| TextClassifier::new(encoder, 3, vb), &[2, 0])?, 3f64.ln());
        close(loss(PairRegressor::new, &[4.0, 1.0])?, 8.5);
        let tags = [vec![IGNORED, 0, 1, IGNORED, 2, 2, 1, IGNORED], vec![IGNORED, 0, IGNORED, 1, 1, IGNORED]];
        close(loss(|encoder, vb| Tagger::new(encoder, 5, vb), &tags)?, 5f64.ln());
        let (three, two) = (3f64.ln(), 2f64.ln());
        close(loss(|encoder, vb| SpanReader::new(encoder, 3, vb), &[[4, 6], [3, 4]])?, f64::midpoint(three, two));
        Ok(())
    }

    #[test]
    fn tags_that_are_ignored_weigh_nothing() -> Result<()> {
        let (net, _) = build(&SIZES, 11, |encoder, vb| Tagger::new(encoder, 5, vb))?;
        let inputs = questions()?;
        let told = [vec![IGNORED, 4, 1], vec![IGNORED, 0]]; // filled up with what is ignored
        let loss = scalar(&net.loss(&inputs, &targets(&told, &inputs)?, false)?)?;
        let logits = net.forward_t(&inputs, false)?; // (2, 8, 5)
        let rows = Tensor::stack(&[logits.i((0, 1))?, logits.i((0, 2))?, logits.i((1, 1))?], 0)?; // (3, 5)
        let expected = cross_entropy(&rows, &Tensor::new(&[4u32, 1, 0], &CPU)?, Reduction::Mean)?;
        assert!((loss - scalar(&expected)?).abs() < 1e-5, "{loss}");
        Ok(())
    }

    #[test]
    fn answers_stand_in_the_passage() -> Result<()> {
        let (net, _) = build(&SIZES, 11, |encoder, vb| SpanReader::new(encoder, 1, vb))?;
        let inputs = questions()?;
        let SpanScores { start, end } = net.forward_t(&inputs, false)?;
        for scores in [start, end] {
            let finite = |row: &Vec<f32>| (0..8).filter(|&at| row[at].is_finite()).collect::<Vec<_>>();
            let rows = scores.to_vec2::<f32>()?;
            assert_eq!(rows.iter().map(finite).collect::<Vec<_>>(), [vec![4, 5, 6], vec![3, 4]]);
            assert!(rows.concat().iter().all(|&score| score.is_finite() || score == f32::NEG_INFINITY));
        }
        let answers = net.predict(&inputs)?;
        assert!((4..=6).contains(&answers[0][0]) && (3..=4).contains(&answers[1][0]), "{answers:?}");
        assert!(answers.iter().all(|[start, end]| start == end), "of one token: {answers:?}");
        let alone = BertInput::new("a b", None, &letters());
        let error = net.predict(&BertInputs::new(&[&alone], 1, &CPU)?).expect_err("no passage").to_string();
        assert!(error.contains("no second text"), "{error}");
        Ok(())
    }

    #[test]
    fn tags_are_told_of_words_only() -> Result<()> {
        let (net, _) = build(&SIZES, 11, |encoder, vb| Tagger::new(encoder, 5, vb))?;
        let vocab = letters();
        let (long, short) = (BertInput::new("a b c d", None, &vocab), BertInput::new("e", None, &vocab));
        let tags = net.predict(&BertInputs::new(&[&long, &short], 1, &CPU)?)?;
        assert_eq!(tags.iter().map(Vec::len).collect::<Vec<_>>(), [6, 3]);
        for row in tags {
            let (ends, words) = ([row[0], row[row.len() - 1]], &row[1..row.len() - 1]);
            assert!(ends == [IGNORED; 2] && words.iter().all(|&tag| tag < 5), "{row:?}");
        }
        Ok(())
    }

    #[test]
    fn longer_inputs_beside_it_change_nothing() -> Result<()> {
        let vocab = letters();
        let short = BertInput::new("a b", Some("c d"), &vocab);
        let long = BertInput::new("f e d c", Some("b a f e d c b"), &vocab);
        let steps = short.tokens.len();
        let alone = BertInputs::new(&[&short], 1, &CPU)?;
        let beside = BertInputs::new(&[&short, &long], 1, &CPU)?;
        let (net, _) = build(&SIZES, 11, |encoder, vb| PairClassifier::new(encoder, 3, vb))?;
        near(&net.forward_t(&alone, false)?.i(0)?, &net.forward_t(&beside, false)?.i(0)?)?;
        let (net, _) = build(&SIZES, 11, PairRegressor::new)?;
        near(&net.forward_t(&alone, false)?.i(0)?, &net.forward_t(&beside, false)?.i(0)?)?;
        let (net, _) = build(&SIZES, 11, |encoder, vb| Tagger::new(encoder, 5, vb))?;
        near(&net.forward_t(&alone, false)?.i(0)?, &net.forward_t(&beside, false)?.i((0, ..steps))?)?;
        let (net, _) = build(&SIZES, 11, |encoder, vb| SpanReader::new(encoder, 3, vb))?;
        let (alone, beside) = (net.forward_t(&alone, false)?, net.forward_t(&beside, false)?);
        near(&alone.start.i(0)?, &beside.start.i((0, ..steps))?)?;
        near(&alone.end.i(0)?, &beside.end.i((0, ..steps))?)
    }

    /// PyTorch's heads of these sizes came below a sixth of the loss that they began with.
    #[test]
    fn every_head_learns_its_examples() -> anyhow::Result<()> {
        fn check<E: Example, H: BertHead<Target = E::Target>>(
            head: impl FnOnce(BertEncoder, &VarBuilder) -> Result<H>,
            examples: &[E],
        ) -> anyhow::Result<()> {
            let vocab = vocabulary();
            let sizes = BertSizes { hidden: 16, feed_forward: 32, layers: 1, ..SIZES };
            let (net, parameters) = build(&sizes, vocab.len(), head)?;
            let (inputs, targets) = HeadExamples::new(examples, &vocab)?.all(&CPU)?;
            let mut optimizer = Adam::new(&parameters, 0.01);
            let mut losses = Vec::new();
            for _ in 0..60 {
                let loss = net.loss(&inputs, &targets, true)?;
                losses.push(scalar(&loss)?);
                optimizer.minimize(&loss)?;
            }
            assert!(losses[59] < 0.4 * losses[0], "{} {}", losses[0], losses[59]);
            Ok(())
        }
        check(|encoder, vb| TextClassifier::new(encoder, 2, vb), &ACCEPTABILITY.train)?;
        check(PairRegressor::new, &SIMILARITY.train)?;
        check(|encoder, vb| Tagger::new(encoder, TAGS.len(), vb), &TAGGING.train)?;
        check(|encoder, vb| SpanReader::new(encoder, 6, vb), &ANSWERING.train)
    }

    #[test]
    fn spans_that_fit_in_the_head() {
        let low = f32::NEG_INFINITY;
        // The best start comes after the best end, so one of both has to give way.
        assert_eq!(best_span(&[1.0, 0.0, 5.0], &[0.0, 5.0, 1.0], 3), Some([0, 1]));
        assert_eq!(best_span(&[1.0, 0.0, 5.0], &[0.0, 5.0, 2.0], 3), Some([2, 2]));
        // The best start is too far away.
        assert_eq!(best_span(&[9.0, 0.0, 1.0, 0.0], &[low, low, low, 9.0], 2), Some([2, 3]));
        assert_eq!(best_span(&[9.0, 0.0, 1.0, 0.0], &[low, low, low, 9.0], 4), Some([0, 3]));
        // Of equal ones that which ends first, and of those the longest.
        assert_eq!(best_span(&[0.0; 3], &[low, 0.0, 0.0], 3), Some([0, 1]));
        assert_eq!(best_span(&[low; 3], &[0.0; 3], 3), None);
        assert_eq!(best_span(&[0.0; 3], &[0.0; 3], 0), None);
        assert_eq!(best_span(&[], &[], 3), None);
        // What is no number is no answer, and hides none.
        assert_eq!(best_span(&[f32::NAN, 1.0, 0.0], &[0.0, f32::NAN, 0.0], 3), Some([1, 2]));
    }

    proptest! {
        #[test]
        fn the_best_span_is_the_best_of_all(
            scores in prop::collection::vec((-5i8..5, -5i8..5), 0..12),
            max_len in 0usize..6,
        ) {
            // Whole numbers, so that many sums are equal.
            let score = |x: i8| if x == -5 { f32::NEG_INFINITY } else { f32::from(x) };
            let (start, end): (Vec<f32>, Vec<f32>) = scores.iter().map(|&(a, b)| (score(a), score(b))).unzip();
            let mut best = (f32::NEG_INFINITY, None);
            for (last, end) in end.iter().enumerate() {
                for first in (0..=last).filter(|first| last - first < max_len) {
                    if start[first] + end > best.0 {
                        best = (start[first] + end, Some([first as u32, last as u32]));
                    }
                }
            }
            prop_assert_eq!(best_span(&start, &end, max_len), best.1);
        }
    }
}

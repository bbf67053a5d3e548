//! The tensors of a pretrained BERT under the names that the layers of section 14.8 have, every shape checked (section 15.7).

use std::collections::BTreeMap;
use std::path::Path;

use attention::transformer_layers::FeedForwardActivation;
use d2l::checkpoint::Checkpoint;
use d2l::data::DataError;
use d2l::prelude::*;
use nlp_pretraining::bert_layers::BertVariant;
use nlp_pretraining::sections::bert::BertSizes;

/// What the layers of a BERT are called by those who published it, and what kind of BERT it is.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    /// Whose names these are, for messages.
    pub whose: &'static str,
    tokens: &'static str,
    segments: &'static str,
    positions: &'static str,
    /// The normalization of the embeddings, where there is one.
    embedding_norm: Option<&'static str>,
    /// The layer behind `<cls>`, and whether each model has it.
    hidden: (&'static str, bool),
    /// What stands before a block's number.
    block: &'static str,
    /// The layers of a block in the order of [`BLOCK`].
    layers: [&'static str; 8],
    activation: FeedForwardActivation,
}

/// The names of the book's `BERTModel`.
pub const BOOK: Naming = Naming {
    whose: "the book",
    tokens: "encoder.token_embedding.weight",
    segments: "encoder.segment_embedding.weight",
    positions: "encoder.pos_embedding",
    embedding_norm: None,
    hidden: ("hidden.0", true),
    block: "encoder.blks.",
    layers: [
        "attention.W_q",
        "attention.W_k",
        "attention.W_v",
        "attention.W_o",
        "addnorm1.ln",
        "ffn.dense1",
        "ffn.dense2",
        "addnorm2.ln",
    ],
    activation: FeedForwardActivation::Relu,
};

/// The names of Hugging Face's `BertModel`.
pub const HUGGING_FACE: Naming = Naming {
    whose: "Hugging Face",
    tokens: "embeddings.word_embeddings.weight",
    segments: "embeddings.token_type_embeddings.weight",
    positions: "embeddings.position_embeddings.weight",
    embedding_norm: Some("embeddings.LayerNorm"),
    hidden: ("pooler.dense", false),
    block: "encoder.layer.",
    layers: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    ],
    activation: FeedForwardActivation::Gelu,
};

/// The layers of a block by their names here.
const BLOCK: [&str; 8] = [
    "attention.w_q",
    "attention.w_k",
    "attention.w_v",
    "attention.w_o",
    "norm1",
    "feed_forward.inner",
    "feed_forward.outer",
    "norm2",
];

/// A tensor that a checkpoint has to hold.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// Its name in the file.
    theirs: String,
    /// Its name here.
    ours: String,
    shape: Vec<usize>,
}

/// The weight and the bias of a layer: a normalization of `outputs` features where there are no `inputs`.
fn of_layer(theirs: &str, ours: &str, outputs: usize, inputs: Option<usize>) -> [Wanted; 2] {
    let wanted =
        |kind: &str, shape| Wanted { theirs: format!("{theirs}.{kind}"), ours: format!("{ours}.{kind}"), shape };
    [wanted("weight", [outputs].into_iter().chain(inputs).collect()), wanted("bias", vec![outputs])]
}

impl Naming {
    /// All that a BERT of these sizes has to hold, apart from the layer behind `<cls>`.
    fn wanted(&self, vocabulary: usize, sizes: &BertSizes) -> Vec<Wanted> {
        let &BertSizes { hidden, feed_forward, layers, max_len, .. } = sizes;
        let one = |theirs: &str, ours: &str, shape: &[usize]| Wanted {
            theirs: theirs.to_string(),
            ours: format!("encoder.{ours}"),
            shape: shape.to_vec(),
        };
        let mut wanted = vec![
            one(self.tokens, "token_embedding.weight", &[vocabulary, hidden]),
            one(self.segments, "segment_embedding.weight", &[2, hidden]),
            one(self.positions, "position_embedding", &[max_len, hidden]),
        ];
        if let Some(theirs) = self.embedding_norm {
            wanted.extend(of_layer(theirs, "encoder.embedding_norm", hidden, None));
        }
        for (block, place) in (0..layers).flat_map(|block| (0..BLOCK.len()).map(move |place| (block, place))) {
            let (outputs, inputs) = match BLOCK[place] {
                "norm1" | "norm2" => (hidden, None),
                "feed_forward.inner" => (feed_forward, Some(hidden)),
                "feed_forward.outer" => (hidden, Some(feed_forward)),
                _ => (hidden, Some(hidden)),
            };
            let theirs = format!("{}{block}.{}", self.block, self.layers[place]);
            let ours = format!("encoder.block{}.{}", block + 1, BLOCK[place]);
            wanted.extend(of_layer(&theirs, &ours, outputs, inputs));
        }
        wanted
    }
}

/// A BERT's tensors under the names of the layers here: `encoder.…` and, where it has that layer, `hidden.…`.
#[derive(Debug, Clone)]
pub struct PretrainedParts {
    /// The tensors, all of `f32`.
    pub weights: Checkpoint,
    /// Tokens that it knows.
    pub vocabulary: usize,
    /// Its sizes, without dropout.
    pub sizes: BertSizes,
    /// Its kind.
    pub variant: BertVariant,
    /// Whether the layer behind `<cls>` is among the tensors.
    pub has_hidden: bool,
}

impl PretrainedParts {
    /// Takes what belongs to the encoder, and to the layer behind `<cls>`, from the tensors of the file at `path`. The sizes
    /// are those of the tensors; `heads` is not to be seen in them. Tensors that only pretraining needs are left.
    ///
    /// # Errors
    /// Where a tensor is missing, is not of floating-point numbers or has not the shape that the others ask for, or the heads
    /// cannot share the features evenly; the error names the file and the tensor.
    pub fn of(
        tensors: &BTreeMap<String, Tensor>,
        naming: &Naming,
        heads: usize,
        path: &Path,
    ) -> Result<Self, DataError> {
        let fault = |what: String| DataError::invalid(format!("{}: {what}", path.display()));
        let shape = |name: &str| {
            let lacks =
                || fault(format!("the tensor {name} is missing: this is no BERT with the names of {}", naming.whose));
            tensors.get(name).map(Tensor::dims).ok_or_else(lacks)
        };
        let matrix = |name: &str| match *shape(name)? {
            // The book has the positions with a first axis of one.
            [rows, columns] | [1, rows, columns] => Ok((rows, columns)),
            ref found => Err(fault(format!("the tensor {name} has the shape {found:?}, and a matrix is wanted"))),
        };
        let (vocabulary, hidden) = matrix(naming.tokens)?;
        let (max_len, _) = matrix(naming.positions)?;
        let (feed_forward, _) = matrix(&format!("{}0.{}.weight", naming.block, naming.layers[5]))?;
        let is_of_block = |layer: usize| {
            let start = format!("{}{layer}.", naming.block);
            tensors.keys().any(|name| name.starts_with(&start))
        };
        let layers = (0..=tensors.len()).take_while(|&layer| is_of_block(layer)).count();
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(fault(format!("{heads} heads cannot share {hidden} features evenly")));
        }
        let sizes = BertSizes { hidden, feed_forward, heads, layers, dropout: 0.0, max_len };

        let mut wanted = naming.wanted(vocabulary, &sizes);
        let (theirs, is_always_there) = naming.hidden;
        let has_hidden = is_always_there || tensors.contains_key(&format!("{theirs}.weight"));
        if has_hidden {
            wanted.extend(of_layer(theirs, "hidden", hidden, Some(hidden)));
        }
        let mut taken = Vec::with_capacity(wanted.len());
        for Wanted { theirs, ours, shape: expected } in wanted {
            let found = shape(&theirs)?;
            let is_positions = theirs == naming.positions;
            let with_one = is_positions && found.strip_prefix(&[1]) == Some(&expected[..]);
            if found != expected && !with_one {
                let message = format!("the tensor {theirs} has the shape {found:?}, and {expected:?} is wanted");
                return Err(fault(message));
            }
            let tensor = &tensors[&theirs];
            if !tensor.dtype().is_float() {
                let message = format!("the tensor {theirs} is of {:?}, not of floating-point numbers", tensor.dtype());
                return Err(fault(message));
            }
            let tensor = if is_positions { tensor.reshape((1, max_len, hidden))? } else { tensor.clone() };
            taken.push((ours, tensor.to_dtype(DType::F32)?));
        }
        let variant = BertVariant { activation: naming.activation, embedding_norm: naming.embedding_norm.is_some() };
        Ok(Self { weights: Checkpoint::new(taken), vocabulary, sizes, variant, has_hidden })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use nlp_pretraining::sections::bert::BertEncoder;

    use super::*;

    const CPU: Device = Device::Cpu;
    const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 4, layers: 2, dropout: 0.0, max_len: 12 };

    /// Tensors of random numbers as a file with these names holds them.
    pub(crate) fn tensors(naming: &Naming, with_hidden: bool) -> BTreeMap<String, Tensor> {
        let mut stream = Random::new(5).stream(Purpose::Sampling, "tensors");
        let mut wanted = naming.wanted(13, &SIZES);
        if with_hidden {
            wanted.extend(of_layer(naming.hidden.0, "hidden", 8, Some(8)));
        }
        let drawn = wanted.into_iter().map(|Wanted { theirs, mut shape, .. }| {
            if theirs == BOOK.positions {
                shape.insert(0, 1);
            }
            let tensor = d2l::random::normal(&mut stream, 0.0, 1.0, shape, &CPU).expect("numbers");
            (theirs, tensor)
        });
        drawn.collect()
    }

    fn parts(tensors: &BTreeMap<String, Tensor>, naming: &Naming) -> Result<PretrainedParts, DataError> {
        PretrainedParts::of(tensors, naming, 4, Path::new("some.params"))
    }

    #[test]
    fn names_are_those_that_their_publishers_gave() {
        for (naming, ours, theirs) in [
            (&BOOK, "encoder.position_embedding", "encoder.pos_embedding"),
            (&BOOK, "encoder.block2.attention.w_o.bias", "encoder.blks.1.attention.W_o.bias"),
            (&BOOK, "encoder.block1.norm2.weight", "encoder.blks.0.addnorm2.ln.weight"),
            (&BOOK, "encoder.block1.feed_forward.outer.weight", "encoder.blks.0.ffn.dense2.weight"),
            (&HUGGING_FACE, "encoder.embedding_norm.bias", "embeddings.LayerNorm.bias"),
            (&HUGGING_FACE, "encoder.block1.attention.w_k.weight", "encoder.layer.0.attention.self.key.weight"),
            (&HUGGING_FACE, "encoder.block2.norm1.bias", "encoder.layer.1.attention.output.LayerNorm.bias"),
            (&HUGGING_FACE, "encoder.block2.feed_forward.inner.bias", "encoder.layer.1.intermediate.dense.bias"),
        ] {
            let wanted = naming.wanted(13, &SIZES);
            let found = wanted.iter().find(|wanted| wanted.ours == ours);
            assert_eq!(found.map(|wanted| wanted.theirs.as_str()), Some(theirs));
        }
    }

    #[test]
    fn the_layers_take_all_of_it_by_name() -> Result<(), Box<dyn std::error::Error>> {
        for (naming, has_hidden) in [(&BOOK, true), (&HUGGING_FACE, false), (&HUGGING_FACE, true)] {
            let mut tensors = tensors(naming, has_hidden);
            // What only pretraining needs.
            tensors.insert("mlm.mlp.0.weight".to_string(), Tensor::zeros(3, DType::F32, &CPU)?);
            tensors.insert("embeddings.position_ids".to_string(), Tensor::arange(0i64, 12, &CPU)?);
            let parts = parts(&tensors, naming)?;
            assert_eq!(parts.has_hidden, has_hidden);
            let BertSizes { hidden, feed_forward, heads, layers, max_len, .. } = parts.sizes;
            assert_eq!((parts.vocabulary, hidden, feed_forward, heads, layers, max_len), (13, 8, 6, 4, 2, 12));

            let parameters = Parameters::new(&Random::new(1), &CPU);
            let vb = parameters.builder();
            BertEncoder::with_variant(parts.vocabulary, &parts.sizes, parts.variant, &vb.pp("encoder"))?;
            if has_hidden {
                d2l::nn::Linear::new(8, 8, &vb.pp("hidden"))?;
            }
            parameters.restore(&parts.weights)?;
            let name = format!("{}1.{}.weight", naming.block, naming.layers[6]); // (8, 6)
            let kept = parameters.get("encoder.block2.feed_forward.outer.weight").ok_or("no such parameter")?;
            assert_eq!(kept.to_vec2::<f32>()?, tensors[&name].to_vec2::<f32>()?);
        }
        Ok(())
    }

    #[test]
    fn other_sizes_and_names_are_told() -> Result<(), Box<dyn std::error::Error>> {
        let message = |tensors: &BTreeMap<String, Tensor>, naming: &Naming| {
            parts(tensors, naming).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let whole = tensors(&HUGGING_FACE, false);
        let found = message(&whole, &BOOK);
        assert!(found.contains("some.params: the tensor encoder.token_embedding.weight is missing"), "{found}");
        let changed = |name: &str, tensor: Option<Tensor>| {
            let mut tensors = whole.clone();
            match tensor {
                Some(tensor) => _ = tensors.insert(name.to_string(), tensor),
                None => _ = tensors.remove(name),
            }
            message(&tensors, &HUGGING_FACE)
        };
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &CPU);
        let name = "encoder.layer.1.output.dense.weight";
        let found = changed(name, Some(zeros(&[8, 7])?));
        assert!(found.ends_with("output.dense.weight has the shape [8, 7], and [8, 6] is wanted"), "{found}");
        assert!(changed(name, None).contains("encoder.layer.1.output.dense.weight is missing"));
        let found = changed(name, Some(Tensor::zeros((8, 6), DType::U32, &CPU)?));
        assert!(found.contains("of U32, not of floating-point numbers"), "{found}");
        let found = changed("embeddings.word_embeddings.weight", Some(zeros(&[13])?));
        assert!(found.contains("[13], and a matrix is wanted"), "{found}");
        let found = changed("embeddings.token_type_embeddings.weight", Some(zeros(&[3, 8])?));
        assert!(found.ends_with("[3, 8], and [2, 8] is wanted"), "{found}");
        let uneven = PretrainedParts::of(&whole, &HUGGING_FACE, 3, Path::new("some.params")).err();
        assert!(uneven.is_some_and(|error| error.to_string().contains("3 heads cannot share 8 features")));
        Ok(())
    }
}

//! A BERT that others have pretrained: its vocabulary, its sizes and its parameters (section 15.7).

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use d2l::checkpoint::{Checkpoint, Restored, read_pytorch_part};
use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::prelude::*;
use nlp_pretraining::sections::bert::{BertEncoder, BertSizes};
use serde::Deserialize;

use crate::bert_checkpoints::{BOOK, HUGGING_FACE, PretrainedParts};
use crate::eight_bit_tensors::read_eight_bits;
use crate::word_pieces::BertTokenizer;

/// The book's two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub enum BookModel {
    /// Two blocks of 256 features
    #[value(name = "bert.small")]
    #[serde(rename = "bert.small")]
    Small,
    /// Twelve blocks of 768 features
    #[value(name = "bert.base")]
    #[serde(rename = "bert.base")]
    Base,
}

impl BookModel {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "bert.small",
            Self::Base => "bert.base",
        }
    }

    /// Attentions side by side, which its parameters do not tell.
    fn heads(self) -> usize {
        match self {
            Self::Small => 4,
            Self::Base => 12,
        }
    }

    /// What takes its place where it cannot be had, the nearest first.
    fn stand_ins(self) -> [StandIn; 2] {
        match self {
            Self::Small => [StandIn::ThreeLayers, StandIn::SixLayers],
            Self::Base => [StandIn::SixLayers, StandIn::ThreeLayers],
        }
    }
}

/// Models of sentence-transformers in the place of the book's.
#[derive(Debug, Clone, Copy)]
enum StandIn {
    ThreeLayers,
    SixLayers,
}

impl StandIn {
    fn name(self) -> &'static str {
        match self {
            Self::ThreeLayers => "paraphrase-MiniLM-L3-v2",
            Self::SixLayers => "all-MiniLM-L6-v2",
        }
    }

    /// What a run says of it.
    fn notice(self, books: BookModel) -> &'static str {
        match (books, self) {
            (BookModel::Small, Self::ThreeLayers) => {
                "bert.small could not be had: paraphrase-MiniLM-L3-v2 is fine-tuned instead, of 3 blocks of 384 features, in \
                 eight bits a number and with its 12,288 most frequent word pieces. Its training knew pairs of SNLI's \
                 training set."
            }
            (BookModel::Small, Self::SixLayers) => {
                "bert.small could not be had: all-MiniLM-L6-v2 is fine-tuned instead, of 6 blocks of 384 features. Its \
                 training knew pairs of SNLI's training set."
            }
            (BookModel::Base, Self::SixLayers) => {
                "bert.base could not be had: all-MiniLM-L6-v2 is fine-tuned instead, of 6 blocks of 384 features, a fifth of \
                 its parameters. Its training knew pairs of SNLI's training set."
            }
            (BookModel::Base, Self::ThreeLayers) => {
                "bert.base could not be had: paraphrase-MiniLM-L3-v2 is fine-tuned instead, of 3 blocks of 384 features, in \
                 eight bits a number. Its training knew pairs of SNLI's training set."
            }
        }
    }

    /// Its parameters, word pieces and sizes.
    fn files(self, hub: &Hub) -> Result<Files, DataError> {
        let name = match self {
            Self::ThreeLayers => "minilm-l3",
            Self::SixLayers => "minilm-l6",
        };
        let fetch = |part: &str| hub.fetch(&format!("{name}/{part}"));
        Ok(Files { parameters: fetch("parameters")?, pieces: fetch("word-pieces")?, sizes: fetch("sizes")? })
    }
}

/// The files of a model with Hugging Face's names.
#[derive(Debug)]
struct Files {
    parameters: PathBuf,
    pieces: PathBuf,
    sizes: PathBuf,
}

/// What a model's `config.json` tells of it.
#[derive(Debug, Deserialize)]
struct PublishedSizes {
    num_hidden_layers: usize,
    hidden_size: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    hidden_act: String,
    do_lower_case: Option<bool>,
}

impl PublishedSizes {
    fn read(path: &Path) -> Result<Self, DataError> {
        let fault = |what: String| DataError::invalid(format!("{}: {what}", path.display()));
        let sizes: Self = serde_json::from_str(&d2l::text::read(path)?)
            .map_err(|error| fault(format!("these are no sizes of a BERT: {error}")))?;
        if sizes.hidden_act != "gelu" {
            return Err(fault(format!("hidden_act is {}, and gelu is what is known here", sizes.hidden_act)));
        }
        if sizes.do_lower_case == Some(false) {
            return Err(fault("the model tells capitals from small letters, which is not known here".to_string()));
        }
        Ok(sizes)
    }

    /// Whether the parameters are of these sizes; or what differs.
    fn check(&self, parts: &PretrainedParts) -> Result<(), String> {
        let BertSizes { hidden, feed_forward, layers, max_len, .. } = parts.sizes;
        for (name, told, found) in [
            ("num_hidden_layers", self.num_hidden_layers, layers),
            ("hidden_size", self.hidden_size, hidden),
            ("intermediate_size", self.intermediate_size, feed_forward),
            ("vocab_size", self.vocab_size, parts.vocabulary),
            ("max_position_embeddings", self.max_position_embeddings, max_len),
        ] {
            if told != found {
                return Err(format!("{name} is {told}, and in the parameters it is {found}"));
            }
        }
        Ok(())
    }
}

/// A pretrained BERT: the small one of the book, or what stands in for it.
pub struct PretrainedBert {
    /// What it is called.
    pub name: &'static str,
    /// Texts as its ids.
    pub tokenizer: BertTokenizer,
    parts: PretrainedParts,
    stand_in: Option<&'static str>,
}

impl PretrainedBert {
    /// The model of that name, or what stands in for it.
    ///
    /// # Errors
    /// As [`Notebook::load`].
    #[doc(alias = "load_pretrained_model")]
    pub fn load(model: BookModel, nb: &mut Notebook) -> anyhow::Result<Self> {
        match model {
            BookModel::Small => nb.load(),
            BookModel::Base => Ok(nb.load::<LargerBert>()?.0),
        }
    }

    fn fetch_or_stand_in(model: BookModel, hub: &Hub) -> Result<Self, DataError> {
        let error = match hub.fetch_extracted(model.name()) {
            Ok(folder) => return Self::of_book(model.name(), &folder, model.heads()),
            Err(error) => error,
        };
        for stand_in in model.stand_ins() {
            match stand_in.files(hub) {
                Ok(files) => return Self::of_hugging_face(stand_in.name(), &files, Some(stand_in.notice(model))),
                // A file that is there and at fault is no reason to look elsewhere; that comes later.
                Err(DataError::Hub(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(error.into())
    }

    /// A model as the book has it: `vocab.json` and `pretrained.params` in a folder.
    ///
    /// # Errors
    /// Where a file cannot be read or is not what it should be, or the two do not belong together.
    pub fn of_book(name: &'static str, folder: &Path, heads: usize) -> Result<Self, DataError> {
        let (words, parameters) = (folder.join("vocab.json"), folder.join("pretrained.params"));
        let tokenizer = BertTokenizer::read_words(&words)?;
        // Without the nets of the two tasks of pretraining: that of masked words is as large as the embedding.
        let is_wanted = |name: &str| name.starts_with("encoder.") || name.starts_with("hidden.");
        let tensors = read_pytorch_part(&parameters, None, &Device::Cpu, is_wanted).map_err(DataError::other)?;
        let parts = PretrainedParts::of(tensors.tensors(), &BOOK, heads, &parameters)?;
        Self::joined(name, tokenizer, parts, [&words, &parameters])
    }

    fn of_hugging_face(
        name: &'static str,
        Files { parameters, pieces, sizes: path }: &Files,
        stand_in: Option<&'static str>,
    ) -> Result<Self, DataError> {
        let sizes = PublishedSizes::read(path)?;
        let tokenizer = BertTokenizer::read_pieces(pieces)?;
        let tensors = if parameters.extension().is_some_and(|extension| extension == "gz") {
            Checkpoint::new(read_eight_bits(parameters)?)
        } else {
            Checkpoint::load(parameters, &Device::Cpu).map_err(DataError::other)?
        };
        let heads = sizes.num_attention_heads;
        let parts = PretrainedParts::of(tensors.tensors(), &HUGGING_FACE, heads, parameters)?;
        let fault = |what: String| DataError::invalid(format!("{}: {what}: {}", path.display(), parameters.display()));
        sizes.check(&parts).map_err(fault)?;
        Ok(Self { stand_in, ..Self::joined(name, tokenizer, parts, [pieces, parameters])? })
    }

    /// Holds that a vocabulary and parameters, each with its file, belong together.
    fn joined(
        name: &'static str,
        tokenizer: BertTokenizer,
        parts: PretrainedParts,
        [words, parameters]: [&Path; 2],
    ) -> Result<Self, DataError> {
        if tokenizer.len() != parts.vocabulary {
            let (words, parameters) = (words.display(), parameters.display());
            let message = format!("{words} has {} tokens, and {parameters} has {}", tokenizer.len(), parts.vocabulary);
            return Err(DataError::Invalid(format!("{message}: they are of different models")));
        }
        Ok(Self { name, tokenizer, parts, stand_in: None })
    }

    /// Its sizes, without dropout.
    pub fn sizes(&self) -> &BertSizes {
        &self.parts.sizes
    }

    /// Whether the layer behind `<cls>` is pretrained too.
    pub fn has_hidden(&self) -> bool {
        self.parts.has_hidden
    }

    /// How many numbers are pretrained.
    pub fn count(&self) -> usize {
        self.parts.weights.tensors().values().map(Tensor::elem_count).sum()
    }

    /// An encoder of its kind and sizes, of random values until [`PretrainedBert::restore`] sets them. In pretrained models
    /// of BERT's authors 1e-12 is added to a variance, and 1e-5 here: that moves the cosine of two sentences by 0.0001.
    ///
    /// # Errors
    /// Where the parameters exist with other shapes.
    pub fn encoder(&self, dropout: f64, vb: &VarBuilder) -> Result<BertEncoder> {
        let sizes = BertSizes { dropout, ..self.parts.sizes };
        BertEncoder::with_variant(self.parts.vocabulary, &sizes, self.parts.variant, vb)
    }

    /// Sets the parameters of a net to the pretrained values: those under `encoder`, which [`PretrainedBert::encoder`] made
    /// there, and, where both have it, the layer `hidden` behind `<cls>`.
    ///
    /// # Errors
    /// Where the net has not this encoder.
    pub fn restore(&self, parameters: &Parameters) -> Result<Restored, DataError> {
        let restored = parameters.restore_matching(&self.parts.weights).map_err(DataError::other)?;
        let is_of_encoder = |name: &String| name.starts_with("encoder.");
        let left = &restored.left;
        if left.unexpected.iter().any(is_of_encoder)
            || left.missing.iter().any(is_of_encoder)
            || !left.shapes.is_empty()
        {
            return Err(DataError::Invalid(format!("the net has not the encoder of {}: {left}", self.name)));
        }
        Ok(restored)
    }
}

const SAMPLE_NOTICE: &str = "no pretrained BERT could be had, so this run fine-tunes a tiny one of random numbers, which knows \
     nothing: its results are those of a net that starts from nothing.";

impl Source for PretrainedBert {
    const SAMPLE_NOTICE: &'static str = SAMPLE_NOTICE;

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Self::fetch_or_stand_in(BookModel::Small, hub)
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stand_in
    }

    /// A tiny model that was never trained.
    fn sample() -> Result<Self, DataError> {
        let file = |name: &str| hub::sample(&format!("bert/{name}"));
        let files =
            Files { parameters: file("model.safetensors")?, pieces: file("vocab.txt")?, sizes: file("config.json")? };
        Self::of_hugging_face("a tiny BERT of random numbers", &files, None)
    }
}

/// The large one of the book's two models, or what stands in for it.
pub struct LargerBert(pub PretrainedBert);

impl Source for LargerBert {
    const SAMPLE_NOTICE: &'static str = SAMPLE_NOTICE;

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        PretrainedBert::fetch_or_stand_in(BookModel::Base, hub).map(Self)
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.0.stand_in
    }

    fn sample() -> Result<Self, DataError> {
        PretrainedBert::sample().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use d2l::nn::Linear;

    use super::*;
    use crate::bert_checkpoints::tests::tensors;

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    const CPU: Device = Device::Cpu;
    const CONFIG: &str = r#"{"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4, "intermediate_size": 6,
        "vocab_size": 13, "max_position_embeddings": 12, "hidden_act": "gelu", "more": [1]}"#;

    /// The files of a model in a folder, `pieces` many word pieces among them.
    fn written(folder: &Path, config: &str, pieces: usize) -> Outcome<Files> {
        let files = Files {
            parameters: folder.join("model.safetensors"),
            pieces: folder.join("vocab.txt"),
            sizes: folder.join("config.json"),
        };
        Checkpoint::new(tensors(&HUGGING_FACE, false)).save(&files.parameters)?;
        let marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(String::from).into_iter();
        let pieces: Vec<String> = marks.chain((4..pieces).map(|piece| format!("piece{piece}"))).collect();
        fs::write(&files.pieces, pieces.join("\n"))?;
        fs::write(&files.sizes, config)?;
        Ok(files)
    }

    fn message(config: &str, pieces: usize) -> Outcome<String> {
        let folder = tempfile::tempdir()?;
        let bert = PretrainedBert::of_hugging_face("test", &written(folder.path(), config, pieces)?, None);
        Ok(bert.err().map(|error| error.to_string()).unwrap_or_default())
    }

    #[test]
    fn files_that_do_not_belong_together_are_named() -> Outcome {
        assert_eq!(message(CONFIG, 13)?, "");
        for (config, pieces, expected) in [
            (CONFIG.to_string(), 12, "vocab.txt has 12 tokens, and"),
            (
                CONFIG.replace("\"hidden_size\": 8", "\"hidden_size\": 16"),
                13,
                "config.json: hidden_size is 16, and in the",
            ),
            (CONFIG.replace("\"num_attention_heads\": 4", "\"num_attention_heads\": 3"), 13, "3 heads cannot share 8"),
            (CONFIG.replace("gelu", "relu"), 13, "config.json: hidden_act is relu"),
            (CONFIG.replace("hidden_act", "act"), 13, "config.json: these are no sizes of a BERT"),
            (CONFIG.replace("\"more\": [1]", "\"do_lower_case\": false"), 13, "capitals"),
        ] {
            let found = message(&config, pieces)?;
            assert!(found.contains(expected), "{found}");
        }
        Ok(())
    }

    /// What `scripts/reference/pretrained_bert.py` wrote.
    #[derive(Deserialize)]
    struct Reference {
        tokens: Vec<Vec<u32>>,
        segments: Vec<Vec<u32>>,
        lens: Vec<u32>,
        book: Vec<Vec<Vec<f32>>>,
        sample: Vec<Vec<Vec<f32>>>,
    }

    #[test]
    fn vectors_are_pytorchs() -> Outcome {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
        let reference = fs::read_to_string(folder.join("pretrained_bert.json"))?;
        let Reference { tokens, segments, lens, book, sample } = serde_json::from_str(&reference)?;
        let (tokens, segments) = (Tensor::new(tokens, &CPU)?, Tensor::new(segments, &CPU)?);
        let valid_lens = Tensor::new(lens.clone(), &CPU)?;
        let books = PretrainedBert::of_book("test", &folder.join("book_bert"), 4)?;
        assert!(books.has_hidden() && !books.tokenizer.has_pieces());
        assert_eq!(books.tokenizer.encode("A man is a woman .")?, [5, 6, 8, 5, 7, 11]);
        // PyTorch adds 1e-12 to the variances of the sample.
        for (bert, expected, tolerance) in [(books, book, 2e-5), (PretrainedBert::sample()?, sample, 2e-4)] {
            let parameters = Parameters::new(&Random::new(1), &CPU);
            let encoder = bert.encoder(0.1, &parameters.builder().pp("encoder"))?;
            bert.restore(&parameters)?;
            let encoded = encoder.forward_t(&tokens, &segments, Some(&valid_lens), false)?.to_vec3::<f32>()?;
            for ((found, expected), &len) in encoded.iter().zip(&expected).zip(&lens) {
                let pairs = found.iter().flatten().zip(expected.iter().flatten()).take(len as usize * found[0].len());
                for (found, expected) in pairs {
                    assert!((found - expected).abs() < tolerance, "{}: {found}, PyTorch has {expected}", bert.name);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_net_with_another_encoder_is_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        let bert = PretrainedBert::of_hugging_face("test", &written(folder.path(), CONFIG, 13)?, None)?;
        let restored = |make: &dyn Fn(&VarBuilder) -> Result<()>| -> Outcome<Restored> {
            let parameters = Parameters::new(&Random::new(1), &CPU);
            make(&parameters.builder())?;
            Ok(bert.restore(&parameters)?)
        };
        let whole = restored(&|vb| {
            bert.encoder(0.1, &vb.pp("encoder"))?;
            Linear::new(8, 3, &vb.pp("output")).map(|_| ())
        })?;
        assert_eq!(whole.left.missing, ["output.weight", "output.bias"]);
        assert_eq!(whole.loaded.len(), bert.parts.weights.tensors().len());
        let fewer = BertSizes { layers: 1, ..*bert.sizes() };
        let wider = BertSizes { feed_forward: 7, ..*bert.sizes() };
        for sizes in [fewer, wider] {
            let vocabulary = bert.tokenizer.len();
            let other = restored(&|vb| {
                BertEncoder::with_variant(vocabulary, &sizes, bert.parts.variant, &vb.pp("encoder")).map(|_| ())
            });
            let message = other.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains("the net has not the encoder of test"), "{message}");
        }
        Ok(())
    }

    #[test]
    fn where_no_model_can_be_had_the_books_file_is_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let mut hub = Hub::new(folder.path());
        hub.offline = true;
        let error = PretrainedBert::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("`bert.small`"), "{error}");
        let error = LargerBert::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("`bert.base`"), "{error}");
        Ok(())
    }

    #[test]
    fn the_sample_is_read_as_the_others_are() -> Outcome {
        let bert = PretrainedBert::sample()?;
        assert!(bert.tokenizer.has_pieces() && !bert.has_hidden());
        let ids = bert.tokenizer.encode("A man is sleeping.")?;
        assert!(!ids.is_empty() && !ids.contains(&bert.tokenizer.marks().unknown), "{ids:?}");
        assert!(bert.count() * 4 < 80_000, "{}", bert.count());
        Ok(())
    }
}

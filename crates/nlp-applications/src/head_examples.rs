//! The examples of section 15.6, written for it, and how they become minibatches of BERT.

use candle_core::bail;
use d2l::data::{DataError, PAD};
use d2l::prelude::*;
use d2l::text::Vocab;
use nlp_pretraining::sections::bert::RESERVED;

use crate::bert_heads::{BertInput, BertInputs, HeadTarget, IGNORED};

/// An example of a task: one text or two, and what a head is to tell of them.
pub trait Example {
    /// What it is to tell.
    type Target: HeadTarget;

    /// The text, and the second one where there is one; words and punctuation stand between blanks.
    fn texts(&self) -> (&str, Option<&str>);

    /// What a head is to tell.
    ///
    /// # Errors
    /// Where the example contradicts itself; the message has its text.
    fn target(&self) -> Result<Self::Target, DataError>;
}

/// Examples of one task, as ids.
#[derive(Debug, Clone)]
pub struct HeadExamples<T> {
    inputs: Vec<BertInput>,
    targets: Vec<T>,
    pad: u32,
}

impl<T: HeadTarget> HeadExamples<T> {
    /// Gives the words of examples their ids.
    ///
    /// # Errors
    /// Where an example contradicts itself.
    pub fn new<E: Example<Target = T>>(examples: &[E], vocab: &Vocab) -> Result<Self, DataError> {
        let input = |example: &E| {
            let (a, b) = example.texts();
            BertInput::new(a, b, vocab)
        };
        let targets: Vec<T> = examples.iter().map(E::target).collect::<Result<_, _>>()?;
        Ok(Self { inputs: examples.iter().map(input).collect(), targets, pad: vocab.id(PAD) })
    }

    /// What a head is to tell of each.
    pub fn targets(&self) -> &[T] {
        &self.targets
    }

    /// All examples as one minibatch.
    ///
    /// # Errors
    /// Where there are none; what the device gives.
    pub fn all(&self, device: &Device) -> Result<(BertInputs, Tensor)> {
        self.batch(&(0..self.len()).collect::<Vec<_>>(), device)
    }
}

/// Minibatches are inputs, padded to the longest of them, and targets.
impl<T: HeadTarget> Dataset for HeadExamples<T> {
    type Batch = (BertInputs, Tensor);

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<(BertInputs, Tensor)> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            bail!("there is no example {index}: the set has {}", self.len());
        }
        let inputs: Vec<&BertInput> = indices.iter().map(|&index| &self.inputs[index]).collect();
        let inputs = BertInputs::new(&inputs, self.pad, device)?;
        let targets: Vec<&T> = indices.iter().map(|&index| &self.targets[index]).collect();
        let targets = T::batch(&targets, inputs.tokens.dim(1)?, device)?;
        Ok((inputs, targets))
    }
}

/// The words of all that the four tasks are trained on, after the marks.
pub fn vocabulary() -> Vocab {
    fn words<E: Example>(examples: &[E]) -> impl Iterator<Item = &str> {
        examples.iter().flat_map(|example| {
            let (a, b) = example.texts();
            a.split_whitespace().chain(b.unwrap_or_default().split_whitespace())
        })
    }
    let single = words(&ACCEPTABILITY.train).chain(words(&TAGGING.train));
    Vocab::new(single.chain(words(&SIMILARITY.train)).chain(words(&ANSWERING.train)), 0, &RESERVED)
}

/// The mean squared error of whoever tells the mean of some numbers each time.
pub fn variance(numbers: &[f32]) -> f64 {
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let numbers: Vec<f64> = numbers.iter().copied().map(f64::from).collect();
    let center = mean(&numbers);
    mean(&numbers.iter().map(|number| (number - center).powi(2)).collect::<Vec<_>>())
}

/// The cross-entropy of whoever takes all words of a passage to be equally likely, as its mean over the questions.
pub fn entropy_of_positions(questions: &[PassageQuestion<'_>]) -> f64 {
    let losses = questions.iter().map(|asked| (asked.passage.split_whitespace().count() as f64).ln());
    losses.sum::<f64>() / questions.len() as f64
}

/// Sixteen examples to train on, and one that is kept back to try what was trained: all its words are known.
#[derive(Debug, Clone, Copy)]
pub struct SmallTask<E> {
    /// To train on.
    pub train: [E; 16],
    /// To try afterwards.
    pub held_out: E,
}

/// A sentence, and whether it is grammatical: the linguistic acceptability of the set `CoLA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged<'a>(pub &'a str, pub bool);

/// What the classes of [`Judged`] are called.
pub const JUDGMENTS: [&str; 2] = ["unacceptable", "acceptable"];

impl Example for Judged<'_> {
    type Target = u32;

    fn texts(&self) -> (&str, Option<&str>) {
        (self.0, None)
    }

    fn target(&self) -> Result<u32, DataError> {
        Ok(self.1.into())
    }
}

/// Two sentences, and how alike their meanings are, from 0, not at all, to 5, the same: the semantic textual similarity of
/// the set `STS-B`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared<'a>(pub &'a str, pub &'a str, pub f32);

impl Example for Compared<'_> {
    type Target = f32;

    fn texts(&self) -> (&str, Option<&str>) {
        (self.0, Some(self.1))
    }

    fn target(&self) -> Result<f32, DataError> {
        let Self(a, b, score) = self;
        if (0.0..=5.0).contains(score) {
            return Ok(*score);
        }
        Err(DataError::invalid(format!("\"{a}\" and \"{b}\" have the score {score}: it must be from 0 to 5")))
    }
}

/// A sentence, and the part of speech of each of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tagged<'a>(pub &'a str, pub &'a str);

/// The parts of speech, a few of those of Universal Dependencies; auxiliaries count as verbs here.
pub const TAGS: [&str; 8] = ["DET", "NOUN", "VERB", "ADJ", "ADV", "PRON", "ADP", "PUNCT"];

impl Example for Tagged<'_> {
    type Target = Vec<u32>;

    fn texts(&self) -> (&str, Option<&str>) {
        (self.0, None)
    }

    /// The marks around the words have no tag.
    fn target(&self) -> Result<Vec<u32>, DataError> {
        let Self(text, tags) = self;
        let id = |tag: &str| {
            let place = TAGS.iter().position(|known| *known == tag);
            place.map(|place| place as u32).ok_or_else(|| {
                DataError::invalid(format!("\"{text}\" has the tag {tag}, which is none of {}", TAGS.join(", ")))
            })
        };
        let tags = tags.split_whitespace().map(id).collect::<Result<Vec<u32>, _>>()?;
        let words = text.split_whitespace().count();
        if words != tags.len() {
            let message = format!("\"{text}\" has {words} words and {} tags: each word needs one", tags.len());
            return Err(DataError::invalid(message));
        }
        Ok([&[IGNORED][..], &tags, &[IGNORED]].concat())
    }
}

/// A question that some words of a passage answer, as in the set `SQuAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassageQuestion<'a> {
    /// What is read.
    pub passage: &'a str,
    /// What is asked.
    pub question: &'a str,
    /// Words that follow each other in the passage; where they do so twice, the first ones are meant.
    pub answer: &'a str,
}

impl Example for PassageQuestion<'_> {
    type Target = [u32; 2];

    /// The question comes first.
    fn texts(&self) -> (&str, Option<&str>) {
        (self.question, Some(self.passage))
    }

    /// The positions of the answer's first and last word in the input.
    fn target(&self) -> Result<[u32; 2], DataError> {
        let [passage, question, answer] =
            [self.passage, self.question, self.answer].map(|text| text.split_whitespace().collect::<Vec<_>>());
        // No slice has windows of 0.
        let found = passage.windows(answer.len().max(1)).position(|words| words == answer);
        let first = found.ok_or_else(|| {
            DataError::invalid(format!("\"{}\" is not in the passage \"{}\"", self.answer, self.passage))
        })?;
        let start = first + question.len() + 2; // behind <cls>, the question and <sep>
        Ok([start, start + answer.len() - 1].map(|position| position as u32))
    }
}

impl PassageQuestion<'_> {
    /// The words between two positions in the input, as [`Example::target`] counts them: those of an answer.
    pub fn words_of(&self, [start, end]: [u32; 2]) -> String {
        let before = self.question.split_whitespace().count() + 2; // <cls>, the question and <sep>
        let words = self.passage.split_whitespace().zip(before..);
        let inside = words.filter(|(_, position)| (start as usize..=end as usize).contains(position));
        inside.map(|(word, _)| word).collect::<Vec<_>>().join(" ")
    }
}

/// Is it grammatical? Each sentence stands beside one that differs by a word, or by the order of two.
pub static ACCEPTABILITY: SmallTask<Judged<'static>> = SmallTask {
    train: [
        Judged("the dogs run in the park .", true),
        Judged("the dogs runs in the park .", false),
        Judged("she has eaten the apple .", true),
        Judged("she has eat the apple .", false),
        Judged("a cat sleeps on the chair .", true),
        Judged("a cat sleep on the chair .", false),
        Judged("they were late for school .", true),
        Judged("they was late for school .", false),
        Judged("he gave me a book .", true),
        Judged("he gave a me book .", false),
        Judged("who did you see ?", true),
        Judged("who did you saw ?", false),
        Judged("i like the red car .", true),
        Judged("i like the car red .", false),
        Judged("we will go home .", true),
        Judged("we will goes home .", false),
    ],
    held_out: Judged("a cat run in the park .", false),
};

/// How alike are the meanings of two sentences?
pub static SIMILARITY: SmallTask<Compared<'static>> = SmallTask {
    train: [
        Compared("a man is playing a guitar .", "a man plays the guitar .", 5.0),
        Compared("the child is sleeping .", "the child is asleep .", 5.0),
        Compared("a woman is cutting an onion .", "a woman is slicing an onion .", 4.6),
        Compared("two dogs run on the beach .", "two dogs are running along the shore .", 4.2),
        Compared("it is raining hard .", "heavy rain is falling .", 4.0),
        Compared("a boy kicks a ball .", "a child plays with a ball .", 3.6),
        Compared("the train was late .", "the train came an hour late because of snow .", 3.2),
        Compared("she bought bread and milk .", "she bought bread .", 3.0),
        Compared("a man is riding a horse .", "a man is riding a bicycle .", 2.6),
        Compared("the cat sits on the roof .", "a bird sits on the roof .", 2.2),
        Compared("he reads a book in the garden .", "he waters the flowers in the garden .", 2.0),
        Compared("a girl is singing .", "a girl is swimming .", 1.4),
        Compared("the shop opens at nine .", "the shop sells shoes .", 1.0),
        Compared("a man is playing a guitar .", "a man is cooking soup .", 0.6),
        Compared("the child is sleeping .", "the market fell today .", 0.2),
        Compared("two dogs run on the beach .", "the new law was passed .", 0.0),
    ],
    held_out: Compared("a woman is playing a guitar .", "a woman plays the guitar .", 5.0),
};

/// Which part of speech is each word? Some are one here and another there: "play", "watch", "light", "walks", "run", "hard"
/// and "work".
pub static TAGGING: SmallTask<Tagged<'static>> = SmallTask {
    train: [
        Tagged("the old dog sleeps quietly .", "DET ADJ NOUN VERB ADV PUNCT"),
        Tagged("she reads a long book .", "PRON VERB DET ADJ NOUN PUNCT"),
        Tagged("they play in the garden .", "PRON VERB ADP DET NOUN PUNCT"),
        Tagged("the play was very long .", "DET NOUN VERB ADV ADJ PUNCT"),
        Tagged("we watch the birds .", "PRON VERB DET NOUN PUNCT"),
        Tagged("the watch is new .", "DET NOUN VERB ADJ PUNCT"),
        Tagged("a light rain fell on the city .", "DET ADJ NOUN VERB ADP DET NOUN PUNCT"),
        Tagged("the light is very bright .", "DET NOUN VERB ADV ADJ PUNCT"),
        Tagged("they light a fire .", "PRON VERB DET NOUN PUNCT"),
        Tagged("he often walks to the river .", "PRON ADV VERB ADP DET NOUN PUNCT"),
        Tagged("the walks are long .", "DET NOUN VERB ADJ PUNCT"),
        Tagged("i run with a friend .", "PRON VERB ADP DET NOUN PUNCT"),
        Tagged("the run was hard .", "DET NOUN VERB ADJ PUNCT"),
        Tagged("you work hard .", "PRON VERB ADV PUNCT"),
        Tagged("the work is new .", "DET NOUN VERB ADJ PUNCT"),
        Tagged("it rains often in the city .", "PRON VERB ADV ADP DET NOUN PUNCT"),
    ],
    held_out: Tagged("they often run to the old city .", "PRON ADV VERB ADP DET ADJ NOUN PUNCT"),
};

const fn ask<'a>(passage: &'a str, question: &'a str, answer: &'a str) -> PassageQuestion<'a> {
    PassageQuestion { passage, question, answer }
}

const ANNA: &str = "anna moved to lisbon in may . her brother stayed in porto .";
const BRIDGE: &str = "the bridge was built by a roman engineer two thousand years ago .";
const BEES: &str = "bees make honey from the nectar of flowers .";
const TOM: &str = "tom lost his blue umbrella on the night train .";
const MUSEUM: &str = "the museum opens at ten and closes at six . it is closed on monday .";
const MARIA: &str = "maria plays the cello and her sister plays the drums .";
const RAIN: &str = "rain fell for three days , so the river rose by two meters .";

/// Which words of the passage answer the question?
pub static ANSWERING: SmallTask<PassageQuestion<'static>> = SmallTask {
    train: [
        ask(ANNA, "where did anna move ?", "lisbon"),
        ask(ANNA, "when did anna move ?", "may"),
        ask(ANNA, "who stayed in porto ?", "her brother"),
        ask(BRIDGE, "who built the bridge ?", "a roman engineer"),
        ask(BRIDGE, "when was the bridge built ?", "two thousand years ago"),
        ask(BEES, "what do bees make ?", "honey"),
        ask(BEES, "what is honey made from ?", "the nectar of flowers"),
        ask(TOM, "what did tom lose ?", "his blue umbrella"),
        ask(TOM, "where did tom lose it ?", "on the night train"),
        ask(MUSEUM, "when does the museum open ?", "at ten"),
        ask(MUSEUM, "when does the museum close ?", "at six"),
        ask(MUSEUM, "on which day is the museum closed ?", "monday"),
        ask(MARIA, "what does maria play ?", "the cello"),
        ask(MARIA, "who plays the drums ?", "her sister"),
        ask(RAIN, "how long did it rain ?", "three days"),
        ask(RAIN, "how much did the river rise ?", "two meters"),
    ],
    held_out: ask("tom moved to porto in may . his sister stayed in lisbon .", "where did tom move ?", "porto"),
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CPU: Device = Device::Cpu;

    type Outcome = anyhow::Result<()>;

    /// Holds that no word is unknown, that of the example kept back neither, and that this one is not among the others. Gives
    /// the targets of those.
    fn check<E: Example>(task: &SmallTask<E>, vocab: &Vocab) -> anyhow::Result<Tensor> {
        let SmallTask { train, held_out } = task;
        assert!(train.iter().all(|example| example.texts() != held_out.texts()), "{:?}", held_out.texts());
        for examples in [&train[..], std::slice::from_ref(held_out)] {
            let (BertInputs { tokens, .. }, _) = HeadExamples::new(examples, vocab)?.all(&CPU)?;
            let ids = tokens.flatten_all()?.to_vec1::<u32>()?;
            assert!(ids.iter().all(|&id| id != Vocab::UNKNOWN), "{:?}: {ids:?}", examples[0].texts());
            assert!(tokens.dim(1)? <= 32, "{:?}", tokens.dims());
        }
        Ok(HeadExamples::new(train, vocab)?.all(&CPU)?.1)
    }

    #[test]
    fn the_tasks_have_targets_of_their_shapes() -> Outcome {
        let vocab = vocabulary();
        let labels = check(&ACCEPTABILITY, &vocab)?.to_vec1::<u32>()?;
        assert_eq!(labels, [1, 0].repeat(8));
        let scores = check(&SIMILARITY, &vocab)?.to_vec1::<f32>()?;
        assert_eq!((scores[0], scores[2], scores[15]), (5.0, 4.6, 0.0));
        let tags = check(&TAGGING, &vocab)?.to_vec2::<u32>()?;
        let first = [IGNORED, 0, 3, 1, 2, 4, 7, IGNORED]; // the old dog sleeps quietly .
        assert_eq!(tags[0], [&first[..], &vec![IGNORED; tags[0].len() - 8]].concat());
        let spans = check(&ANSWERING, &vocab)?.to_vec2::<u32>()?;
        assert_eq!(spans[0], [10, 10]); // <cls> where did anna move ? <sep> anna moved to lisbon
        assert_eq!(spans[3], [12, 14]); // <cls> who built the bridge ? <sep> the bridge was built by a roman engineer
        Ok(())
    }

    #[test]
    fn every_tag_is_some_words_and_every_answer_is_found() -> Outcome {
        let tags = HeadExamples::new(&TAGGING.train, &vocabulary())?.targets().concat();
        assert!((0..TAGS.len() as u32).all(|tag| tags.contains(&tag)), "{tags:?}");
        for question in ANSWERING.train.iter().chain([&ANSWERING.held_out]) {
            assert_eq!(question.words_of(question.target()?), question.answer);
        }
        Ok(())
    }

    #[test]
    fn examples_that_contradict_themselves_are_told() {
        fn message<E: Example>(example: &E) -> String {
            example.target().err().map(|error| error.to_string()).unwrap_or_default()
        }
        assert!(message(&Compared("a", "b", 5.5)).contains("\"a\" and \"b\" have the score 5.5"));
        assert!(message(&Compared("a", "b", f32::NAN)).contains("NaN"));
        assert!(message(&Tagged("a b", "DET")).contains("\"a b\" has 2 words and 1 tags"));
        assert!(message(&Tagged("a", "ARTICLE")).contains("ARTICLE, which is none of DET, NOUN"));
        for answer in ["c", "b a", "", "a b a b"] {
            let message = message(&PassageQuestion { passage: "a b", question: "?", answer });
            assert!(message.contains("is not in the passage \"a b\""), "{answer}: {message}");
        }
        let examples = HeadExamples::new(&ACCEPTABILITY.train, &vocabulary()).expect("examples");
        let message = examples.batch(&[3, 16], &CPU).expect_err("no such example").to_string();
        assert!(message.contains("no example 16: the set has 16"), "{message}");
        assert!(examples.batch(&[], &CPU).is_err());
    }

    #[test]
    fn what_guessing_loses() {
        assert!((variance(&[1.0, 3.0, 5.0]) - 8.0 / 3.0).abs() < 1e-12);
        assert_eq!(variance(&[2.0; 3]), 0.0);
        let asked = |passage| PassageQuestion { passage, question: "?", answer: "a" };
        let entropy = entropy_of_positions(&[asked("a b"), asked("a b c d e f g h")]);
        assert!((entropy - 2.0 * 2f64.ln()).abs() < 1e-12, "{entropy}");
    }

    proptest! {
        #[test]
        fn answers_come_back_from_their_positions(
            passage in prop::collection::vec("[ab]", 1..9),
            question in prop::collection::vec("[ab]", 0..4),
            (first, len) in (0usize..8, 1usize..8),
        ) {
            let first = first.min(passage.len() - 1);
            let last = (first + len).min(passage.len());
            let answer = passage[first..last].join(" ");
            let (passage, question) = (passage.join(" "), question.join(" "));
            let asked = PassageQuestion { passage: &passage, question: &question, answer: &answer };
            let target = asked.target().expect("it is there");
            prop_assert_eq!(asked.words_of(target), answer);
        }
    }
}

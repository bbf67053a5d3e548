//! The same seed gives the same bits with any number of threads; another seed gives others.

use d2l_testing::determinism as runs;

#[test]
fn the_trainings_depend_on_the_seed_alone() {
    for section in [
        "sentiment-analysis-rnn",
        "sentiment-analysis-cnn",
        "natural-language-inference-attention",
        "finetuning-bert",
        "natural-language-inference-bert",
    ] {
        runs::only_the_seed_matters(env!("CARGO_BIN_EXE_nlp-applications"), &[section]);
    }
}

#[test]
fn every_training_resumes_on_the_same_bits() {
    d2l_testing::resuming::every_training_resumes(env!("CARGO_BIN_EXE_nlp-applications"));
}

//! The same seed gives the same bits with any number of threads; another seed gives others.

use d2l_testing::determinism as runs;

#[test]
fn both_games_depend_on_the_seed_alone() {
    for section in ["gan", "dcgan"] {
        runs::only_the_seed_matters(env!("CARGO_BIN_EXE_gan"), &[section]);
    }
}

#[test]
fn every_training_resumes_on_the_same_bits() {
    d2l_testing::resuming::every_training_resumes(env!("CARGO_BIN_EXE_gan"));
}

//! The same seed gives the same bits with any number of threads; another seed gives others.

use d2l_testing::determinism as runs;

#[test]
fn sampling_depends_on_the_seed_alone() {
    runs::only_the_seed_matters(env!("CARGO_BIN_EXE_preliminaries"), &["probability"]);
}

//! The same seed gives the same bits with any number of threads; another seed gives others.

use d2l_testing::determinism as runs;

#[test]
fn random_matrices_depend_on_the_seed_alone() {
    runs::only_the_seed_matters(env!("CARGO_BIN_EXE_math"), &["eigendecomposition"]);
}

#[test]
fn random_vectors_depend_on_the_seed_alone() {
    runs::only_the_seed_matters(env!("CARGO_BIN_EXE_math"), &["geometry-linear-algebraic-ops"]);
}

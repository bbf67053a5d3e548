//! Numbers that make no sense are refused before anything runs.

use d2l_testing::flags as programs;

#[test]
fn every_flag_that_takes_a_number_checks_it() {
    programs::numbers_are_checked(env!("CARGO_BIN_EXE_math"), &[]);
}

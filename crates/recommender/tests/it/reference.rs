//! Values and gradients of the chapter's models and losses against PyTorch's, which `scripts/reference/recommender.py`
//! wrote. Nothing is dropped.

use d2l::prelude::*;
use d2l_testing::pytorch::{self, Inputs};
use recommender::ranking_losses::{bpr_loss, hinge_loss};
use recommender::sections::autorec::AutoRec;
use recommender::sections::deepfm::DeepFactorizationMachine;
use recommender::sections::fm::FactorizationMachine;
use recommender::sections::mf::MatrixFactorization;
use recommender::sections::neumf::NeuMf;
use recommender::sections::seqrec::{Caser, CaserSizes};

const USERS: usize = 4;
const ITEMS: usize = 7;
const FACTORS: usize = 3;
const CASER: CaserSizes = CaserSizes {
    num_users: USERS,
    num_items: ITEMS,
    sequence_length: 4,
    num_factors: FACTORS,
    num_horizontal: 5,
    num_vertical: 2,
};
/// How many categories each field has.
const FIELDS: [usize; 3] = [3, 4, 2];

/// Gives the net PyTorch's parameters, then compares its output and all gradients.
fn check<L>(
    case: &str,
    net: impl FnOnce(&VarBuilder) -> Result<L>,
    forward: impl FnOnce(&L, &Inputs) -> Result<Tensor>,
) -> anyhow::Result<()> {
    pytorch::check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/recommender.safetensors"), case, net, forward)
}

#[test]
fn matrix_factorization() -> anyhow::Result<()> {
    check(
        "mf",
        |vb| MatrixFactorization::new(FACTORS, USERS, ITEMS, vb),
        |net, x| net.forward(x.get("users"), x.get("items")),
    )
}

#[test]
fn matrix_factorization_of_all_items() -> anyhow::Result<()> {
    check(
        "mf_all_items",
        |vb| MatrixFactorization::new(FACTORS, USERS, ITEMS, vb),
        |net, x| net.of_all_items(x.get("users")),
    )
}

#[test]
fn an_autoencoder_of_ratings() -> anyhow::Result<()> {
    check("autorec", |vb| AutoRec::new(6, USERS, 0.05, vb), |net, x| net.forward_t(x.get("ratings"), false))
}

#[test]
fn bayesian_personalized_ranking() -> anyhow::Result<()> {
    check("bpr", |_| Ok(bpr_loss), |loss, x| loss(x.get("positive"), x.get("negative"), Reduction::None))
}

#[test]
fn the_hinge_of_ranking() -> anyhow::Result<()> {
    check("hinge", |_| Ok(hinge_loss), |loss, x| loss(x.get("positive"), x.get("negative"), 0.5, Reduction::None))
}

#[test]
fn neural_matrix_factorization() -> anyhow::Result<()> {
    check(
        "neumf",
        |vb| NeuMf::new(USERS, ITEMS, FACTORS, &[5, 4], vb),
        |net, x| net.forward(x.get("users"), x.get("items")),
    )
}

#[test]
fn convolutions_over_sequences_of_items() -> anyhow::Result<()> {
    check(
        "caser",
        |vb| Caser::new(&CASER, 0.05, vb),
        |net, x| net.score(&net.wants(x.get("users"), x.get("sequences"), false)?, x.get("items")),
    )
}

#[test]
fn convolutions_over_sequences_for_all_items() -> anyhow::Result<()> {
    check("caser_all_items", |vb| Caser::new(&CASER, 0.05, vb), |net, x| net.scores(x.get("users"), x.get("sequences")))
}

#[test]
fn a_factorization_machine() -> anyhow::Result<()> {
    let features: usize = FIELDS.iter().sum();
    check("fm", |vb| FactorizationMachine::new(features, FACTORS, vb), |net, x| net.forward(x.get("x")))
}

#[test]
fn a_factorization_machine_with_a_perceptron() -> anyhow::Result<()> {
    check(
        "deepfm",
        |vb| DeepFactorizationMachine::new(&FIELDS, FACTORS, &[6, 5], 0.1, vb),
        |net, x| net.forward_t(x.get("x"), false),
    )
}

//! Training of models that rank, and what they come to (sections 16.6 and 16.7).

use d2l::data::DataError;
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::train::TrainError;

use crate::movielens::MovieLens;
use crate::ranking_evaluation::{RankingQuality, RankingTest};
use crate::ranking_losses::bpr_loss;
use crate::ratings::Ratings;
use crate::recommendations::Recommendations;
use crate::splits::Split;

/// Trains a model to score what users chose above what they did not, by BPR. `scores` gives the scores of both for a
/// minibatch, `(batch)` each; `evaluate` is asked after each epoch. The history has `train_loss`, the mean over pairs,
/// `test_hit_rate` and `test_auc`.
///
/// # Errors
/// As [`Trainer::run`].
pub fn train_ranking<'a, B: Batches>(
    trainer: Trainer<'a>,
    batches: &mut B,
    optimizer: &mut Adam,
    scores: impl Fn(&B::Batch) -> Result<(Tensor, Tensor)>,
    evaluate: impl Fn() -> Result<RankingQuality, DataError> + 'a,
) -> Result<History, TrainError> {
    let trainer = trainer.each_epoch(move |epoch| {
        let quality = evaluate()?;
        epoch.metric("test_hit_rate", quality.hit_rate)?;
        epoch.metric("test_auc", quality.auc)
    });
    trainer.with(&*optimizer).run(batches, |step, batch| {
        let (positive, negative) = scores(&batch)?; // (batch)
        let losses = bpr_loss(&positive, &negative, Reduction::None)?; // (batch)
        optimizer.minimize(&losses.mean_all()?)?;
        step.losses(&losses)
    })
}

/// Compares a trained model with the neighborhoods of section 16.1, which do not learn.
pub fn compare(
    nb: &mut Notebook,
    name: &str,
    history: &History,
    test: &RankingTest,
    train: &Ratings,
) -> anyhow::Result<()> {
    let last = |metric| history.last(metric).unwrap_or(f64::NAN);
    let model = RankingQuality { hit_rate: last("test_hit_rate"), auc: last("test_auc") };
    let neighbors = test.neighborhoods(train, nb.device())?;
    let mut table = Table::new(["model", "hit rate", "AUC"]);
    for (name, quality) in [("neighborhoods", neighbors), (name, model)] {
        table.row([name.to_string(), format!("{:.3}", quality.hit_rate), format!("{:.3}", quality.auc)]);
    }
    nb.say(table)?;
    nb.metric("hit_rate_neighbors", neighbors.hit_rate)?;
    nb.metric("auc_neighbors", neighbors.auc)
}

/// Shows the ten movies with the highest scores that a user did not know, and where the one stands that they rated next.
/// `scores` gives those of all movies for some users, `(users, items)`.
pub fn recommend(
    nb: &mut Notebook,
    set: &MovieLens,
    split: &Split,
    user: usize,
    scores: impl Fn(&[u32]) -> Result<Tensor>,
) -> anyhow::Result<()> {
    let movies = Recommendations::new(set, &split.train, user)?;
    let scores = scores(&[user as u32])?.detach().flatten_all()?.to_vec1::<f32>()?; // (items)
    let unseen: Vec<f32> = movies.unseen().iter().map(|&item| scores[item as usize]).collect();
    movies.show(nb, &unseen, 10)?;
    if let Some(next) = split.test.rows().iter().find(|rating| rating.user as usize == user) {
        let above = unseen.iter().filter(|score| **score > scores[next.item as usize]).count();
        let movie = &set.movies[next.item as usize];
        nb.say(format!("rated next: {movie}, which stands at place {} of {}", above + 1, unseen.len()))?;
    }
    Ok(())
}

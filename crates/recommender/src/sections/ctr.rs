//! 16.8 Feature-Rich Recommender Systems
//!
//! Advertisements that were shown and seldom clicked: how many categories a row has, which of them are clicked, and how they
//! become numbers for a net.
//!
//! `cargo run --release -p recommender -- ctr`
//! Of Avazu's 8,567 training rows 17.3 % have a click; 22 fields become 1,251 numbers.

use d2l::prelude::*;

use crate::ad_clicks::{AdClicks, CategoryCount, FeatureMap, Impressions};
use crate::click_evaluation::ClickQuality;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// How many training rows must have a category for a number of its own
    #[arg(long, default_value_t = AdClicks::MIN_THRESHOLD, value_parser = count)]
    pub min_threshold: usize,
    /// Rows a minibatch
    #[arg(long, default_value_t = 2048, value_parser = count)]
    pub batch_size: usize,
}

defaults! { Config }

/// The click-through rate: how many of a hundred rows have a click.
pub fn click_through_rate(count: CategoryCount) -> f64 {
    100.0 * count.clicks as f64 / count.rows as f64
}

/// The categories that at least a fiftieth of the rows have, each with its field's place, those with the highest
/// click-through rate first.
pub fn most_clicked(impressions: &Impressions) -> Vec<(usize, &str, CategoryCount)> {
    let counts = impressions.counts().into_iter().enumerate();
    let mut categories: Vec<(usize, &str, CategoryCount)> = counts
        .flat_map(|(field, counts)| counts.into_iter().map(move |(category, count)| (field, category, count)))
        .filter(|(_, _, count)| count.rows * 50 >= impressions.len())
        .collect();
    let rate = click_through_rate;
    categories.sort_by(|a, b| rate(b.2).total_cmp(&rate(a.2)).then((a.0, a.1).cmp(&(b.0, b.1))));
    categories
}

/// The share of rows whose category of a field has no number of its own.
pub fn default_share(map: &FeatureMap, impressions: &Impressions, field: usize) -> f64 {
    let is_default = |row: &usize| {
        impressions.categories(*row).nth(field).is_some_and(|name| map.index(field, name) == map.default_index(field))
    };
    (0..impressions.len()).filter(is_default).count() as f64 / impressions.len() as f64
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("An online advertising dataset")?;
    let clicks = nb.load::<AdClicks>()?;
    let (train, test) = (&clicks.train, &clicks.test);
    nb.say(format!("{} training rows, {} test rows, {} fields", train.len(), test.len(), train.fields().len()))?;
    let rates = [train.click_rate(), test.click_rate()];
    nb.say(format!("click-through rates: {:.1} % and {:.1} %", 100.0 * rates[0], 100.0 * rates[1]))?;
    for (name, category) in train.fields().iter().zip(train.categories(0)).take(8) {
        nb.say(format!("{name} = {category}"))?;
    }
    nb.metric("click_rate", rates[0])?;
    nb.metric("no_click_acc", ClickQuality::of_probability(rates[0], test.clicks())?.accuracy)?;

    nb.cell("What is clicked")?;
    let categories = most_clicked(train);
    let mut table = Table::new(["field", "category", "shown", "clicked", "click-through rate"]);
    let ends = categories.iter().take(3).chain(categories.iter().skip(categories.len().saturating_sub(3).max(3)));
    for &(field, category, count) in ends {
        let rate = format!("{:.1} %", click_through_rate(count));
        let numbers = [count.rows, count.clicks].map(|number| number.to_string());
        table.row([train.fields()[field].clone(), category.to_string()].into_iter().chain(numbers).chain([rate]));
    }
    nb.say(table)?;

    nb.cell("Dataset wrapper")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training rows");
    let (mut loader, _, map) = clicks.load(config.min_threshold, config.batch_size, shuffle, nb.device())?;
    let (x, y) = loader.dataset().batch(&[0], nb.device())?; // (1, fields), (1)
    nb.show("first row", x)?;
    nb.show("its click", y)?;
    if let Some(batch) = loader.epoch().next() {
        let (x, y) = batch?;
        nb.say(format!("a minibatch: {:?} numbers and {:?} clicks", x.dims(), y.dims()))?;
    }
    nb.metric("category_numbers", map.features() as f64)?;

    nb.cell("Categories that are too rare for a number")?;
    let counts = train.counts();
    let mut table = Table::new(["field", "categories", "numbers", "training rows with the default", "test rows"]);
    for (field, (name, dim)) in train.fields().iter().zip(map.field_dims()).enumerate() {
        let shares = [train, test].map(|rows| format!("{:.1} %", 100.0 * default_share(&map, rows, field)));
        let numbers = [counts[field].len(), dim].map(|number| number.to_string());
        table.row([name.clone()].into_iter().chain(numbers).chain(shares));
    }
    nb.say(table)?;
    let fields = train.fields().len();
    let mean: f64 = (0..fields).map(|field| default_share(&map, test, field)).sum::<f64>() / fields as f64;
    nb.metric("default_share", mean)?;
    let mut rows: Vec<usize> = counts.iter().flat_map(|counts| counts.values().map(|count| count.rows)).collect();
    rows.sort_unstable_by(|a, b| b.cmp(a));
    let ranks: Vec<usize> = (1..=rows.len()).collect();
    let chart = Chart::new().x_label("rank of a category").y_label("training rows").log_x().log_y();
    let chart = chart.unlabeled_line(&ranks, &rows).horizontal(config.min_threshold as f64);
    let alt = "Training rows of each category of all fields by its rank, on logarithmic axes, with the threshold below which \
               a category has no number of its own";
    nb.figure("category-frequencies", alt, chart)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use d2l::data::Source;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn the_most_clicked_come_first_and_rare_ones_not_at_all() -> Outcome {
        let clicks = AdClicks::sample()?;
        let found = most_clicked(&clicks.train);
        let rates: Vec<f64> = found.iter().map(|&(_, _, count)| click_through_rate(count)).collect();
        assert!(rates.len() > 10 && rates.windows(2).all(|pair| pair[0] >= pair[1]), "{rates:?}");
        let counts = clicks.train.counts();
        assert!(found.iter().all(|&(field, category, count)| count.rows >= 6 && counts[field][category] == count));
        let frequent = counts.iter().flat_map(HashMap::values).filter(|count| count.rows >= 6).count();
        assert_eq!(found.len(), frequent);
        assert_eq!(click_through_rate(CategoryCount { rows: 8, clicks: 2 }), 25.0);
        Ok(())
    }

    #[test]
    fn shares_of_rows_without_a_number_of_their_own_grow_with_the_threshold() -> Outcome {
        let clicks = AdClicks::sample()?;
        for field in 0..clicks.train.fields().len() {
            let share = |threshold, rows| default_share(&FeatureMap::new(&clicks.train, threshold), rows, field);
            assert_eq!((share(1, &clicks.train), share(1000, &clicks.test)), (0.0, 1.0));
            assert!(share(4, &clicks.train) <= share(20, &clicks.train));
        }
        Ok(())
    }
}

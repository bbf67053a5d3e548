//! Models that a section saves for later runs, with what they came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail};

use super::{DataOrigin, Notebook};
use crate::checkpoint::Checkpoint;

/// What a saved model came from: the section and its code, the seed, the scale, every setting. A later run uses the
/// model only where all of it is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance(BTreeMap<String, String>);

const METADATA: &str = "provenance";
/// Not compared, since a run that only uses the model reads no data.
const DATA: &str = "data";

impl Notebook {
    /// What a model that this run saves comes from. The settings in `besides` are those that do not change the model,
    /// such as the sentence that it translates.
    pub fn provenance(&self, besides: &[&str]) -> Provenance {
        let record = &self.record;
        let mut facts = BTreeMap::from([
            ("section".to_string(), format!("{} {}", record.chapter, record.section)),
            ("source".to_string(), record.fingerprint.clone()),
            ("--seed".to_string(), record.seed.to_string()),
            ("--scale".to_string(), record.scale.name().to_string()),
        ]);
        let data = if record.data == DataOrigin::Sample { "sample" } else { "full" };
        facts.insert(DATA.to_string(), data.to_string());
        for (name, value) in record.config.as_object().into_iter().flatten() {
            if !besides.contains(&name.as_str()) {
                facts.insert(format!("--{}", name.replace('_', "-")), value.to_string());
            }
        }
        Provenance(facts)
    }

    /// Marks this run as one on a sample where the model that it uses is of one.
    pub fn adopt(&mut self, saved: &Provenance) {
        let sample = saved.0.get(DATA).is_some_and(|data| data == "sample");
        self.record.data = if sample { DataOrigin::Sample } else { DataOrigin::Full };
    }
}

impl Provenance {
    /// A checkpoint that says what it came from.
    pub fn mark(&self, checkpoint: Checkpoint) -> Result<Checkpoint> {
        Ok(checkpoint.with_metadata(METADATA, serde_json::to_string(&self.0)?))
    }

    /// What a checkpoint says that it came from.
    ///
    /// # Errors
    /// Where it does not say.
    pub fn of(checkpoint: &Checkpoint, path: &Path) -> Result<Self> {
        let facts = checkpoint.metadata().get(METADATA).and_then(|facts| serde_json::from_str(facts).ok());
        match facts {
            Some(facts) => Ok(Self(facts)),
            None => bail!("{} does not say what it came from: it is no saved model of a section", path.display()),
        }
    }

    /// What differs between a saved model and what this run asks for, in words; `None` where it is the same.
    pub fn difference(&self, saved: &Self) -> Option<String> {
        let keys: BTreeSet<_> = self.0.keys().chain(saved.0.keys()).filter(|key| *key != DATA).collect();
        let differs = keys.into_iter().filter(|key| self.0.get(*key) != saved.0.get(*key));
        let shown = |facts: &Self, key: &str| facts.0.get(key).map_or("none".to_string(), Clone::clone);
        let differences: Vec<String> =
            differs.map(|key| format!("{key} {} (this run: {})", shown(saved, key), shown(self, key))).collect();
        (!differences.is_empty()).then(|| format!("it was made with {}", differences.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[(&str, &str)]) -> Provenance {
        Provenance(facts.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect())
    }

    #[test]
    fn everything_but_the_data_is_compared() {
        let asked = facts(&[("--scale", "book"), ("--num-hiddens", "32"), (DATA, "full")]);
        assert_eq!(asked.difference(&facts(&[("--scale", "book"), ("--num-hiddens", "32"), (DATA, "sample")])), None);
        let smoke = facts(&[("--scale", "smoke"), ("--num-hiddens", "32"), (DATA, "sample")]);
        assert_eq!(asked.difference(&smoke).as_deref(), Some("it was made with --scale smoke (this run: book)"));
        let both = asked.difference(&facts(&[("--scale", "smoke"), ("--num-hiddens", "8")]));
        let once = "it was made with --num-hiddens 8 (this run: 32), --scale smoke (this run: book)";
        assert_eq!(both.as_deref(), Some(once));
        assert!(asked.difference(&facts(&[])).is_some_and(|text| text.contains("--num-hiddens none (this run: 32)")));
    }

    #[test]
    fn a_checkpoint_keeps_it() -> Result<()> {
        let made = facts(&[("--seed", "42")]);
        let marked = made.mark(Checkpoint::default())?;
        assert_eq!(Provenance::of(&marked, Path::new("a"))?, made);
        assert!(
            Provenance::of(&Checkpoint::default(), Path::new("some/file"))
                .is_err_and(|error| { error.to_string().contains("some/file") })
        );
        Ok(())
    }
}

//! The noise of airfoils in a wind tunnel, on which sections 11.5 to 11.10 compare their algorithms.

use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::prelude::{DType, Device, Tensor};
use d2l::text;

/// Numbers on a line: five features and the sound pressure.
const COLUMNS: usize = 6;

/// NASA's measurements: frequency (Hz), angle of attack (degrees), chord length (m), speed of the air (m/s) and thickness of
/// the boundary layer on the suction side (m); and the sound pressure level (dB).
#[derive(Debug, Clone)]
pub struct Airfoil {
    rows: Vec<[f32; COLUMNS]>,
}

impl Airfoil {
    /// Reads lines of six numbers with tabs or spaces between.
    ///
    /// # Errors
    /// Where the file cannot be read, or a line has other than six finite numbers; the error names the line.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let text = text::read(path)?;
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at_fault = |what: String| {
                let (path, line) = (path.display(), number + 1);
                DataError::invalid(format!("{path}, line {line}: {what}; a measurement is {COLUMNS} numbers"))
            };
            let fields: Vec<&str> = line.split_whitespace().collect();
            let fields: [&str; COLUMNS] =
                fields.try_into().map_err(|fields: Vec<&str>| at_fault(format!("{} fields", fields.len())))?;
            let mut row = [0f32; COLUMNS];
            for (value, field) in row.iter_mut().zip(fields) {
                let number = field.parse().ok().filter(|number: &f32| number.is_finite());
                *value = number.ok_or_else(|| at_fault(format!("`{field}` is no number")))?;
            }
            rows.push(row);
        }
        if rows.len() < 2 {
            return Err(DataError::invalid(format!("{}: {} measurements are too few", path.display(), rows.len())));
        }
        Ok(Self { rows })
    }

    /// The first `n` measurements at most: features `(n, 5)` and labels `(n, 1)`, each column scaled over all measurements
    /// to mean 0 and standard deviation 1.
    ///
    /// # Errors
    /// Where a column is the same in all measurements.
    #[doc(alias = "get_data_ch11")]
    pub fn standardized(&self, n: usize, device: &Device) -> Result<(Tensor, Tensor), DataError> {
        let rows: Vec<f32> = self.rows.iter().flatten().copied().collect();
        let data = Tensor::from_vec(rows, (self.rows.len(), COLUMNS), device)?.to_dtype(DType::F64)?;
        let centered = data.broadcast_sub(&data.mean_keepdim(0)?)?;
        let deviation = (centered.sqr()?.sum_keepdim(0)? / (self.rows.len() - 1) as f64)?.sqrt()?; // (1, 6)
        if deviation.min_all()?.to_scalar::<f64>()? == 0.0 {
            return Err(DataError::invalid("a column of the airfoil set has one value only, and cannot be scaled"));
        }
        let data = centered.broadcast_div(&deviation)?.to_dtype(DType::F32)?.narrow(0, 0, n.min(self.rows.len()))?;
        Ok((data.narrow(1, 0, COLUMNS - 1)?.contiguous()?, data.narrow(1, COLUMNS - 1, 1)?.contiguous()?))
    }

    /// How many measurements there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none, which [`Airfoil::read`] refuses.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Source for Airfoil {
    const SAMPLE_NOTICE: &'static str = "the airfoil set could not be had, so this run uses 600 measurements that are \
         invented: its losses are not the book's, and say nothing of wings.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Self::read(&hub.fetch("airfoil")?)
    }

    /// Measurements that `scripts/make_airfoil_sample.py` invents.
    fn sample() -> Result<Self, DataError> {
        Self::read(&hub::sample("airfoil/sample.dat")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn columns_have_mean_zero_and_deviation_one() -> Outcome {
        let set = Airfoil::sample()?;
        let (x, y) = set.standardized(usize::MAX, &Device::Cpu)?;
        assert_eq!((x.dims(), y.dims()), (&[set.len(), 5][..], &[set.len(), 1][..]));
        let all = Tensor::cat(&[&x, &y], 1)?.to_dtype(DType::F64)?;
        for mean in all.mean(0)?.to_vec1::<f64>()? {
            assert!(mean.abs() < 1e-5, "{mean}");
        }
        for square in (all.sqr()?.sum(0)? / (set.len() - 1) as f64)?.to_vec1::<f64>()? {
            assert!((square - 1.0).abs() < 1e-5, "{square}");
        }
        assert_eq!(set.standardized(100, &Device::Cpu)?.0.dims(), [100, 5]);
        Ok(())
    }

    #[test]
    fn a_damaged_line_is_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("measurements.dat");
        let good = "800\t0\t0.3\t71.3\t0.002\t126.2\n";
        let cases = [
            ("1\t2\t3\n", "line 2: 3 fields"),
            ("800\t0\t0.3\tfast\t0.002\t126.2\n", "`fast` is no number"),
            ("800\t0\t0.3\t71.3\t0.002\tNaN\n", "`NaN` is no number"),
        ];
        for (line, message) in cases {
            std::fs::write(&file, format!("{good}{line}"))?;
            let error = Airfoil::read(&file).expect_err(message).to_string();
            assert!(error.contains("measurements.dat") && error.contains(message), "{error}");
        }
        std::fs::write(&file, good)?;
        assert!(Airfoil::read(&file).expect_err("one line").to_string().contains("too few"));
        std::fs::write(&file, good.repeat(3))?;
        assert!(Airfoil::read(&file)?.standardized(3, &Device::Cpu).is_err());
        Ok(())
    }
}

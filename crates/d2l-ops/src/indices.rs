//! Reading class labels, token ids and other indices.

use candle_core::{DType, Result, Tensor, bail};

/// The indices of a tensor of `u8`, `u32` or `i64` in row-major order, each checked to be below `count`; `None` where
/// it equals `ignored`. `what` names the argument in errors, `of` what it counts: `("cross_entropy: label", "classes")`.
pub(crate) fn read_indices(
    (what, of): (&str, &str),
    indices: &Tensor,
    count: usize,
    ignored: Option<i64>,
) -> Result<Vec<Option<u32>>> {
    if !matches!(indices.dtype(), DType::U8 | DType::U32 | DType::I64) {
        bail!("{what} must be of u8, u32 or i64, got {:?}", indices.dtype());
    }
    let values = indices.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
    let check = |(position, &value): (usize, &i64)| {
        if Some(value) == ignored {
            return Ok(None);
        }
        match u32::try_from(value) {
            Ok(index) if (index as usize) < count => Ok(Some(index)),
            _ => bail!("{what} {value} at position {position} is out of range for {count} {of}"),
        }
    };
    values.iter().enumerate().map(check).collect()
}

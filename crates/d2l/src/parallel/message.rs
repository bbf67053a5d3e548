//! Whole numbers and bytes between ranks, as the floats that a communicator takes.

use super::{Communicator, ParallelError};

/// The bits of a number that one float holds to the last.
const BITS: u32 = 16;
const FLOATS: usize = (u64::BITS / BITS) as usize;

fn to_floats(number: u64) -> impl Iterator<Item = f32> {
    (0..FLOATS as u32).map(move |at| f32::from((number >> (at * BITS)) as u16))
}

fn from_floats(floats: &[f32]) -> u64 {
    floats.iter().rev().fold(0, |number, &float| number << BITS | float as u64)
}

/// Gives every rank the numbers of all, which have as many each: by rank, in the order of each.
pub(super) fn gather(communicator: &dyn Communicator, numbers: &[u64]) -> Result<Vec<Vec<u64>>, ParallelError> {
    let len = numbers.len() * FLOATS;
    let mut table = vec![0f32; len * communicator.size()];
    let own = &mut table[communicator.rank() * len..][..len];
    own.iter_mut().zip(numbers.iter().flat_map(|&number| to_floats(number))).for_each(|(to, float)| *to = float);
    // The others add zeros.
    communicator.all_reduce(&mut table)?;
    Ok((0..communicator.size())
        .map(|rank| table[rank * len..][..len].chunks_exact(FLOATS).map(from_floats).collect())
        .collect())
}

/// Gives every rank the bytes that rank `root` has.
pub(super) fn broadcast_bytes(
    communicator: &dyn Communicator,
    root: usize,
    bytes: &[u8],
) -> Result<Vec<u8>, ParallelError> {
    let mut len: Vec<f32> = to_floats(bytes.len() as u64).collect();
    communicator.broadcast(root, &mut len)?;
    let len = from_floats(&len) as usize;
    let mut floats = vec![0f32; len.div_ceil(4)];
    if communicator.rank() == root {
        for (float, bytes) in floats.iter_mut().zip(bytes.chunks(4)) {
            let mut bits = [0; 4];
            bits[..bytes.len()].copy_from_slice(bytes);
            // Copied and not computed with, so that the bits stay, whatever number they are.
            *float = f32::from_le_bytes(bits);
        }
    }
    communicator.broadcast(root, &mut floats)?;
    let mut bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    bytes.truncate(len);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::spawn;

    #[test]
    fn numbers_and_bytes_arrive_to_the_last_bit() {
        let numbers = |rank: usize| [u64::MAX - rank as u64, rank as u64, 0x1234_5678_9abc_def0];
        let gathered = spawn(3, |communicator| Ok(gather(communicator, &numbers(communicator.rank()))?));
        assert_eq!(gathered.expect("three ranks"), vec![[0, 1, 2].map(|rank| numbers(rank).to_vec()).to_vec(); 3]);
        let bytes: Vec<u8> = (0..=255).chain([0xff; 6]).chain([0x7f, 0x80, 0x01]).collect();
        let received = spawn(2, |communicator| {
            let own = if communicator.rank() == 1 { &bytes[..] } else { &[] };
            Ok(broadcast_bytes(communicator, 1, own)?)
        });
        assert_eq!(received.expect("two ranks"), [bytes.clone(), bytes]);
    }
}

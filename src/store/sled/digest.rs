//! A digest of all entries of a tree, kept up with each change of them.
//!
//! sled checks each page by itself. Where one of its messages is damaged it may go on with the next
//! segment, and give older entries of some keys beside newer ones of others, or none, without an
//! error. Only all entries together tell that.

/// The sum of the digests of all entries, so that it does not matter in which order they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest(u64);

impl Digest {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.0 = self.0.wrapping_add(entry(key, value));
    }

    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.0 = self.0.wrapping_sub(entry(key, value));
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

fn entry(key: &[u8], value: &[u8]) -> u64 {
    let crc = crc32c::crc32c(&(key.len() as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(crc, key);
    let crc = u64::from(crc32c::crc32c_append(crc, value));
    // Sums of checksums could cancel each other out: those of numbers that look like chance do not.
    let mixed = (crc ^ (crc << 32)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_depend_on_the_order_and_forgets_what_is_gone() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        one.add(b"a", b"1");
        one.add(b"b", b"2");
        other.add(b"b", b"2");
        other.add(b"c", b"3");
        other.add(b"a", b"1");
        assert_ne!(one, other);
        other.remove(b"c", b"3");
        assert_eq!(one, other);
    }

    #[test]
    fn values_that_change_places_and_bytes_that_move_from_key_to_value_are_noticed() {
        let of = |entries: &[(&[u8], &[u8])]| {
            let mut digest = Digest::default();
            entries.iter().for_each(|(key, value)| digest.add(key, value));
            digest
        };
        assert_ne!(of(&[(b"a", b"1"), (b"b", b"2")]), of(&[(b"a", b"2"), (b"b", b"1")]));
        assert_ne!(of(&[(b"a", b"b1")]), of(&[(b"ab", b"1")]));
    }
}

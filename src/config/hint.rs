//! What was probably meant by a key that nothing reads.

/// Takes the key and the known keys out of serde's message, in which all of them, and nothing else,
/// stand between backticks.
pub(super) fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

/// The known key that was most likely meant: one that contains or is contained in the key, or is a
/// few slips away.
pub(super) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let within = |name: &&&str| key.len() > 2 && (name.contains(key) || key.contains(**name));
    known.iter().find(within).copied().or_else(|| {
        let slips = known.iter().map(|name| (distance(key, name), *name)).min()?;
        (slips.0 <= 2).then_some(slips.1)
    })
}

/// How many letters to insert, take out or change to make one word of the other. Long keys, which
/// are no slips, are not compared.
fn distance(one: &str, other: &str) -> usize {
    if one.len() > 64 {
        return usize::MAX;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((above_left, above), same) in
            row.iter().zip(row.iter().skip(1)).zip(other.iter().map(|known| *known == letter))
        {
            let left = next.last().copied().unwrap_or(usize::MAX);
            let changed = above_left + usize::from(!same);
            next.push(changed.min(above + 1).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

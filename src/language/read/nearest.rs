//! The name that somebody probably meant.

/// Candidates that are looked at; more would make a broken definition slow to report.
const MOST_CANDIDATES: usize = 1_000;
/// Longer names are not compared.
const LONGEST: usize = 80;

/// The candidate that differs least from `name`, if one is near enough to be a slip of the hand:
/// a third of its letters, and at most three. Case counts half as much as a letter.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(LONGEST + 1).collect();
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    // In half letters.
    let most = 2 * wanted.len().div_ceil(3).min(3);
    let near = |candidate: &'a str| {
        let other: Vec<char> = candidate.chars().take(LONGEST + 1).collect();
        let similar = 2 * other.len().abs_diff(wanted.len()) <= most;
        let distance = if similar { distance(&wanted, &other, most) } else { None };
        distance.map(|distance| (distance, candidate))
    };
    let candidates = candidates.into_iter().take(MOST_CANDIDATES);
    let near = candidates.filter(|candidate| *candidate != name).filter_map(near);
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Edit distance in half letters, if it is at most `most`: 2 for a letter more, less or other, 1
/// for its case.
fn distance(left: &[char], right: &[char], most: usize) -> Option<usize> {
    let mut row: Vec<usize> = (0..=right.len()).map(|index| 2 * index).collect();
    for (index, l) in left.iter().enumerate() {
        let mut before = 2 * (index + 1);
        let mut next = vec![before];
        for (r, pair) in right.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            before = (diagonal + cost(*l, *r)).min(above + 2).min(before + 2);
            next.push(before);
        }
        row = next;
        // Distances never fall from row to row.
        if row.iter().all(|distance| *distance > most) {
            return None;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

fn cost(left: char, right: char) -> usize {
    if left == right {
        0
    } else if left.eq_ignore_ascii_case(&right) {
        1
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_name() {
        let names = ["Next", "Type", "TimeoutSeconds", "Parameters"];
        assert_eq!(nearest("next", names), Some("Next"));
        assert_eq!(nearest("Timeoutseconds", names), Some("TimeoutSeconds"));
        assert_eq!(nearest("Paramters", names), Some("Parameters"));
        assert_eq!(nearest("Tpye", names), Some("Type"));
        assert_eq!(nearest("Elsewhere", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&"x".repeat(1000), names), None);
    }
}

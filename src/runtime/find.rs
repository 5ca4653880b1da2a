//! Finding executions by what people type.

use super::error::Error;
use crate::engine::ExecutionId;

/// Candidates named when a handle could mean several executions.
const CANDIDATES_SHOWN: usize = 5;

/// The execution that `text` names: the newest for `@`, else the only one whose handle begins so.
///
/// # Errors
/// None fits, or several do.
pub fn by_handle(ids: impl Iterator<Item = ExecutionId>, text: &str) -> Result<ExecutionId, Error> {
    let nothing = || Error::NoSuchExecution { id: text.to_owned() };
    if text == "@" {
        return ids.max().ok_or_else(nothing);
    }
    let mut fitting: Vec<ExecutionId> =
        ids.filter(|id| !text.is_empty() && id.handle().starts_with(text)).collect();
    match fitting.as_slice() {
        [] => Err(nothing()),
        [only] => Ok(*only),
        _ => {
            fitting.truncate(CANDIDATES_SHOWN);
            Err(Error::AmbiguousHandle { handle: text.to_owned(), candidates: fitting })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, random: u8) -> ExecutionId {
        ExecutionId(uuid::Builder::from_unix_timestamp_millis(ms, &[random; 10]).into_uuid())
    }

    #[test]
    fn any_beginning_that_fits_one_execution_names_it() {
        let ids = [id(1, 0x11), id(2, 0x22)];
        let handle = ids[0].handle();
        assert_eq!(by_handle(ids.into_iter(), &handle[..3]).unwrap(), ids[0]);
        assert_eq!(by_handle(ids.into_iter(), "@").unwrap(), ids[1]);
    }

    #[test]
    fn a_beginning_that_fits_two_names_both() {
        let ids = [id(1, 0x11), id(2, 0x11)];
        let handle = ids[0].handle();
        let error = by_handle(ids.into_iter(), &handle[..6]).unwrap_err();
        assert!(
            matches!(error, Error::AmbiguousHandle { candidates, .. } if candidates.len() == 2)
        );
        assert!(matches!(by_handle(ids.into_iter(), ""), Err(Error::NoSuchExecution { .. })));
    }
}

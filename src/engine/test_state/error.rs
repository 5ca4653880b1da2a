//! Tests of states that make no sense.

use crate::engine::rejection::Rejection;

/// Why a state cannot be tested as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// The workflow has no such state.
    #[error("the workflow has no state called {state:?}")]
    UnknownState {
        /// The name that was given.
        state: String,
    },
    /// The state's work has to be stood in for.
    #[error("a {type_name} state is tested with the result or the error of its work")]
    NeedsMock {
        /// The state's type.
        type_name: &'static str,
    },
    /// The state does no work.
    #[error("a {type_name} state does no work that a result or an error could stand in for")]
    TakesNoMock {
        /// The state's type.
        type_name: &'static str,
    },
    /// A Map gives an array.
    #[error("the result of a Map is an array, with the output of each item")]
    MockIsNoArray,
    /// A Map reads its items, and they are not given.
    #[error("how many items may fail is not known without the items that the Map would read")]
    NeedsItems,
    /// More items are to fail than there are.
    #[error("{failed} items are to fail, but there are {total}")]
    TooManyFail {
        /// How many are to fail.
        failed: u32,
        /// How many there are.
        total: u32,
    },
    /// The input is over the limit of payloads.
    #[error("the input has {bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The engine refused to run the state, which is a fault of ours.
    #[error("the engine refused to run the state: {rejection}")]
    Refused {
        /// What it said.
        rejection: Rejection,
    },
}

impl TestError {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownState { .. } => "TEST_UNKNOWN_STATE",
            Self::NeedsMock { .. } => "TEST_NEEDS_MOCK",
            Self::TakesNoMock { .. } => "TEST_TAKES_NO_MOCK",
            Self::MockIsNoArray => "TEST_MOCK_NO_ARRAY",
            Self::NeedsItems => "TEST_NEEDS_ITEMS",
            Self::TooManyFail { .. } => "TEST_TOO_MANY_FAIL",
            Self::TooLarge { .. } => "TOO_LARGE",
            Self::Refused { .. } => "TEST_REFUSED",
        }
    }
}

impl From<Rejection> for TestError {
    fn from(rejection: Rejection) -> Self {
        Self::Refused { rejection }
    }
}

//! The bodies of the fuzz targets for what reaches the server.

pub use super::control::fuzz::control_lines;
pub(crate) use super::http::fuzz::host_name;
pub use super::http::fuzz::{rest_request, signatures, token_file};
pub use super::sfn::fuzz::wire_request;
pub(crate) use super::sfn::fuzz::{arn, page_token};

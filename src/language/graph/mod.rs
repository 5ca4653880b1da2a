//! A workflow as a picture: text for terminals, Mermaid, Graphviz; or as nodes and edges.

mod document;
mod dot;
mod mermaid;
mod outline;
mod text;

pub use document::{Document, Edge, Node, document};
pub use dot::dot;
pub use mermaid::mermaid;
pub use text::text;

#[cfg(test)]
mod tests;

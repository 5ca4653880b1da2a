//! A workflow as a picture: text for terminals, Mermaid, Graphviz.

mod dot;
mod mermaid;
mod outline;
mod text;

pub use dot::dot;
pub use mermaid::mermaid;
pub use text::text;

#[cfg(test)]
mod tests;

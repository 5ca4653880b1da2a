//! The engine from outside: given a definition, when commands come, then events.

mod kit;

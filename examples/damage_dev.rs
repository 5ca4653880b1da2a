#![allow(dead_code)]
#[path = "../tests/it/damage.rs"]
mod damage;
#[path = "../tests/it/environment.rs"]
mod environment;
fn main() { damage::main(); }
